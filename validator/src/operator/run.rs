//! A `GoLiveRun` as it is read back.

use kube::core::DynamicObject;
use serde::Deserialize as _;
use serde_json::{Value, from_value};

use super::kinds::RUN_OF;
use crate::config::Purpose;
use crate::report::Verdict;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Its name, which is its cause.
    pub(super) name: String,
    /// Name of its check.
    pub(super) check: String,
    /// Images of its candidate.
    pub(super) image: String,
    /// Hash of its candidate.
    pub(super) hash: String,
    /// The demand that it answered.
    pub(super) demand: String,
    /// What it is for.
    pub(super) purpose: Purpose,
    /// When it was created, in Unix milliseconds.
    pub(super) created: i64,
    /// How far it is.
    pub(super) phase: Phase,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It was created; its Job may not have been.
    Asked,
    /// Its Job was created, and has not ended as far as is known.
    Running,
    /// It has, and this is its status.
    Ended(Value),
}

/// The one that was created last; of two of one second the one whose name comes later, so that everybody finds the same.
pub(super) fn newest<'a>(runs: impl Iterator<Item = &'a Run>) -> Option<&'a Run> {
    runs.max_by(|one, other| (one.created, &one.name).cmp(&(other.created, &other.name)))
}

impl Run {
    pub(super) fn of(object: &DynamicObject) -> Self {
        let text = |field: &str| object.data["spec"][field].as_str().unwrap_or_default().to_owned();
        let status = &object.data["status"];
        let created = object.metadata.creation_timestamp.as_ref().map_or(0, |at| at.0.as_millisecond());
        Self {
            name: object.metadata.name.clone().unwrap_or_default(),
            check: object
                .metadata
                .labels
                .as_ref()
                .and_then(|all| all.get(RUN_OF).cloned())
                .unwrap_or_default(),
            image: text("image"),
            hash: text("templateHash"),
            demand: text("demand"),
            // Runs from before there was a choice have proved.
            purpose: from_value(object.data["spec"]["plan"].clone()).unwrap_or_default(),
            created,
            phase: match status["phase"].as_str() {
                Some("Ended") => Phase::Ended(status.clone()),
                Some(_) => Phase::Running,
                None => Phase::Asked,
            },
        }
    }

    /// Whether it is still to end.
    pub(super) fn is_running(&self) -> bool {
        self.ended().is_none()
    }

    /// Its status, once it has ended.
    pub(super) fn ended(&self) -> Option<&Value> {
        match &self.phase {
            Phase::Ended(status) => Some(status),
            Phase::Asked | Phase::Running => None,
        }
    }

    /// Whether it has ended with a verdict that stands until another one does, as it stands for admission: not by an abort or an
    /// error, and not inconclusive.
    pub(super) fn is_decided(&self) -> bool {
        self.ended()
            .is_some_and(|status| Verdict::deserialize(&status["verdict"]).is_ok_and(Verdict::is_decided))
    }
}
