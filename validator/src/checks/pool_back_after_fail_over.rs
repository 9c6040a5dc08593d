//! After a fail-over the pool is back soon: connections to the old primary are not used for ever.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Failure, Fault, Millis};
use crate::timeline::{Degraded, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B218",
    slug: "pool-back-after-fail-over",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "The old primary comes back as a replica and takes every connection that was open: a pool that keeps them fails each write until somebody restarts the pods.",
    how: "For 12 s writes of one pod over connections that were open when it began are answered with SQLSTATE 25006, read_only_sql_transaction; new connections work. In its last 3 s no connection may be met that had been met a second or more before.",
    remedy: "Close a connection that answers 25006 (or 57P01, or class 08) instead of giving it back to the pool; ask for a primary when connecting (target_session_attrs=read-write).",
    rests_on: Kind::OF_BROKEN_CALLS,
    judge,
};

/// The last part of the fault, in which the pool must be back.
const BACK_MS: Millis = 3_000;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let all = timeline.degraded(is_fail_over, "no Postgres dependency fails over")?;
    let (mut cases, mut back, mut refused) = (Vec::new(), 0.0_f64, 0);
    for one in &all {
        let fact = one.fact;
        refused += fact.hits;
        if fact.met_again.is_some_and(|at| fact.ended - at <= BACK_MS) {
            let seconds = (fact.ended - fact.began) as f64 / 1000.0;
            let text = format!(
                "{} still used connections that had refused its writes, {seconds:.0} s after the fail-over",
                one.name()
            );
            let case = Case::over(one.during(), text, one.line);
            cases.push(case.of(&fact.pod).before(&fact.dependency).times(fact.hits));
        } else if fact.spared == 0 {
            return Err(Unmeasured::NotSeen(no_write(timeline, one)));
        } else {
            back = back.max(fact.last_hit.map_or(0.0, |at| (at - fact.began) as f64 / 1000.0));
        }
    }
    let pass = format!("{refused} writes were refused, the last one {back:.1} s after the fail-over");
    Ok(Finding::unless(cases, pass).counted("writes were refused: the pool was not back").measured(
        format!("{refused} refused"),
        format!("none by the same connection in the last {:.0} s", BACK_MS as f64 / 1000.0),
    ))
}

fn is_fail_over(one: &Degraded) -> bool {
    matches!(&one.fact.fault, Fault::Fail { with: Failure::FailOver, .. })
}

/// Why nothing is known: a circuit that is open lets no write through, and a service may have none.
fn no_write(timeline: &Timeline, one: &Degraded) -> String {
    let calls = timeline.calls.of(&one.fact.dependency, &one.fact.pod);
    let (name, since) = (one.name(), one.fact.last_hit.unwrap_or(one.fact.began));
    if calls.within((since + 100, one.fact.ended)) == 0 {
        format!("{name} made no more calls: whether its pool was back did not show")
    } else {
        format!("{name} wrote nothing over new connections: whether its pool was back did not show")
    }
}
