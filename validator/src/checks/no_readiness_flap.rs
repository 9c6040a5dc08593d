//! A pod that was Ready stays Ready until it is deleted.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::Millis;
use crate::plan::Needs;
use crate::timeline::{Act, Kind, PodLife, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H101",
    slug: "no-readiness-flap",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "Every flap takes capacity away and is often a probe that times out under load.",
    how: "Watches the condition Ready of every pod until dependencies are broken on purpose.",
    remedy: "Look at the readiness handler's time under load; answer from a snapshot, not from a call to the dependency.",
    rests_on: &[
        Kind::Watch,
        Kind::Validator,
        Kind::Load,
        Kind::Agent,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    if timeline.pods.is_empty() {
        return Finding::inconclusive("no pod was seen");
    }
    let flaps = timeline.pods.iter().flat_map(|pod| pod.flaps().into_iter().map(move |flap| (pod, flap)));
    // Once dependencies are taken away, readiness must follow them: GL-H204 to GL-H207.
    let flaps = flaps.filter(|(_, (at, _))| timeline.in_peace((*at, *at + 1)).next().is_some());
    let (own, replaced): (Vec<_>, Vec<_>) = flaps.partition(|(pod, _)| timeline.is_judged(pod));
    let case = |(pod, (at, line)): (&PodLife, (Millis, usize))| {
        let text = format!("{} became not Ready", pod.name);
        Case::over(timeline.cause_of(Act::TookOut, at), text, line).of(&pod.name)
    };
    let cases = |of: Vec<_>| of.into_iter().map(case).collect();
    let pods = timeline.pods.len();
    Finding::of_both(
        cases(own),
        cases(replaced),
        format!("{pods} pods, none of them lost Ready before its deletion"),
    )
    .counted(format!("times one of {pods} pods lost Ready before its deletion"))
    .tally("", "0")
}
