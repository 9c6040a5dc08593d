//! After the open time exactly one trial call reaches the database.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B202",
    slug: "half-open-single-trial",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "A recovering database that gets everything at once goes down again.",
    how: "Not measured by this version: the experiment that holds the trial's answer is not part of it.",
    remedy: "Nothing to change yet; this version of the validator does not break dependencies.",
    judge,
};

fn judge(_: &Timeline) -> Finding {
    Finding::inconclusive("not measured: this version does not break dependencies")
}
