use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After so long the same cause is told once more.
const REMINDER: Duration = Duration::from_mins(1);
/// At most one line in this time, however causes change.
const SHORTEST: Duration = Duration::from_secs(1);

/// Tells why Postgres fails, once a change: those who are refused by an open circuit do not know, and a line for each who
/// does would say the same a thousand times. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Outage(Arc<Mutex<Option<Told>>>);

struct Told {
    kind: String,
    at: Instant,
}

impl Outage {
    /// Warns of a failure, if its kind is new.
    pub(super) fn tell(&self, kind: &str, cause: &dyn Display) {
        if self.is_news(kind) {
            tracing::warn!(kind, %cause, "Postgres fails");
        }
    }

    fn is_news(&self, kind: &str) -> bool {
        let now = Instant::now();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = told.as_ref().is_none_or(|told| {
            let since = now.duration_since(told.at);
            since >= REMINDER || told.kind != kind && since >= SHORTEST
        });
        if news {
            *told = Some(Told { kind: kind.to_owned(), at: now });
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cause_is_told_once_a_change_and_once_a_minute() {
        let outage = Outage::default();
        assert!(outage.is_news("io"));
        assert!(!outage.is_news("io"));
        assert!(!outage.is_news("57P01"), "too soon");
        tokio::time::advance(SHORTEST).await;
        assert!(outage.is_news("57P01"));
        assert!(!outage.is_news("57P01"));
        tokio::time::advance(REMINDER).await;
        assert!(outage.is_news("57P01"));
    }
}
