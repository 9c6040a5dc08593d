//! A port of this machine for a copy or a store of ours.

use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::HOST;
use crate::failure::Failure;

/// Which ports outgoing connections get (ip(7)): of them one may be taken between our look and the moment when its user
/// listens.
const OUTGOING: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// What it is unless somebody has changed it.
const USUAL: &str = "32768 60999";

/// Below them are those of servers that everybody knows.
const LOWEST: u16 = 10_000;

/// As many are enough to choose from.
const ENOUGH: u16 = 12_000;

/// With fewer, runs side by side would be out of them.
const FEWEST: u16 = 500;

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
        let outgoing = std::fs::read_to_string(OUTGOING).unwrap_or_else(|_| USUAL.to_owned());
        let ports = beside(&outgoing).ok_or_else(|| {
            Failure::environment(format!(
                "any port may be taken by an outgoing connection: net.ipv4.ip_local_port_range is {}",
                outgoing.split_whitespace().collect::<Vec<_>>().join(" to ")
            ))
            .hint(format!("as root: sysctl -w net.ipv4.ip_local_port_range='{USUAL}'"))
        })?;
        let mut tried = std::iter::repeat_with(|| fastrand::u16(ports.clone())).take(TRIES);
        tried.find_map(Self::hold).ok_or_else(|| {
            Failure::environment(format!("no free port between {} and {}", ports.start(), ports.end()))
        })
    }

    fn hold(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("golive-port-{number}")).ok()?;
        let held = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((HOST, number)).ok()?;
        Some(Self { number, _held: held })
    }
}

/// Ports that no outgoing connection gets: those below, or above where there is no room below.
fn beside(outgoing: &str) -> Option<RangeInclusive<u16>> {
    let mut ends = outgoing.split_whitespace().map(|end| end.parse::<u16>().ok());
    let (first, last) = (ends.next()??, ends.next()??);
    let below = LOWEST.max(first.saturating_sub(ENOUGH))..=first.saturating_sub(1);
    let above = last.saturating_add(1).max(LOWEST)..=u16::MAX;
    [below, above].into_iter().find(|ports| ports.len() >= usize::from(FEWEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_lie_beside_those_of_outgoing_connections_or_there_are_none() {
        assert_eq!(beside(USUAL), Some(20_768..=32_767));
        assert_eq!(beside("15000\t60999\n"), Some(10_000..=14_999));
        assert_eq!(beside("1024 60999"), Some(61_000..=65_535));
        assert_eq!(beside("1024 5000"), Some(10_000..=65_535));
        for without_room in ["1024 65535", "10100 65100", "nonsense"] {
            assert_eq!(beside(without_room), None, "{without_room}");
        }
    }

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
