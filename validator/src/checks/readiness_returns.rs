//! A pod is back in the Service soon after its dependencies are.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Step;
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H205",
    slug: "readiness-returns",
    area: Area::Health,
    severity: Severity::Major,
    why: "A readiness that needs a restart to come back turns a short outage of a database into a long one of the service.",
    how: "From the end of all faults to the moment the EndpointSlice says ready again, pod by pod: one success of the probe and the policy's margin.",
    remedy: "Ask the dependencies all the time, also while not ready, and say 200 at the first good answer.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let losses = timeline.losses()?;
    let begin = timeline.step(Step::Recovery).map(|span| span.begin);
    let begin = begin.ok_or_else(|| Unmeasured::NotSeen("the recovery was not reached".into()))?;
    let Some(probe) = &timeline.plan().target.readiness else {
        return Err(Unmeasured::NotDeclared("no readinessProbe is declared: see GL-H001".into()));
    };
    let limit = probe.back_s() + timeline.plan().policy.max_endpoint_back_margin_s;
    let mut wrong = Vec::new();
    let mut longest = 0.0_f64;
    for loss in &losses {
        let from = begin.max(loss.ended());
        let back = timeline.endpoint_lives.get(loss.pod).and_then(|life| life.first(true, from));
        match back.map(|at| (at - from) as f64 / 1000.0) {
            Some(took) if took <= limit => longest = longest.max(took),
            Some(took) => {
                wrong.push((loss.faults[0].0, format!("{} was ready again only after {took:.1} s", loss.pod)))
            }
            None => wrong.push((loss.faults[0].0, format!("{} did not become ready again", loss.pod))),
        }
    }
    let fail = wrong.first().map(|(_, text)| text.clone()).unwrap_or_default();
    Ok(Finding::when(
        wrong.is_empty(),
        format!("{} pods were ready again within {longest:.1} s", losses.len()),
        fail,
    )
    .measured(format!("{longest:.1} s"), format!("<= {limit} s"))
    .details(wrong.iter().skip(1).map(|(_, text)| text.clone()))
    .lines(wrong.iter().map(|(line, _)| *line)))
}
