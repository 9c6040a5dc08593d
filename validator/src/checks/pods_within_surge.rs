//! There are never more pods than replicas + maxSurge.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R203",
    slug: "pods-within-surge",
    area: Area::Release,
    severity: Severity::Major,
    why: "Pods beyond the promise may not find room, or connections at the database.",
    how: "Sums spec.replicas of the deployment's replica sets at every event.",
    remedy: "Look for a second controller or autoscaler that changes the deployment.",
    rests_on: &[Kind::Watch, Kind::Validator, Kind::Target, Kind::Clock],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let Some((most, line)) = timeline.workload.most_pods else {
        return Finding::inconclusive("no replica set was seen");
    };
    let allowed = timeline.workload.replicas() + timeline.workload.rolling().1;
    let summary = format!("at most {most} pods were asked for, {allowed} are allowed");
    let case = (most > allowed).then(|| Case::at(timeline.at_line(line), summary.clone(), line));
    Finding::unless(case, summary).measured(most.to_string(), format!("<= {allowed}")).lines([line])
}
