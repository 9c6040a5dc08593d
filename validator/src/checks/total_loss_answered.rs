//! A pod that has lost its database altogether still answers at once.

use crate::check::{Area, Check, Finding, Severity};
use crate::config::Breaker;
use crate::evidence::{Fault, FaultFact};
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B211",
    slug: "total-loss-answered",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Refused connections fail fast, a black hole does not: both must open the circuit, and a lost cache must not make it worse.",
    how: "Pod by pod while its database refuses, resets or swallows everything: from the latest moment of the opening on, every answer below 500 or 503 with Retry-After and at once, but for one trial per open time.",
    remedy: "Count refused connections and time-outs as failures; bound the cache's calls below the answer's time.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    timeline.tested_circuits()?;
    let (mut wrong, mut answers, mut slowest) = (Vec::new(), 0, 0.0_f64);
    for loss in timeline.losses()? {
        for (line, fault) in &loss.faults {
            let Some((_, breaker)) = timeline.breakers().find(|(d, _)| d.name == fault.dependency) else {
                continue;
            };
            let result = Answers::new(timeline, fault, breaker);
            answers += result.total;
            slowest = slowest.max(result.p99);
            wrong.extend(
                result.text.map(|text| (*line, format!("{} without {}: {text}", loss.pod, fault.dependency))),
            );
        }
    }
    if answers == 0 {
        return Err(Unmeasured::NotSeen(
            "no request was sent to a pod alone while its database was away".into(),
        ));
    }
    let fail = wrong.first().map(|(_, text)| text.clone()).unwrap_or_default();
    let pass = format!("{answers} answers of pods without their database, p99 {slowest:.1} ms");
    Ok(Finding::when(wrong.is_empty(), pass, fail)
        .measured(format!("p99 {slowest:.1} ms"), format!("< {} ms", timeline.plan().policy.max_lost_p99_ms))
        .details(wrong.iter().skip(1).map(|(_, text)| text.clone()))
        .lines(wrong.iter().map(|(line, _)| *line)))
}

struct Answers {
    total: u64,
    p99: f64,
    text: Option<String>,
}

impl Answers {
    fn new(timeline: &Timeline, fault: &FaultFact, breaker: &Breaker) -> Self {
        let policy = &timeline.plan().policy;
        let open_by_s = breaker.opens_between_s().1 + 2.0 * policy.opening_late_s;
        let window = (fault.began + (open_by_s * 1000.0) as i64, fault.ended);
        let load = timeline.load.fallback(window, |second| second.pod.as_deref() == Some(fault.pod.as_str()));
        let direct = timeline.load.direct_requests(&fault.pod, window);
        let slow = direct.filter(|(_, r)| r.took_ms > 1_000.0).count();
        let p99 = load.times.quantile_ms(0.99);
        let trials = trials(fault, breaker);
        let text = if load.wrong > 0 {
            load.reasons()
        } else if slow > trials {
            Some(format!("{slow} answers took longer than 1 s, {trials} trials were due"))
        } else {
            (p99 >= policy.max_lost_p99_ms).then(|| format!("p99 {p99:.1} ms"))
        };
        Self { total: load.total, p99, text }
    }
}

/// Trials that may have to wait for the black hole: one round per open time.
fn trials(fault: &FaultFact, breaker: &Breaker) -> usize {
    let waits = fault.fault == Fault::Silence;
    let rounds = (fault.ended - fault.began) as f64 / 1000.0 / breaker.open_for.0;
    if waits { rounds as usize * breaker.trials as usize } else { 0 }
}
