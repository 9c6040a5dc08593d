//! What is known when somebody asks.

use std::sync::Arc;

use crate::config::GoLivePolicy;
use crate::verify::Proof;

/// A run that ended with a verdict.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Namespace of its check.
    pub(super) namespace: String,
    /// Name of its check.
    pub(super) check: String,
    /// What it proved.
    pub(super) proof: Proof,
}

/// What does not change while the process runs.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Repositories whose images need no GO.
    pub(super) exempt: Vec<String>,
    /// Service account of runs.
    pub(super) account: String,
    /// Namespaces whose runs prove images.
    pub(super) asked_in: Vec<String>,
}

/// All of it.
pub(super) struct Known<'a> {
    pub(super) runs: &'a [Arc<Run>],
    pub(super) policy: &'a GoLivePolicy,
    pub(super) rules: &'a Rules,
    /// Unix milliseconds.
    pub(super) now: i64,
}
