//! A dependency that comes back is not run over.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Millis, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B209",
    slug: "recovery-without-stampede",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "All pods that reconnect and repeat at once take down what has just come up.",
    how: "In the 10 s after calls come back, or until the next fault there, once a trial went well and after the loss of everything: new connections and calls in any second, held against the same pod in the quiet phase (a pod that is alone in the Service for a moment carries the others' share as well).",
    remedy: "Bound the pool, let connections come one by one, and do not repeat what failed while the circuit was open.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang, Part::Loss]),
    judge,
};

/// What counts as just after.
const AFTER_MS: Millis = 10_000;

/// Calls are counted by the second.
const SECOND_MS: Millis = 1_000;

/// Pod-direct requests came on top, which the quiet phase did not have.
const DIRECT_PER_S: f64 = 10.0;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    timeline.tested_circuits()?;
    let quiet = timeline.between(Step::Quiet, Step::Quiet)?;
    let returns = returns(timeline);
    if returns.is_empty() {
        return Err(Unmeasured::NotSeen("no dependency came back".into()));
    }
    let mut wrong = Vec::new();
    let (mut most_opened, mut most_calls) = (0, 0);
    for Return { dependency, pod, at } in &returns {
        let calls = timeline.calls.of(dependency, pod);
        let after = (*at, calm_until(timeline, dependency, pod, *at).min(at + AFTER_MS));
        let (opened, per_second) = (calls.most_opened(after), calls.most_per_second(after));
        let (may_open, may_call) = limits(timeline, dependency, quiet, after);
        (most_opened, most_calls) = (most_opened.max(opened), most_calls.max(per_second));
        if f64::from(opened) > may_open || f64::from(per_second) > may_call {
            let text = format!(
                "{pod} -> {dependency}: {opened} connections (at most {may_open:.0}) and {per_second} calls (at most {may_call:.0}) in a second"
            );
            let line = calls.lines(after).next().unwrap_or_default();
            wrong.push(Case::over(after, text, line).of(pod).before(dependency));
        }
    }
    Ok(Finding::unless(wrong, format!("{} returns without a stampede", returns.len())).measured(
        format!("{most_opened} connections, {most_calls} calls in a second"),
        "twice the quiet phase's",
    ))
}

/// Until the next fault there: what that does to connections and calls is no part of the return. Seconds are counted whole.
fn calm_until(timeline: &Timeline, dependency: &str, pod: &str, at: Millis) -> Millis {
    let faults = timeline.faults.on(dependency, pod).map(|(_, fault)| fault.began);
    faults.filter(|began| *began > at).min().map_or(Millis::MAX, |next| (next - SECOND_MS).max(at))
}

/// Calls of one pod come back.
struct Return<'a> {
    dependency: &'a str,
    pod: &'a str,
    at: Millis,
}

fn returns<'a>(timeline: &'a Timeline) -> Vec<Return<'a>> {
    let trials = timeline.circuits.iter().flat_map(|circuit| {
        let good = circuit.trials.iter().filter(|trial| trial.is_good());
        good.filter_map(|trial| {
            Some(Return { dependency: circuit.dependency, pod: circuit.pod, at: trial.over()? })
        })
    });
    let mut returns: Vec<Return> = trials.collect();
    // One store is back before all are, and users only then.
    let recovery = timeline.step(Step::Recovery).map(|span| span.begin);
    for loss in timeline.losses().unwrap_or_default() {
        for (_, fault) in &loss.faults {
            let (dependency, pod) = (fault.dependency.as_str(), loss.pod);
            let calls = timeline.calls.of(dependency, pod);
            let moments = [Some(fault.ended), recovery].into_iter().flatten();
            returns.extend(moments.filter_map(|at| calls.first_after(at)).map(|at| Return {
                dependency,
                pod,
                at,
            }));
        }
    }
    returns
}

/// What one pod may open and call: its share when every pod carries the same, times the pods whose share it carries.
fn limits(
    timeline: &Timeline,
    dependency: &str,
    quiet: (Millis, Millis),
    after: (Millis, Millis),
) -> (f64, f64) {
    let policy = timeline.plan().limits();
    let pods = timeline.pods.iter().map(|pod| timeline.calls.of(dependency, &pod.name));
    let (open, calls) = pods.fold((0, 0), |(open, calls), of| {
        (open.max(of.most_open(quiet)), calls.max(of.most_per_second(quiet)))
    });
    let replicas = f64::from(timeline.plan().target.replicas.max(1));
    let share = replicas / timeline.fewest_ready(after).clamp(1.0, replicas);
    let factor = policy.max_stampede_factor * share;
    let connections = (f64::from(open) * factor).max(f64::from(policy.min_stampede_connections));
    (connections, f64::from(calls) * factor + DIRECT_PER_S * policy.max_stampede_factor)
}
