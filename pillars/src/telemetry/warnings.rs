use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(1);

/// When it was warned of each route for the last time; there are as many as the router has.
#[derive(Default)]
pub(super) struct Warnings(Mutex<HashMap<String, Told>>);

struct Told {
    at: Instant,
    left_out: u64,
}

impl Warnings {
    /// Whether it is to be warned of this failure, once a second and route; if so, how many were left out before it.
    pub(super) fn due(&self, route: &str) -> Option<u64> {
        let now = Instant::now();
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = routes.get_mut(route) else {
            routes.insert(route.to_owned(), Told { at: now, left_out: 0 });
            return Some(0);
        };
        if now.duration_since(told.at) < INTERVAL {
            told.left_out += 1;
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_failure_a_second_is_told_with_how_many_were_left_out() {
        let warnings = Warnings::default();
        assert_eq!(warnings.due("/users"), Some(0));
        assert_eq!((warnings.due("/users"), warnings.due("/users")), (None, None));
        tokio::time::advance(INTERVAL).await;
        assert_eq!((warnings.due("/users"), warnings.due("/users")), (Some(2), None));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(warnings.due("/users"), Some(1));
    }
}
