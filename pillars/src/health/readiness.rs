use std::sync::atomic::{AtomicBool, Ordering};

use super::Policy;
use super::dependency::{Standing, Status};

/// Whether a process wants traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// Everything is confirmed.
    Ready,
    /// Something is away, and the policy says that the rest can answer.
    Degraded {
        /// Which dependency is away, and why.
        error: String,
    },
    /// Something is away.
    Unavailable {
        /// Which dependency is away, and why.
        error: String,
    },
    /// The process is on its way out.
    Draining,
}

/// Remembers that every dependency has been confirmed at the same time once.
#[derive(Default)]
pub(super) struct Latch(AtomicBool);

impl Readiness {
    pub(super) fn judge(policy: Policy, latch: &Latch, dependencies: Vec<Status>) -> Self {
        let (up, away): (Vec<_>, Vec<_>) =
            dependencies.into_iter().partition(|status| status.standing == Standing::Up);
        if away.is_empty() {
            latch.0.store(true, Ordering::Relaxed);
            return Self::Ready;
        }
        let error = away.iter().map(describe).collect::<Vec<_>>().join("; ");
        match policy {
            Policy::DegradedOk if latch.0.load(Ordering::Relaxed) && !up.is_empty() => {
                Self::Degraded { error }
            }
            Policy::DegradedOk | Policy::Strict => Self::Unavailable { error },
        }
    }

    /// Whether the answer is 200.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready | Self::Degraded { .. })
    }

    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Degraded { .. } => "degraded",
            Self::Unavailable { .. } => "unavailable",
            Self::Draining => "draining",
        }
    }

    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Self::Ready => None,
            Self::Degraded { error } | Self::Unavailable { error } => Some(error),
            Self::Draining => Some("shutting down"),
        }
    }
}

fn describe(status: &Status) -> String {
    match &status.standing {
        Standing::Up => format!("{}: up", status.name),
        Standing::Unconfirmed(reason) | Standing::Down(reason) => format!("{}: {reason}", status.name),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status(name: &'static str, up: bool) -> Status {
        let standing = if up { Standing::Up } else { Standing::Down("refused".to_owned()) };
        Status { name, standing, age: Duration::ZERO }
    }

    #[test]
    fn strict_needs_every_dependency() {
        let latch = Latch::default();
        let both = vec![status("postgres", true), status("redis", true)];
        assert_eq!(Readiness::judge(Policy::Strict, &latch, both), Readiness::Ready);
        let one = vec![status("postgres", true), status("redis", false)];
        let error = "redis: refused".to_owned();
        assert_eq!(Readiness::judge(Policy::Strict, &latch, one), Readiness::Unavailable { error });
    }

    #[test]
    fn degraded_is_ready_only_after_everything_was_confirmed_once() {
        let latch = Latch::default();
        let judge = |postgres, redis| {
            let statuses = vec![status("postgres", postgres), status("redis", redis)];
            Readiness::judge(Policy::DegradedOk, &latch, statuses).is_ready()
        };
        assert!(!judge(false, true), "never confirmed");
        assert!(judge(true, true));
        assert!(judge(false, true));
        assert!(judge(true, false));
        assert!(!judge(false, false));
    }
}
