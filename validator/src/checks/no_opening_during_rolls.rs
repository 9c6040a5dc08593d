//! No circuit opens while pods are replaced.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Fault, Millis, Step};
use crate::timeline::{PodLife, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B207",
    slug: "no-opening-during-rolls",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "A circuit that opens on every deploy is worse than no circuit.",
    how: "For each pod and dependency with a breaker, from 3 s after Ready to the deletion: no stretch of 3 s without a call, given that the load makes at least 5 calls a second per pod. In the second roll every read of a Redis dependency misses: a cold cache.",
    remedy: "Do not count as failures what a shutdown causes: cancelled calls, connections that the pool closes; warm the pool before Ready.",
    judge,
};

/// So long without a call looks like an open circuit.
const PAUSE_MS: Millis = 3_000;

/// Every node's proxy needs some time to learn of a new endpoint.
const SETTLED_MS: Millis = 3_000;

/// Below this a pause of 3 s may be chance.
const MIN_CALLS_PER_S: f64 = 5.0;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let stretches = stretches(timeline)?;
    let mut pauses = Vec::new();
    for (dependency, _) in timeline.breakers() {
        let name = dependency.name.as_str();
        enough_calls(timeline, name)?;
        for (pod, window) in timeline.pods.iter().flat_map(|pod| windows(pod, &stretches)) {
            let (pause, since) = timeline.calls.of(name, &pod.name).longest_pause(window);
            let text = format!("{}: no call at {name} for {:.1} s", pod.name, pause as f64 / 1000.0);
            let line = timeline.calls.of(name, &pod.name).lines((since - 1_000, since)).last();
            pauses.push((pause, text, line));
        }
    }
    let Some(longest) = pauses.iter().map(|(pause, ..)| *pause).max() else {
        return Err(Unmeasured::NotSeen("no pod was Ready for long enough".into()));
    };
    let wrong: Vec<_> = pauses.iter().filter(|(pause, ..)| *pause >= PAUSE_MS).collect();
    let fail = wrong.first().map(|(_, text, _)| text.clone()).unwrap_or_default();
    let missed: u64 = timeline.faults.of_kind(|fault| *fault == Fault::Miss).map(|(_, f)| f.hits).sum();
    let cold =
        (missed > 0).then(|| format!("{missed} reads of a cache were made to miss in the second roll"));
    Ok(Finding::when(wrong.is_empty(), "calls of every Ready pod went on all through both rolls", fail)
        .measured(format!("longest pause {:.1} s", longest as f64 / 1000.0), "< 3 s")
        .details(wrong.iter().skip(1).take(5).map(|(_, text, _)| text.clone()).chain(cold))
        .lines(wrong.iter().filter_map(|(.., line)| *line)))
}

/// Whether a pause would show at all.
fn enough_calls(timeline: &Timeline, dependency: &str) -> Result<(), Unmeasured> {
    if let Some(reason) = timeline.middle.why_not(dependency) {
        return Err(Unmeasured::NotSeen(reason));
    }
    let rate = timeline.quiet_calls_per_s(dependency)?;
    let few = || format!("{rate:.1} calls per second and pod at {dependency} are too few to tell a pause");
    if rate < MIN_CALLS_PER_S { Err(Unmeasured::NotSeen(few())) } else { Ok(()) }
}

/// The rolls without the pause of the load in between.
fn stretches(timeline: &Timeline) -> Result<[(Millis, Millis); 2], Unmeasured> {
    if timeline.breakers().next().is_none() {
        return Err(Unmeasured::NotDeclared("the target file declares no circuit breaker".into()));
    }
    Ok([timeline.between(Step::Roll1, Step::Roll1)?, timeline.between(Step::Quiet, Step::Tail)?])
}

/// When a pod that began behind the middle agents had to make calls.
fn windows<'p>(pod: &'p PodLife, stretches: &[(Millis, Millis); 2]) -> Vec<(&'p PodLife, (Millis, Millis))> {
    let Some(ready) = pod.became_ready().filter(|_| pod.first_seen >= stretches[0].0) else {
        return Vec::new();
    };
    let deleted = pod.termination.as_ref().map_or(Millis::MAX, |t| t.at);
    let cut = stretches.iter().map(|(begin, end)| ((ready + SETTLED_MS).max(*begin), deleted.min(*end)));
    cut.filter(|(begin, end)| end - begin >= PAUSE_MS).map(|window| (pod, window)).collect()
}
