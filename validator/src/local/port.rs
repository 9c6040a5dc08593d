//! A port of this machine for a copy or a store of ours.

use std::net::TcpListener;
use std::ops::Range;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::HOST;
use crate::failure::Failure;

/// Below those that outgoing connections get (`ip_local_port_range` of Linux): of them one may be taken between our look and
/// the moment when its user listens.
const PORTS: Range<u16> = 20_000..32_000;

/// Ports that are tried.
const TRIES: usize = 1_000;

/// A port that nobody listens on, and that no run on this machine gets while this value is there, so that a process can be
/// started again on it. A stranger may take it all the same: then its user does not start, and says so.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    // An abstract name belongs to the same network namespace as the port (unix(7)), and is free again with its process.
    _held: UnixListener,
}

impl Port {
    /// One of those that are free.
    ///
    /// # Errors
    /// Exit 3 when there is none.
    pub(super) fn free() -> Result<Self, Failure> {
        let mut tried = std::iter::repeat_with(|| fastrand::u16(PORTS)).take(TRIES);
        tried.find_map(Self::hold).ok_or_else(|| {
            Failure::environment(format!("no free port between {} and {}", PORTS.start, PORTS.end))
        })
    }

    fn hold(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("golive-port-{number}")).ok()?;
        let held = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((HOST, number)).ok()?;
        Some(Self { number, _held: held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_held_or_listened_on_is_given_to_nobody() {
        let port = Port::free().unwrap();
        assert!(Port::hold(port.number).is_none(), "its user has not started yet");
        let number = port.number;
        drop(port);
        let again = Port::hold(number).unwrap();
        drop(again);
        let _listener = TcpListener::bind((HOST, number)).unwrap();
        assert!(Port::hold(number).is_none());
    }
}
