//! A server without a connection to spare restarts nobody, and calls flow again once it has some.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::{Breaker, Protocol};
use crate::evidence::{Failure, Fault, Millis, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B219",
    slug: "connection-limit-survived",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Whoever dies of `too many connections` comes back with more of them at once, and keeps the server full.",
    how: "The connections of one pod are cut once, and for 3 s new ones are answered with SQLSTATE 53300, too_many_connections. Its container must not be started again, and its calls must flow within the policy's margin, beside the open time and a deadline where a breaker is declared.",
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
    needs: Needs::Parts(&[Part::ConnectionLimit]),
    judge,
};

/// More than a trial or two.
const FEW: u32 = 2;

/// Calls flow when several come in so long a time.
const FLOW_MS: Millis = 2_000;

/// A process that dies of it is seen to have died within this time.
const DIES_MS: Millis = 10_000;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut chosen = timeline.degraded(&Sought {
        fault: &is_limit,
        due: &|dependency| dependency.protocol == Protocol::Postgres,
        none: "no Postgres dependency refuses connections",
    })?;
    let told = chosen.look(|one| survived(timeline, one));
    let longest = told.iter().filter_map(|(_, took)| took.as_ref().ok()).fold(0.0, |a: f64, b| a.max(*b));
    let (refused, any) = (told.iter().map(|(one, _)| one.fact.hits).sum::<u64>(), !told.is_empty());
    let pass = format!("{refused} connections were refused; calls flowed again within {longest:.1} s");
    let about = |(one, took): (Degraded, Result<f64, Case>)| {
        took.err().map(|case| case.of(&one.fact.pod).before(&one.fact.dependency))
    };
    let finding = Finding::unless(told.into_iter().filter_map(about), pass);
    Ok(finding.measured(format!("{longest:.1} s"), "no restart").beside(&chosen.open, any))
}

/// Seconds until calls flowed again, or what is wrong.
fn survived(timeline: &Timeline, one: &Degraded) -> Result<Result<f64, Case>, Unmeasured> {
    if let Some(case) = restarted(timeline, one) {
        return Ok(Err(case));
    }
    if one.fact.hits == 0 {
        return Err(Unmeasured::NotSeen(format!("{} opened no connection meanwhile", one.name())));
    }
    flows_after(timeline, one)
}

fn is_limit(one: &Degraded) -> bool {
    matches!(&one.fact.fault, Fault::Fail { with: Failure::Startup(_), .. })
}

fn restarted(timeline: &Timeline, one: &Degraded) -> Option<Case> {
    let (began, ended) = one.during();
    let pod = timeline.pod(&one.fact.pod)?;
    // What dies after the next fault has begun may have died of that.
    let until = (ended + DIES_MS).min(others(timeline, one));
    let restart = pod.restarts.iter().find(|r| r.serves && (began..=until).contains(&r.at))?;
    let text = format!("{} was started again while new connections were refused", one.fact.pod);
    Some(Case::over((began, restart.at), text, restart.line))
}

/// When something else was done to the pod.
fn others(timeline: &Timeline, one: &Degraded) -> Millis {
    let lost = timeline.step(Step::Loss).map(|span| span.begin).filter(|begin| *begin > one.fact.ended);
    let next = timeline.faults.next_after(one.fact);
    [lost, next].into_iter().flatten().min().unwrap_or(Millis::MAX)
}

/// How long after its end calls flowed, or what is wrong.
fn flows_after(timeline: &Timeline, one: &Degraded) -> Result<Result<f64, Case>, Unmeasured> {
    let ended = one.fact.ended;
    let margin = timeline.plan().limits().max_recovery_margin_s;
    let limit_s = margin + one.breaker.map_or(0.0, |breaker| breaker.open_for.0 + breaker.deadline.0);
    let calls = timeline.calls.of(&one.fact.dependency, &one.fact.pod);
    let flow = calls.flow_after(ended, one.breaker.map_or(FEW, Breaker::trials_per_pod));
    let took = flow.map(|at| (at - ended) as f64 / 1000.0);
    if let Some(seconds) = took.filter(|seconds| *seconds <= limit_s) {
        return Ok(Ok(seconds));
    }
    let due = ended + (limit_s * 1000.0) as Millis;
    timeline.telling_pause(&one.fact.dependency, FLOW_MS)?;
    if others(timeline, one) < due {
        let early = format!("{} had other troubles before its calls had to flow again", one.name());
        return Err(Unmeasured::NotSeen(early));
    }
    let text =
        format!("{} made no calls for {limit_s:.0} s after connections were to be had again", one.name());
    Ok(Err(Case::over((ended, flow.unwrap_or(due)), text, one.line)))
}
