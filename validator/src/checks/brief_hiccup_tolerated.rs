//! A short hiccup does not open the circuit.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Fault, FaultFact, Millis, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B208",
    slug: "brief-hiccup-tolerated",
    area: Area::Breaker,
    severity: Severity::Minor,
    why: "A network that stands still for a second happens every day; a circuit that opens for it turns one second into the whole open time.",
    how: "Everything to the database of one pod stands still for 1, 2 and 5 s; calls that stop for 5 s afterwards (80 % of openFor if that is less) mean that the circuit opened. A restart of the database, 2 s without connections, is told beside it.",
    remedy: "Widen the window or raise errorRate, so that a hiccup stays below the share that opens.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang, Part::Hiccups]),
    judge,
};

/// Calls that stop for so long after a hiccup were stopped by the circuit, if the open time is not shorter.
const OPEN_MS: Millis = 5_000;

/// Looked at after a hiccup; the next one comes 12 s after it at the earliest.
const AFTER_MS: Millis = 10_000;

/// A fault is taken back some milliseconds after it is due.
const SLACK_MS: f64 = 300.0;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    timeline.tested_circuits()?;
    let (begin, end) = timeline.between(Step::Trials, Step::Trials)?;
    let breakers: Vec<&str> = timeline.breakers().map(|(dependency, _)| dependency.name.as_str()).collect();
    let hiccups: Vec<_> = timeline
        .faults
        .of_kind(|fault| matches!(fault, Fault::Stall | Fault::Refuse))
        .filter(|(_, f)| (begin..=end).contains(&f.began) && breakers.contains(&f.dependency.as_str()))
        .collect();
    let brief_ms = timeline.plan().limits().max_hiccup_s * 1000.0 + SLACK_MS;
    let is_brief = |f: &FaultFact| f.fault == Fault::Stall && (f.ended - f.began) as f64 <= brief_ms;
    let brief: Vec<_> = hiccups.iter().filter(|(_, f)| is_brief(f)).collect();
    if brief.is_empty() {
        return Err(Unmeasured::NotSeen("no brief hiccup was made".into()));
    }
    brief.iter().try_for_each(|(_, f)| timeline.telling_pause(&f.dependency, OPEN_MS).map(drop))?;
    let opened: Vec<_> = brief.iter().filter(|(_, f)| has_opened(timeline, f)).collect();
    let cases = opened.iter().map(|(line, f)| {
        let during = (f.began, f.ended + AFTER_MS);
        Case::over(during, advice(timeline, f), *line).of(&f.pod).before(&f.dependency)
    });
    let limit_s = timeline.plan().limits().max_hiccup_s;
    let pass = format!("{} hiccups of up to {limit_s} s opened no circuit", brief.len());
    Ok(Finding::unless(cases, pass)
        .tally(format!("of {} opened it", brief.len()), "0")
        .details(hiccups.iter().map(|(_, fault)| told(timeline, fault))))
}

fn advice(timeline: &Timeline, fault: &FaultFact) -> String {
    let declared = timeline.breakers().find(|(d, _)| d.name == fault.dependency);
    let open_for = declared.map_or(0.0, |(_, breaker)| breaker.open_for.0);
    let took = seconds(fault);
    format!(
        "a hiccup of {took:.1} s opened the circuit for {open_for} s: widen the window or raise errorRate"
    )
}

fn seconds(fault: &FaultFact) -> f64 {
    (fault.ended - fault.began) as f64 / 1000.0
}

/// Whether calls stopped after a hiccup for as long as only a circuit stops them.
fn has_opened(timeline: &Timeline, fault: &FaultFact) -> bool {
    timeline.telling_pause(&fault.dependency, OPEN_MS).is_ok_and(|limit| pause(timeline, fault) >= limit)
}

/// The longest pause of calls after a hiccup, before the next fault.
fn pause(timeline: &Timeline, fault: &FaultFact) -> Millis {
    let next = timeline.faults.next_after(fault).unwrap_or(Millis::MAX);
    let window = (fault.ended, next.min(timeline.deleted(&fault.pod)).min(fault.ended + AFTER_MS));
    timeline.calls.of(&fault.dependency, &fault.pod).longest_pause(window).0
}

fn told(timeline: &Timeline, fault: &FaultFact) -> String {
    let kind = if fault.fault == Fault::Stall { "hiccup" } else { "restart" };
    let window = (fault.began, fault.ended + AFTER_MS);
    let all = timeline.load.fallback(window, |second| second.pod.as_deref() == Some(fault.pod.as_str()));
    let in_full: Vec<_> = timeline.load.direct_requests(&fault.pod, window).map(|(_, r)| r).collect();
    let slowest = in_full.iter().map(|r| r.took_ms).fold(all.times.quantile_ms(1.0), f64::max) / 1000.0;
    let failed: Vec<Millis> =
        in_full.iter().filter(|r| timeline.load.is_lost(r.template, r.outcome)).map(|r| r.due).collect();
    let over =
        failed.iter().max().zip(failed.iter().min()).map_or_else(String::new, |(last, first)| {
            format!(" over {:.1} s", (last - first) as f64 / 1000.0)
        });
    let circuit =
        if has_opened(timeline, fault) { "the circuit opened" } else { "the circuit stayed closed" };
    format!(
        "{kind} of {:.1} s: {} of {} requests failed{over}, slowest {slowest:.1} s, {circuit}",
        seconds(fault),
        failed.len(),
        all.total
    )
}
