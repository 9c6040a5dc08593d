//! A server without a connection to spare restarts nobody, and calls flow again once it has some.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Breaker;
use crate::evidence::{Failure, Fault, Millis, Step};
use crate::timeline::{Degraded, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B219",
    slug: "connection-limit-survived",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Whoever dies of `too many connections` comes back with more of them at once, and keeps the server full.",
    how: "The connections of one pod are cut once, and for about 3 s new ones are answered with SQLSTATE 53300, too_many_connections. Its container must not be started again, and its calls must flow within the policy's margin, beside the open time and a deadline where a breaker is declared.",
    remedy: "Treat a connection that is refused as a failed call: wait a little, try again; never end the process for it.",
    rests_on: &[
        Kind::Load,
        Kind::Watch,
        Kind::Validator,
        Kind::Agent,
        Kind::Record,
        Kind::Content,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    judge,
};

/// More than a trial or two.
const FEW: u32 = 2;

/// A process that dies of it is seen to have died within this time.
const DIES_MS: Millis = 10_000;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let all = timeline.degraded(is_limit, "no Postgres dependency refuses connections")?;
    let (mut cases, mut longest) = (Vec::new(), 0.0_f64);
    for one in &all {
        let about = |case: Case| case.of(&one.fact.pod).before(&one.fact.dependency);
        if let Some(case) = restarted(timeline, one) {
            cases.push(about(case));
            continue;
        }
        if one.fact.hits == 0 {
            return Err(Unmeasured::NotSeen(format!("{} opened no connection meanwhile", one.name())));
        }
        match flows_after(timeline, one)? {
            Ok(seconds) => longest = longest.max(seconds),
            Err(case) => cases.push(about(case)),
        }
    }
    let refused: u64 = all.iter().map(|one| one.fact.hits).sum();
    let pass = format!("{refused} connections were refused; calls flowed again within {longest:.1} s");
    Ok(Finding::unless(cases, pass).measured(format!("{longest:.1} s"), "no restart"))
}

fn is_limit(one: &Degraded) -> bool {
    matches!(&one.fact.fault, Fault::Fail { with: Failure::Startup(_), .. })
}

fn restarted(timeline: &Timeline, one: &Degraded) -> Option<Case> {
    let (began, ended) = one.during();
    let pod = timeline.pod(&one.fact.pod)?;
    let restart = pod.restarts.iter().find(|r| r.serves && (began..=ended + DIES_MS).contains(&r.at))?;
    let text = format!("{} was started again while new connections were refused", one.fact.pod);
    Some(Case::over((began, restart.at), text, restart.line))
}

/// How long after its end calls flowed, or what is wrong.
fn flows_after(timeline: &Timeline, one: &Degraded) -> Result<Result<f64, Case>, Unmeasured> {
    let ended = one.fact.ended;
    let margin = timeline.plan().policy.max_recovery_margin_s;
    let limit_s = margin + one.breaker.map_or(0.0, |breaker| breaker.open_for.0 + breaker.deadline.0);
    let calls = timeline.calls.of(&one.fact.dependency, &one.fact.pod);
    let flow = calls.flow_after(ended, one.breaker.map_or(FEW, Breaker::trials_per_pod));
    let took = flow.map(|at| (at - ended) as f64 / 1000.0);
    if let Some(seconds) = took.filter(|seconds| *seconds <= limit_s) {
        return Ok(Ok(seconds));
    }
    let due = ended + (limit_s * 1000.0) as Millis;
    let lost = timeline.step(Step::Loss).map(|span| span.begin).filter(|begin| *begin > ended);
    let lost = lost.unwrap_or(Millis::MAX);
    let next = timeline.faults.next_after(one.fact).unwrap_or(Millis::MAX);
    if lost.min(next) < due {
        let early = format!("{} had other troubles before its calls had to flow again", one.name());
        return Err(Unmeasured::NotSeen(early));
    }
    let text =
        format!("{} made no calls for {limit_s:.0} s after connections were to be had again", one.name());
    Ok(Err(Case::over((ended, flow.unwrap_or(due)), text, one.line)))
}
