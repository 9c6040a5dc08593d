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

impl Trouble {
    /// In one word, of which there are few: what the API server calls it, or where it came from.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Api(kube::Error::Api(status)) if !status.reason.is_empty() => status.reason.clone(),
            Self::Api(kube::Error::Api(status)) => status.code.to_string(),
            Self::Api(_) => "connection".to_owned(),
            Self::Json(_) => "json".to_owned(),
        }
    }
}
