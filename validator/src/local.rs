//! The platform that is this machine: copies of a command as processes, behind a switch of our own.

mod copies;
mod copy;
mod folder;
mod guardian;
mod instance;
mod kubelet;
mod led;
mod located;
mod machine;
mod marked;
mod objects;
mod process;
mod programs;
mod record;
mod sink;
mod store;
mod switch;
mod target;
mod threads;

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::ops::Range;

pub use folder::{Root, RunFolder};
pub use guardian::{COMMAND, Guardian, guard};
pub use machine::Machine;
pub use target::planned;

use self::located::Located;
use self::store::Store;
use self::switch::Switch;
use crate::failure::Failure;

/// Where all copies and agents listen.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Below those that outgoing connections get (`ip_local_port_range` of Linux): of them one may be taken between our look and
/// the moment when its user listens.
const PORTS: Range<u16> = 20_000..32_000;

/// Ports that are tried.
const TRIES: usize = 1_000;

/// A port that nobody listens on. Somebody else may take it before it is used: then its user does not start, and says so.
fn free_port() -> Result<u16, Failure> {
    let mut tried = std::iter::repeat_with(|| fastrand::u16(PORTS)).take(TRIES);
    let free = tried.find(|port| TcpListener::bind((HOST, *port)).is_ok());
    free.ok_or_else(|| {
        Failure::environment(format!("no free port between {} and {}", PORTS.start, PORTS.end))
    })
}
