//! Conditions as kstatus reads them: one of a type, with the generation that it is about, and the time of its last change.

use serde_json::{Value, json};

/// One condition as it should be.
pub(super) struct Condition {
    pub(super) kind: &'static str,
    /// `True`, `False` or `Unknown`.
    pub(super) status: &'static str,
    /// One word.
    pub(super) reason: String,
    pub(super) message: String,
}

impl Condition {
    /// The same as it stands in a status. The time moves when the status does, and not before (API conventions).
    pub(super) fn over(&self, before: &Value, generation: i64, now: &str) -> Value {
        let all = before["conditions"].as_array();
        let same =
            all.into_iter().flatten().find(|old| old["type"] == self.kind && old["status"] == self.status);
        let since = same.and_then(|old| old["lastTransitionTime"].as_str()).unwrap_or(now);
        json!({
            "type": self.kind, "status": self.status, "reason": self.reason, "message": self.message,
            "observedGeneration": generation, "lastTransitionTime": since
        })
    }
}
