//! What goes wrong in a reconcile.

/// Why a reconcile did not come to its end; it is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The API server.
    #[error("{0}")]
    Api(#[from] kube::Error),
    /// What cannot be written.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}
