//! What a namespace asks for by its label `golive.dev/require`.

/// What becomes of an image without a GO. The API server is told by one webhook for each label, with a path of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `go`: it is denied.
    Go,
    /// `warn`: it comes in, and whoever brings it is warned.
    Warn,
    /// `audit`: it comes in, and the audit log and the metrics tell.
    Audit,
}

impl Mode {
    pub(super) const ALL: [Self; 3] = [Self::Go, Self::Warn, Self::Audit];

    /// As in the label, the path and the metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Warn => "warn",
            Self::Audit => "audit",
        }
    }
}
