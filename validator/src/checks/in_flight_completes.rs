//! What a pod has under way when it is told to stop, it finishes.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Fault, Held};
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S204",
    slug: "in-flight-completes",
    area: Area::Shutdown,
    severity: Severity::Major,
    why: "A statement that is given up at SIGTERM may have been done or not: the user does not know, and neither does anybody else.",
    how: "In the roll out some answers of the database are held for 2 s, never more than a quarter of a pod's connections; and no more of a pod that was told to stop 3 s ago: of those under way at the deletion of their pod, or begun by it later, none may be given up.",
    remedy: "Wait for requests in flight before the pool is closed; the shutdown budget is there for it.",
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
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    if timeline.breakers().next().is_none() {
        let why = "the target file declares no circuit breaker: no statement was held";
        return Err(Unmeasured::NotDeclared(why.into()));
    }
    timeline.data_stores().try_for_each(|store| timeline.trust.was_read(&store.name))?;
    let mut given_up = Vec::new();
    let mut total = 0;
    for (pod, termination) in timeline.terminations_out() {
        let under_way = |held: &&Held| held.to >= termination.at;
        for (line, fault) in timeline.faults.of_kind(|fault| matches!(fault, Fault::Hold { .. })) {
            if fault.pod != pod.name {
                continue;
            }
            for held in fault.held.iter().filter(under_way) {
                total += 1;
                let text = format!("{} gave up a statement at {}", fault.pod, fault.dependency);
                let case = Case::over((held.from, held.to), text, line);
                given_up.extend(held.given_up.then(|| case.of(&fault.pod).before(&fault.dependency)));
            }
        }
    }
    if total == 0 {
        return Err(Unmeasured::NotSeen(unheld(timeline).into()));
    }
    let pass = format!("{total} of {total} statements under way at the deletion or later were finished");
    Ok(Finding::unless(given_up, pass)
        .counted(format!("of {total} statements under way at the deletion or later were given up"))
        .tally("given up", "0"))
}

/// A pool of a few connections has none to spare: what we hold of it, users wait for.
fn unheld(timeline: &Timeline) -> &'static str {
    if timeline.faults.of_kind(|fault| matches!(fault, Fault::Hold { .. })).next().is_none() {
        "the pool is too small to hold a statement: a quarter of its connections is none"
    } else {
        "no statement was under way when a pod was told to stop"
    }
}
