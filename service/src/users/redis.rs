use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike as _;
use fred::types::Builder;
use fred::types::config::{Config, ReconnectError, ReconnectPolicy, TlsConnector, UnresponsiveConfig};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use golive_pillars::health::Probe;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Without this, a server that keeps its connections open but says nothing is never given up.
const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(2);
/// What a server says that is not the primary any more, or not yet: the name may lead to another one by now.
const LEAVE_AFTER: [ReconnectError; 3] =
    [ReconnectError::ReadOnly, ReconnectError::Loading, ReconnectError::MasterDown];
const SHORTEST_PAUSE_MS: u32 = 100;
/// Up to so much more, anew each time: replicas that lost the same Redis together do not come back together.
const JITTER_MS: u32 = 900;
const FOREVER: u32 = 0;

/// Parses the URL of a Redis; `None` if it is none. With TLS its certificate may also be from one of `authorities`.
pub(crate) fn parse(url: &str, authorities: Vec<CertificateDer<'static>>) -> Option<Config> {
    let (plain, encrypted) = match url.strip_prefix("rediss://") {
        Some(rest) => (format!("redis://{rest}"), true),
        None => (url.to_owned(), false),
    };
    let mut config = plain.starts_with("redis://").then(|| Config::from_url(&plain).ok()).flatten()?;
    // Otherwise the first failure to connect would be the last attempt.
    config.fail_fast = false;
    config.tls = encrypted.then(|| tls(authorities)).map(Into::into);
    Some(config)
}

/// The public roots are compiled in: the image has no others.
fn tls(authorities: Vec<CertificateDer<'static>>) -> TlsConnector {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(authorities);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(config)
}

/// A client that reconnects for ever and fails commands after `timeout`, connected or not.
pub(super) fn connect(config: &Config, timeout: Duration) -> Client {
    let client = Builder::from_config(config.clone())
        .with_performance_config(|performance| performance.default_command_timeout = timeout)
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT_TIMEOUT;
            connection.max_command_attempts = 1;
            connection.reconnect_errors = LEAVE_AFTER.to_vec();
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(UNRESPONSIVE_AFTER),
                interval: UNRESPONSIVE_AFTER / 4,
            };
        })
        .set_policy(reconnection())
        .build()
        .expect("fails only without a configuration or policy for a cluster");
    // The task ends with the client.
    drop(client.connect());
    client
}

/// Not fred's exponential policy: it adds the jitter before it cuts at the longest pause, so that from the sixth attempt
/// on every client waits exactly that long.
fn reconnection() -> ReconnectPolicy {
    let mut policy = ReconnectPolicy::new_constant(FOREVER, SHORTEST_PAUSE_MS);
    policy.set_jitter(JITTER_MS);
    policy
}

/// Confirms Redis over a connection of its own.
pub struct RedisProbe {
    client: Client,
}

impl RedisProbe {
    /// Starts to connect; `timeout` bounds a command.
    pub fn new(config: &Config, timeout: Duration) -> Self {
        Self { client: connect(config, timeout) }
    }
}

impl Probe for RedisProbe {
    async fn ping(&mut self) -> Result<(), String> {
        if !self.client.is_connected() {
            return Err("no connection".to_owned());
        }
        self.client.ping::<()>(None).await.map_err(|error| format!("{:?}", error.kind()).to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn reconnection_goes_on_for_ever_with_pauses_that_differ_between_clients() {
        let pauses = |mut policy: ReconnectPolicy| -> Vec<u64> {
            (0..10_000).map(|_| policy.next_delay().expect("never given up")).collect()
        };
        let (one, other) = (pauses(reconnection()), pauses(reconnection()));
        assert!(one.iter().all(|pause| (100..1_000).contains(pause)));
        // Also after thousands of attempts.
        let late: BTreeSet<_> = one[9_000..].iter().collect();
        assert!(late.len() > 300, "{} different pauses of 900 possible ones", late.len());
        let together = one.iter().zip(&other).filter(|(one, other)| one == other).count();
        assert!(together < 100, "{together} of 10,000 at the same time");
    }
}
