use super::Need;
use super::dependency::{Standing, Status};

/// Whether a process wants traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// Everything is confirmed.
    Ready,
    /// Something is away that is optional.
    Degraded {
        /// Which dependency is away, and why.
        error: String,
    },
    /// Something is away that is required, or was never there.
    Unavailable {
        /// Which dependency is away, and why.
        error: String,
    },
    /// The process is on its way out.
    Draining,
}

impl Readiness {
    pub(super) fn judge(dependencies: impl Iterator<Item = Status>) -> Self {
        let away: Vec<_> = dependencies.filter(|status| status.standing != Standing::Up).collect();
        if away.is_empty() {
            return Self::Ready;
        }
        let error = away.iter().map(describe).collect::<Vec<_>>().join("; ");
        if away.iter().all(is_dispensable) { Self::Degraded { error } } else { Self::Unavailable { error } }
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

fn is_dispensable(status: &Status) -> bool {
    status.need == Need::Optional && matches!(status.standing, Standing::Down(_))
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

    fn judge(postgres: (Need, Standing), redis: (Need, Standing)) -> Readiness {
        let both = [("postgres", postgres), ("redis", redis)];
        Readiness::judge(both.into_iter().map(|(name, (need, standing))| Status {
            name,
            need,
            standing,
            age: Duration::ZERO,
        }))
    }

    fn refused() -> Standing {
        Standing::Down("refused".to_owned())
    }

    #[test]
    fn what_is_required_is_needed() {
        let required = |standing| (Need::Required, standing);
        assert_eq!(judge(required(Standing::Up), required(Standing::Up)), Readiness::Ready);
        let error = "redis: refused".to_owned();
        assert_eq!(judge(required(Standing::Up), required(refused())), Readiness::Unavailable { error });
    }

    #[test]
    fn what_is_optional_may_be_away_once_it_was_there() {
        let redis = |standing| judge((Need::Required, Standing::Up), (Need::Optional, standing));
        assert!(!redis(Standing::Unconfirmed("refused".to_owned())).is_ready(), "never confirmed");
        let error = "redis: refused".to_owned();
        assert_eq!(redis(refused()), Readiness::Degraded { error });
        let postgres = judge((Need::Required, refused()), (Need::Optional, refused()));
        assert!(!postgres.is_ready(), "one of the two is required");
    }
}
