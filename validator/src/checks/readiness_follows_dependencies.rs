//! Readiness says what was declared when a dependency is lost.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Probe;
use crate::evidence::{FaultFact, Millis, ProbeTarget, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Act, Kind, Loss, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H204",
    slug: "readiness-follows-dependencies",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A pod that says ready without its database gets users it cannot serve; one that was declared to go on must not leave.",
    how: "Each pod loses one data store (or one over tcp that declares `readiness: required` or `optional`), then all, then gets the first one back. Without one that is declared `readiness: required` the declared readiness probe must soon stop succeeding (an exec probe is read from the endpoint alone), the EndpointSlice must follow within the probe's own timings, and both must stay so until every such one is back. Without one that is `optional`, or `none`, both must stay ready while nothing else is lost.",
    remedy: "Confirm every required store in the loop behind /ready, each by a call of its own; declare `readiness: optional` for one that the service can go on without.",
    rests_on: &[
        Kind::Watch,
        Kind::Validator,
        Kind::Prober,
        Kind::Load,
        Kind::Agent,
        Kind::Record,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    needs: Needs::Parts(&[Part::Loss]),
    judge,
};

/// Faults end and steps end on different clocks, and an answer may be under way.
const EDGE_MS: Millis = 500;

const PASS: &str =
    "every pod left the Service without what it needs, and stayed without the rest, as declared";

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let Some(probe) = &timeline.plan().target.readiness else {
        return Err(Unmeasured::NotDeclared("no readinessProbe is declared: see GL-H001".into()));
    };
    let losses = timeline.losses()?;
    let asked = |loss: &Loss| {
        let window = (loss.first().began, loss.ended());
        timeline.load.probes_of(loss.pod, ProbeTarget::Readiness, window).next().is_some()
    };
    let silent = || losses.iter().find(|loss| !asked(loss)).filter(|_| probe.can_be_asked());
    if let Some(loss) = silent() {
        return Err(Unmeasured::NotSeen(format!("the readiness of {} was not asked", loss.pod)));
    }
    let mut wrong = Vec::new();
    let (mut slowest, mut open) = (0, None);
    for loss in &losses {
        match behaved(timeline, loss, probe) {
            Ok(Ok(after)) => slowest = slowest.max(after),
            Ok(Err(case)) => wrong.push(case.of(loss.pod).before(&loss.first().dependency)),
            Err(why) => open = open.or(Some(why)),
        }
    }
    if let Some(why) = open.filter(|_| wrong.is_empty()) {
        return Err(why);
    }
    let limit = probe.out_s() + timeline.plan().limits().max_endpoint_out_margin_s;
    let unit = format!("of {} pods wrong, out within {:.1} s", losses.len(), slowest as f64 / 1000.0);
    let beside = timeline.never_alone(&losses);
    let beside = beside.iter().map(|name| {
        format!("{name} was lost only together with others: what readiness makes of it alone is not known")
    });
    Ok(Finding::unless(wrong, PASS)
        .details(beside.collect::<Vec<_>>())
        .tally(unit, format!("0, <= {limit} s")))
}

/// How long its endpoint took to leave once it had to, or what is wrong.
fn behaved(timeline: &Timeline, loss: &Loss, probe: &Probe) -> Result<Result<Millis, Case>, Unmeasured> {
    let needed: Vec<&FaultFact> = timeline.needed(loss).collect();
    let must_leave = needed.iter().map(|fault| fault.began).min();
    if let Some(left) = stayed(timeline, loss, probe, must_leave.unwrap_or(Millis::MAX))? {
        return Ok(Err(left));
    }
    match needed.iter().min_by_key(|fault| fault.began) {
        Some(first) => {
            let back = needed.iter().map(|fault| fault.ended).max().unwrap_or(first.ended);
            left(timeline, loss, probe, first, back)
        }
        None => Ok(Ok(0)),
    }
}

/// How long its endpoint took to leave after the first loss of what it needs, or what is wrong until it is back.
fn left(
    timeline: &Timeline,
    loss: &Loss,
    probe: &Probe,
    first: &FaultFact,
    back: Millis,
) -> Result<Result<Millis, Case>, Unmeasured> {
    let (pod, began) = (loss.pod, first.began);
    let policy = timeline.plan().limits();
    let (_, partial) = timeline.between(Step::Loss, Step::Partial)?;
    let end = partial.min(back) - EDGE_MS;
    let store = &first.dependency;
    let wrong = |until, text| Ok(Err(Case::over((began, until), text, loss.faults[0].0)));
    let by = began + (policy.max_readiness_reaction_s * 1000.0) as Millis;
    let probes = || timeline.load.probes_of(pod, ProbeTarget::Readiness, (began, end));
    // What an exec probe says shows in the endpoint alone.
    if probe.can_be_asked() && !probes().any(|(_, said)| !said.succeeded() && said.from <= by) {
        let seconds = policy.max_readiness_reaction_s;
        return wrong(by, format!("{pod} said ready for {seconds} s without {store}"));
    }
    let limit_s = probe.out_s() + policy.max_endpoint_out_margin_s;
    let life = timeline
        .endpoint_lives
        .get(pod)
        .ok_or_else(|| Unmeasured::NotSeen(format!("{pod} was in no slice")))?;
    let Some(out) = life.first(false, began).filter(|at| (at - began) as f64 / 1000.0 <= limit_s) else {
        let due = began + (limit_s * 1000.0) as Millis;
        if due > back {
            let why = format!("{store} was back before {pod} had to be out of the Service ({limit_s} s)");
            return Err(Unmeasured::NotSeen(why));
        }
        return wrong(due, format!("{pod} stayed in the Service for {limit_s} s without {store}"));
    };
    let again =
        probes().find(|(_, said)| said.succeeded() && said.to > by).map(|(_, said)| said.from.max(by));
    if let Some(at) = again.or_else(|| life.first(true, out).filter(|at| *at < end)) {
        let text = format!("{pod} said ready again without {}", loss.away_at(at).join(" and "));
        return Ok(Err(Case::at(at, text, loss.faults[0].0)));
    }
    Ok(Ok(out - began))
}

/// What is wrong while it lacks only what it can go on without: that one store is lost, and nothing that it needs.
fn stayed(
    timeline: &Timeline,
    loss: &Loss,
    probe: &Probe,
    must_leave: Millis,
) -> Result<Option<Case>, Unmeasured> {
    let (_, end) = timeline.between(Step::Loss, Step::Loss)?;
    let window = (loss.first().began, end.min(loss.first().ended).min(must_leave));
    if window.0 >= window.1 {
        return Ok(None);
    }
    let left = timeline.endpoint_lives.get(loss.pod).and_then(|life| life.first(false, window.0));
    let (failing, _) = timeline.failing(loss.pod, ProbeTarget::Readiness, window);
    let lasting = failing.iter().find(|stretch| stretch.would_act(probe, [window.1].into_iter()));
    let refused = lasting.map(|stretch| (stretch.from, stretch.to));
    let during =
        refused.or_else(|| left.filter(|at| *at < window.1).map(|at| timeline.cause_of(Act::TookOut, at)));
    Ok(during.map(|during| {
        let text = format!("{} left without {} alone", loss.pod, loss.first().dependency);
        Case::over(during, text, loss.faults[0].0)
    }))
}
