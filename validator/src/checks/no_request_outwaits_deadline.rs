//! No user waits longer than the declared deadline, whatever happens to the dependencies.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Class, Outcome, RequestFact, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B206",
    slug: "no-request-outwaits-deadline",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "A request without an end holds a connection, a slot and a user; enough of them take every caller down as well.",
    how: "Every request from the first hanging statement until the dependencies are back, through the Service and pod by pod, must end within the declared deadline and the policy's margin, beside what it takes in the quiet phase.",
    remedy: "Bound every call to a dependency, waiting for a connection of the pool included; bound the cache as well.",
    rests_on: &[Kind::Load, Kind::Validator, Kind::Agent, Kind::Dependency, Kind::Target, Kind::Clock],
    needs: Needs::Parts(&[Part::Hang, Part::Loss]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    timeline.tested_circuits()?;
    let window = timeline.between(Step::Hang, Step::Hang)?.0..=timeline.between(Step::Loss, Step::Partial)?.1;
    let deadline = timeline.breakers().map(|(_, breaker)| breaker.deadline.0).fold(0.0, f64::max);
    let limit_s = deadline + timeline.plan().limits().max_beyond_deadline_s;
    let all = timeline.load.requests.iter().filter(|(_, r)| window.contains(&r.due));
    let there: Vec<_> = all.filter(|(_, r)| can_answer(timeline, r)).collect();
    let longest = there.iter().map(|(_, r)| r.took_ms / 1000.0).fold(0.0, f64::max);
    let wrong: Vec<_> = there
        .iter()
        .filter(|(_, r)| {
            // What is slow by design may wait for a dependency beside it.
            r.took_ms > limit_s * 1000.0 + timeline.load.usual_ms(r.template)
                || matches!(r.outcome, Outcome::Timeout | Outcome::ConnectTimeout)
        })
        .collect();
    let cases = wrong.iter().map(|(line, r)| {
        let text = format!("{} after {:.1} s: {}", r.request, r.took_ms / 1000.0, r.outcome.name());
        let case = Case::over(r.during(), text, *line);
        match &r.pod {
            Some(pod) => case.of(pod),
            None => case,
        }
    });
    Ok(Finding::unless(cases, format!("no request took longer than {longest:.1} s"))
        .counted(format!("requests waited longer than {limit_s} s"))
        .measured(format!("{longest:.1} s"), format!("<= {limit_s} s beside the usual")))
}

/// Nobody waits at a door that is not there: a pod on its way out, or a Service without a ready endpoint.
fn can_answer(timeline: &Timeline, request: &RequestFact) -> bool {
    match (&request.pod, request.outcome) {
        (Some(pod), _) => request.due < timeline.deleted(pod),
        (None, Outcome::ConnectTimeout) => timeline.fewest_ready((request.due, request.due + 1_000)) > 0.0,
        (None, _) => request.class != Class::Direct,
    }
}
