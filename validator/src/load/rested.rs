//! Connections to one pod that rest for a while between two requests, as those of users do: the last ones that a pod which
//! drains still answers on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::link::Link;

/// A kept connection, used by one request at a time.
pub(super) type Slot = Arc<Mutex<Option<Link>>>;

/// So many to each pod, used in turn.
const LINKS: u32 = 8;

/// How long each of them rests: about as long as the longest of the class that keeps idle connections.
const REST: Duration = Duration::from_secs(14);

/// The connections to one pod.
#[derive(Default)]
pub(super) struct Rested {
    links: [Slot; LINKS as usize],
    next: Option<Instant>,
    used: usize,
}

impl Rested {
    /// The connection that has rested for long enough, if it is time for one.
    pub(super) fn due(&mut self, now: Instant) -> Option<Slot> {
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = Some(now + REST / LINKS);
        self.used += 1;
        Some(Arc::clone(&self.links[self.used % self.links.len()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_is_used_again_when_all_others_were() {
        let (mut rested, start) = (Rested::default(), Instant::now());
        let first = rested.due(start).unwrap();
        assert!(rested.due(start + REST / LINKS / 2).is_none());
        for turn in 1..LINKS {
            let other = rested.due(start + REST / LINKS * turn).unwrap();
            assert!(!Arc::ptr_eq(&first, &other), "{turn}");
        }
        assert!(Arc::ptr_eq(&first, &rested.due(start + REST).unwrap()));
    }
}
