/// A setting that cannot be used, and what is expected in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: read {read}, expected {expected}")]
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
}
