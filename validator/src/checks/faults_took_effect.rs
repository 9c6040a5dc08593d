//! Every fault touched what it was meant to touch.

use crate::check::{Area, Check, Finding, Severity};
use crate::config::{Dependency, Protocol};
use crate::evidence::{Fault, FaultFact, Millis, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{PodLife, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E109",
    slug: "faults-took-effect",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "A service that withstood a fault that never happened has withstood nothing.",
    how: "Each fault on a pod that was alive must have met a statement, a byte or a connection: within the policy's time, a trial, a hold or a collector's within their own. Where calls had stopped before it, since the circuit was open from what had been done to the dependency before, a loss has nothing to touch: that is told. Of degraded dependencies the checks that rest on a fault say so themselves.",
    remedy: "Raise the rate, so that every pod calls every dependency; look at GL-E108.",
    rests_on: &[],
    needs: Needs::Rolls,
    judge,
};

/// Steps and faults are written down by different clocks, known to some milliseconds.
const CLOCKS_MS: Millis = 500;

/// Parts whose faults are looked at here.
const LOOKED_AT: [Part; 3] = [Part::Hang, Part::Collector, Part::Loss];

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    if timeline.plan().dependencies.is_empty() {
        return Err(Unmeasured::NotDeclared("the target file declares no dependency".into()));
    }
    // Of a step that not every run gets to, each check says itself when its fault met nothing.
    let degraded = timeline.step(Step::Degraded).map(|span| span.begin - CLOCKS_MS);
    let until = degraded.unwrap_or(Millis::MAX);
    let lost = timeline.step(Step::Loss).map_or(Millis::MAX, |span| span.begin - CLOCKS_MS);
    let all = timeline.faults.all.iter().filter(|(_, f)| f.began < until || f.began >= lost);
    let all: Vec<_> = all.copied().collect();
    // A call over HTTP without a breaker is only looked at: no step breaks it.
    let is_broken = |d: &Dependency| d.breaker.is_some() || d.protocol != Protocol::Http;
    if !timeline.plan().dependencies.iter().any(is_broken) {
        return Err(Unmeasured::NotDeclared("nothing that is declared is broken by any step".into()));
    }
    if all.is_empty() && !LOOKED_AT.iter().any(|part| timeline.plan().can_do(*part)) {
        return Err(Unmeasured::NotDeclared("no part was selected whose faults are looked at here".into()));
    }
    if all.is_empty() {
        return Err(Unmeasured::NotSeen("no fault was made".into()));
    }
    let (open, idle): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(|(_, fault)| !took_effect(timeline, fault))
        .partition(|(_, fault)| timeline.found_circuit_open(fault));
    let texts: Vec<String> = idle
        .iter()
        .map(|(_, f)| format!("{} on {} -> {} touched nothing", f.fault.name(), f.pod, f.dependency))
        .collect();
    let empty = all.iter().filter(|(_, fault)| fault.fault == Fault::Miss && fault.hits == 0).count();
    let finding = match texts.first() {
        Some(text) => Finding::inconclusive(text.clone()),
        None => Finding::pass(format!("{} faults took effect", all.len() - empty - open.len())),
    };
    let open = open.iter().map(|(_, f)| {
        let (name, pod, dependency) = (f.fault.name(), &f.pod, &f.dependency);
        format!("{name} on {pod} -> {dependency} found its circuit open: calls had stopped before it")
    });
    let unread = format!("{empty} times no cache was read: no read could be made to miss");
    Ok(finding
        .measured(format!("{} without effect", idle.len()), "0")
        .details(texts.into_iter().skip(1).take(5).chain((empty > 0).then_some(unread)).chain(open))
        .lines(idle.iter().map(|(line, _)| *line)))
}

fn took_effect(timeline: &Timeline, fault: &FaultFact) -> bool {
    let deleted = timeline.deleted(&fault.pod);
    let within = if has_time(timeline, fault) { fault.ended } else { fault.began + limit_ms(timeline) };
    match fault.first_hit {
        // Whoever never reads a cache has nothing to miss: no effect, and no flaw of the run.
        _ if fault.fault == Fault::Miss => true,
        Some(hit) => hit <= within,
        // A pod that was leaving, or had not begun, has nothing to be hit.
        None => fault.began + limit_ms(timeline) > deleted || !ready_during(timeline, fault),
    }
}

fn limit_ms(timeline: &Timeline) -> Millis {
    (timeline.plan().limits().max_fault_effect_s * 1000.0) as Millis
}

fn has_time(timeline: &Timeline, fault: &FaultFact) -> bool {
    let collector = |name: &str| {
        timeline.plan().dependencies.iter().any(|d| d.name == name && d.protocol == Protocol::Otlp)
    };
    !(fault.fault.is_loss() || matches!(fault.fault, Fault::Hang | Fault::Stall))
        || collector(&fault.dependency)
}

/// Only a hold is ordered for pods that have not begun to serve: the others meet pods in service.
fn ready_during(timeline: &Timeline, fault: &FaultFact) -> bool {
    let ready = timeline.pod(&fault.pod).and_then(PodLife::became_ready);
    !matches!(fault.fault, Fault::Hold { .. })
        || ready.is_some_and(|at| at + limit_ms(timeline) < fault.ended)
}
