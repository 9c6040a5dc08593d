//! A terminating pod accepts until every node knows that it leaves.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Class, Millis, Outcome, ProbeTarget, RequestFact};
use crate::plan::{Needs, Place};
use crate::timeline::{Kind, PodLife, Termination, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S205",
    slug: "drain-covers-propagation",
    area: Area::Shutdown,
    severity: Severity::Major,
    why: "Removing an endpoint takes seconds to reach every node; a listener that closes sooner refuses users that were still sent to it.",
    how: "New connections that were refused while a pod was leaving. When its listener closed is told by the first refused readiness probe, if that asks the serving port; the last call that the pod still made for somebody is told beside it. Times count from SIGTERM: from the deletion where nobody declares how long the preStop hook takes. With a candidate of another image only the ends of its own pods, in the roll out, are judged.",
    remedy: "Keep the listener open for some seconds after SIGTERM; the details say how many were needed here.",
    rests_on: &[Kind::Load, Kind::Watch, Kind::Validator, Kind::Agent, Kind::Target, Kind::Clock],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let ends: Vec<Drain> = timeline
        .terminations_judged()
        .iter()
        .filter_map(|(pod, end)| Drain::new(timeline, pod, end))
        .collect();
    let asked = timeline.terminations_judged().iter().any(|(_, end)| timeline.answered_during(end) > 0);
    if !asked {
        return Err(Unmeasured::NotSeen("no request was answered while a pod was leaving".into()));
    }
    let refused = refused(timeline, &ends);
    let seconds = |ms: Millis| ms as f64 / 1000.0;
    let soonest = ends.iter().map(|end| end.closed).min();
    let (pass, unit) = match soonest.map(seconds) {
        Some(soonest) => (
            format!("listeners stayed open for at least {soonest:.1} s, and no new connection was refused"),
            format!("refused, closed after {soonest:.1} s"),
        ),
        None => ("no new connection was refused while pods were leaving".to_owned(), "refused".to_owned()),
    };
    let cases = refused.iter().map(|(line, after, request)| {
        let text =
            format!("refused {:.1} s after SIGTERM to a pod{}", seconds(*after), timeline.pre_stop_text());
        Case::over(request.during(), text, *line)
    });
    Ok(Finding::unless(cases, pass)
        .counted("new connections were refused during the rolls")
        .tally(unit, "0 refused")
        .details(details(&ends, &refused)))
}

/// What was needed here: told by refused connections; without any, calls give a bound from above.
fn details(ends: &[Drain], refused: &[Refused]) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(out) = ends.iter().filter_map(|end| end.left_slice).max() {
        lines.push(format!(
            "endpoints left the EndpointSlice within {:.1} s of the deletion",
            out as f64 / 1000.0
        ));
    }
    if let Some(last) = refused.iter().map(|(_, after, _)| *after).max() {
        let needed = (last as f64 / 1000.0).ceil() + 1.0;
        lines.push(format!("keep accepting for at least {needed:.0} s after SIGTERM"));
    } else if let Some(last) = ends.iter().filter_map(|end| end.last_call).max() {
        lines.push(format!(
            "the last call before a listener closed came {:.1} s after SIGTERM, kept connections included",
            last as f64 / 1000.0
        ));
    }
    lines
}

/// The end of one pod's listener, in milliseconds after SIGTERM.
struct Drain {
    closed: Millis,
    /// When that was, and when the pod was gone.
    without: (Millis, Millis),
    /// The last call it made before that, at whatever dependency.
    last_call: Option<Millis>,
    /// When its endpoint was no longer ready, after the deletion.
    left_slice: Option<Millis>,
}

impl Drain {
    fn new(timeline: &Timeline, pod: &PodLife, termination: &Termination) -> Option<Self> {
        let at = termination.at;
        let told = timeline.sigterm(termination).earliest();
        let serving = timeline.plan().target.port;
        timeline.plan().target.readiness.as_ref().filter(|probe| probe.port() == Some(serving))?;
        let mut probes = timeline.load.probes_of(&pod.name, ProbeTarget::Readiness, (at, Millis::MAX));
        let closed = probes.find(|(_, p)| p.from > at && p.answer == Err("refused".into()))?.1.from;
        let calls = timeline.calls.of_pod(&pod.name).filter_map(|calls| calls.last_before(closed));
        let last_call = calls.max().filter(|last| *last > told).map(|last| last - told);
        let left_slice = timeline.endpoint_lives.get(&pod.name).and_then(|life| life.first(false, at));
        let (without, left_slice) =
            ((closed, termination.gone.unwrap_or(Millis::MAX)), left_slice.map(|left| left - at));
        Some(Self { closed: (closed - told).max(0), without, last_call, left_slice })
    }
}

/// The line of a new connection that was refused while a pod was leaving, how long after its SIGTERM, and the request.
type Refused<'a> = (usize, Millis, &'a RequestFact);

fn refused<'a>(timeline: &Timeline<'a>, ends: &[Drain]) -> Vec<Refused<'a>> {
    // The switch of a machine has accepted before it can know: it resets what a closed listener refuses.
    let switched = timeline.plan().place == Place::Machine;
    let closed = |at: Millis| ends.iter().any(|end| (end.without.0..=end.without.1).contains(&at));
    let is_refused = |request: &RequestFact| match request.outcome {
        Outcome::Refused => true,
        Outcome::Reset => switched && closed(request.due),
        _ => false,
    };
    let terminations = timeline.terminations_judged();
    let leaving = |at: Millis| {
        let on_its_way = |t: &&Termination| t.at <= at && t.gone.is_none_or(|gone| at <= gone);
        let after = |t: &Termination| (at - timeline.sigterm(t).earliest()).max(0);
        terminations.iter().map(|(_, t)| *t).filter(on_its_way).map(after).max()
    };
    let new = timeline.load.requests.iter().filter(|(_, r)| r.class == Class::New && is_refused(r));
    new.filter_map(|(line, request)| Some((*line, leaving(request.due)?, *request))).collect()
}
