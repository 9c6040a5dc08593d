use std::time::Duration;

/// What a clock can still be moved by.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// A setting that cannot be used, and what is expected in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: read {read}, expected {expected}")]
#[non_exhaustive]
pub struct Invalid {
    /// The setting, as its setter is called.
    pub setting: &'static str,
    /// What it was set to.
    pub read: String,
    /// What would be right.
    pub expected: String,
}

#[allow(dead_code, reason = "each pillar asks for it, and none is on by default")]
impl Invalid {
    pub(crate) fn new(
        setting: &'static str,
        read: impl std::fmt::Debug,
        expected: impl Into<String>,
    ) -> Self {
        Self { setting, read: format!("{read:?}"), expected: expected.into() }
    }

    /// Refuses a time of nothing, and one that would run over on the clock.
    pub(crate) fn unless_usable(setting: &'static str, time: Duration) -> Result<(), Self> {
        if time.is_zero() || time > LONGEST {
            return Err(Self::new(setting, time, "a time above zero, up to a year"));
        }
        Ok(())
    }
}
