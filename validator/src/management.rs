//! Probes and metrics of the programs that run always, on a port of their own (golive-pillars).

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use golive_pillars::health::{self, Health, Need, Probe};
use golive_pillars::metrics::{self, prometheus_client::registry::Registry};
use golive_pillars::shutdown::{Phase, Shutdown};

use crate::failure::Failure;

/// Opens the port, which is answered by a thread of its own: `/health`, `/ready` (while `probe` confirms, and no signal
/// came) and `/metrics`.
///
/// # Errors
/// Exit 2 where the port is taken.
pub(crate) fn open(
    port: u16,
    shutdown: &Shutdown,
    (name, probe): (&'static str, impl Probe),
    mut registry: Registry,
) -> Result<(), Failure> {
    let clock = shutdown.clone();
    let health = Health::builder(health::Config::default()).map_err(|e| Failure::internal(e.to_string()))?;
    let health = health
        .dependency(name, Need::Required, probe)
        .leaving(move || clock.phase() != Phase::Running)
        .start();
    health.register(&mut registry);
    shutdown.register(&mut registry);
    let pages = health::management_routes(health).merge(metrics::routes(registry));
    let listener = listen("management-port", port)?;
    health::spawn_management(listener, pages).map_err(|e| Failure::environment(e.to_string()))
}

/// The clock of an end that loses nothing; takes over the signals, so that it is asked for once.
///
/// # Errors
/// Exit 3 where the signals cannot be had.
pub(crate) fn clock() -> Result<Shutdown, Failure> {
    let config = golive_pillars::shutdown::Config::default();
    Shutdown::install(config).map_err(|e| Failure::environment(e.to_string()))
}

/// Listens on every address, IPv4 included; on IPv4 alone where the system has no IPv6.
///
/// # Errors
/// Exit 2 with the flag of the port.
pub(crate) fn listen(flag: &str, port: u16) -> Result<TcpListener, Failure> {
    let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let only_v4 = SocketAddr::from(([0, 0, 0, 0], port));
    let opened = TcpListener::bind(every).or_else(|_| TcpListener::bind(only_v4));
    let ready = opened.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    ready.map_err(|e: io::Error| Failure::usage(format!("--{flag} {port}: cannot listen: {e}")))
}
