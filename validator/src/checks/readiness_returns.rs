//! A pod is back in the Service soon after its dependencies are.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Millis, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H205",
    slug: "readiness-returns",
    area: Area::Health,
    severity: Severity::Major,
    why: "A readiness that needs a restart to come back turns a short outage of a database into a long one of the service.",
    how: "From the end of all faults to the moment the EndpointSlice says ready again, pod by pod: one success of the probe and the policy's margin.",
    remedy: "Ask the dependencies all the time, also while not ready, and say 200 at the first good answer.",
    rests_on: &[
        Kind::Watch,
        Kind::Validator,
        Kind::Prober,
        Kind::Load,
        Kind::Agent,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    needs: Needs::Parts(&[Part::Loss]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let Some(probe) = &timeline.plan().target.readiness else {
        return Err(Unmeasured::NotDeclared("no readinessProbe is declared: see GL-H001".into()));
    };
    let losses = timeline.losses()?;
    let begin = timeline.step(Step::Recovery).map(|span| span.begin);
    let begin = begin.ok_or_else(|| Unmeasured::NotSeen("the recovery was not reached".into()))?;
    let limit = probe.back_s() + timeline.plan().limits().max_endpoint_back_margin_s;
    let mut wrong = Vec::new();
    let mut longest = 0.0_f64;
    for loss in &losses {
        let from = begin.max(loss.ended());
        let back = timeline.endpoint_lives.get(loss.pod).and_then(|life| life.first(true, from));
        let text = match back.map(|at| (at - from) as f64 / 1000.0) {
            Some(took) if took <= limit => {
                longest = longest.max(took);
                continue;
            }
            Some(took) => format!("{} was ready again only after {took:.1} s", loss.pod),
            None => format!("{} did not become ready again", loss.pod),
        };
        let until = back.unwrap_or(from + (limit * 1000.0) as Millis);
        wrong.push(Case::over((from, until), text, loss.faults[0].0).of(loss.pod));
    }
    Ok(Finding::unless(wrong, format!("{} pods were ready again within {longest:.1} s", losses.len()))
        .measured(format!("{longest:.1} s"), format!("<= {limit} s")))
}
