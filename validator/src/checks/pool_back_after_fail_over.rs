//! After a fail-over the pool is back soon: connections to the old primary are not used for ever.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Protocol;
use crate::evidence::{Failure, Fault, Millis};
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B218",
    slug: "pool-back-after-fail-over",
    area: Area::Breaker,
    severity: Severity::Minor,
    why: "The old primary comes back as a replica and takes every connection that was open: a pool that keeps them fails each write until somebody restarts the pods.",
    how: "For 12 s writes of one pod over connections that were open when it began are answered with SQLSTATE 25006, read_only_sql_transaction; new connections work, and to `SHOW transaction_read_only` and `pg_is_in_recovery()` the old ones answer as a replica does. After the policy's time (9 s) no connection may be met that had been met a second or more before.",
    remedy: "Close a connection that answers 25006 (or 57P01, or class 08) instead of giving it back to the pool; or ask the server what it is before each use; ask for a primary when connecting (target_session_attrs=read-write).",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::FailOver]),
    judge,
};

/// So long before the end a refused write leaves it open whether others follow.
const LAST_MS: Millis = 3_000;

/// Writes over new connections that are no chance.
const SPARED: u64 = 3;

/// The same where one was refused so late: each of many old connections may be met only once.
const SPARED_LATE: u64 = 5;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut chosen = timeline.degraded(&Sought {
        fault: &is_fail_over,
        due: &|dependency| dependency.protocol == Protocol::Postgres,
        none: "no Postgres dependency fails over",
    })?;
    let told = chosen.look(|one| back(timeline, one));
    let refused: u64 = told.iter().map(|(one, _)| one.fact.hits).sum();
    let back = told.iter().filter_map(|(_, back)| back.as_ref().ok()).fold(0.0, |a: f64, b| a.max(*b));
    let any = !told.is_empty();
    let pass = format!("{refused} writes were refused, the last one {back:.1} s after the fail-over");
    let limit_s = timeline.plan().limits().max_pool_back_s;
    let finding = Finding::unless(told.into_iter().filter_map(|(_, back)| back.err()), pass)
        .counted("writes were refused: the pool was not back")
        .measured(format!("{refused} refused"), format!("none by the same connection after {limit_s} s"));
    Ok(finding.beside(&chosen.open, any))
}

/// Seconds to the last refused write, or what is wrong.
fn back(timeline: &Timeline, one: &Degraded) -> Result<Result<f64, Case>, Unmeasured> {
    let fact = one.fact;
    let by = fact.began + (timeline.plan().limits().max_pool_back_s * 1000.0) as Millis;
    if fact.met_again.is_some_and(|at| at > by) {
        let seconds = (fact.ended - fact.began) as f64 / 1000.0;
        let text = format!(
            "{} still used connections that had refused its writes, {seconds:.0} s after the fail-over",
            one.name()
        );
        let case = Case::over(one.during(), text, one.line);
        return Ok(Err(case.of(&fact.pod).before(&fact.dependency).times(fact.hits)));
    }
    let late = fact.last_hit.is_some_and(|at| at > by && at > fact.ended - LAST_MS);
    if late && fact.spared < SPARED_LATE {
        let still = format!(
            "{} was still refused at the end: too few writes to tell whether its pool was back",
            one.name()
        );
        return Err(Unmeasured::NotSeen(still));
    }
    if fact.spared < SPARED {
        return Err(no_write(timeline, one));
    }
    Ok(Ok(fact.last_hit.map_or(0.0, |at| (at - fact.began) as f64 / 1000.0)))
}

fn is_fail_over(one: &Degraded) -> bool {
    matches!(&one.fact.fault, Fault::Fail { with: Failure::FailOver, .. })
}

/// Why nothing is known: a circuit that is open lets no write through, and a service may have none.
fn no_write(timeline: &Timeline, one: &Degraded) -> Unmeasured {
    let calls = timeline.calls.of(&one.fact.dependency, &one.fact.pod);
    let (name, since) = (one.name(), one.fact.last_hit.unwrap_or(one.fact.began));
    if calls.within((since + 100, one.fact.ended)) == 0 {
        Unmeasured::NotSeen(format!("{name} made no more calls: whether its pool was back did not show"))
    } else if one.fact.hits + one.fact.spared == 0 {
        Unmeasured::NotDeclared(format!("{name}: the traffic writes nothing"))
    } else {
        let few = "wrote too little over new connections: whether its pool was back did not show";
        Unmeasured::NotSeen(format!("{name} {few}"))
    }
}
