//! There are never more pods than replicas + maxSurge.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::{Kind, Peak, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R203",
    slug: "pods-within-surge",
    area: Area::Release,
    severity: Severity::Major,
    why: "Pods beyond the promise may not find room, or connections at the database.",
    how: "Sums spec.replicas of the deployment's replica sets at every event. Allowed are the most replicas that the deployment was asked for until then, as by an autoscaler, and maxSurge of them.",
    remedy: "Look for a second controller that changes the deployment's replica sets.",
    rests_on: &[Kind::Watch, Kind::Validator, Kind::Target, Kind::Clock],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let Some(Peak { pods, allowed, line }) = timeline.workload.peak() else {
        return Finding::inconclusive("no replica set was seen");
    };
    let summary = format!("at most {pods} pods were asked for, {allowed} are allowed");
    let case = (pods > allowed).then(|| Case::at(timeline.at_line(line), summary.clone(), line));
    Finding::unless(case, summary).measured(pods.to_string(), format!("<= {allowed}")).lines([line])
}
