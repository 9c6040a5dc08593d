//! A cache that takes no writes costs nobody an answer.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Failure, Fault, SecondFact};
use crate::timeline::{Degraded, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B220",
    slug: "read-only-cache-hurts-nobody",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "In a fail-over of Redis the old primary says READONLY for a while; who passes that on to users has made a cache into a single point of failure.",
    how: "Writes of one pod to Redis are answered `-READONLY` for 8 s, reads go on. Every request to the pod past the Service must get a right answer; 503 with Retry-After is a warning, since Redis may be the only store there is.",
    remedy: "Note that the cache could not be written, and answer; never fail a request for what a cache says.",
    rests_on: Kind::OF_BROKEN_CALLS,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let all = timeline.degraded(is_read_only, "no Redis dependency is declared")?;
    if all.iter().all(|one| one.fact.hits == 0) {
        return Err(Unmeasured::NotSeen("no cache was written meanwhile".into()));
    }
    let (mut wrong, mut honest, mut answers) = (Vec::new(), Vec::new(), 0);
    for one in &all {
        for (line, second) in timeline.load.direct_seconds(&one.fact.pod, one.during()) {
            answers += u64::from(second.due);
            let Some((case, is_wrong)) = let_down(timeline, one, (line, second)) else { continue };
            if is_wrong { &mut wrong } else { &mut honest }.push(case);
        }
    }
    if answers == 0 {
        return Err(Unmeasured::NotSeen("no request was sent to a pod alone meanwhile".into()));
    }
    let writes: u64 = all.iter().map(|one| one.fact.hits).sum();
    let pass = format!("{answers} requests were answered while {writes} writes to the cache failed");
    Ok(if wrong.is_empty() { Finding::warn_of(honest, pass) } else { Finding::unless(wrong, pass) })
}

fn is_read_only(one: &Degraded) -> bool {
    matches!(&one.fact.fault, Fault::Fail { with: Failure::ReadOnly, .. })
}

/// What was not answered as it should be in a second, and whether not even honestly.
fn let_down(
    timeline: &Timeline,
    one: &Degraded,
    (line, second): (usize, &SecondFact),
) -> Option<(Case, bool)> {
    let (lost, words) = timeline.load.lost_in(second);
    let is_wrong = timeline.load.fallback_of(second).wrong > 0;
    let text = format!("{} answered {words} while {} was read-only", one.fact.pod, one.fact.dependency);
    let case = Case::over(second.during(), text, line).of(&one.fact.pod).before(&one.fact.dependency);
    (lost > 0).then(|| (case.times(lost), is_wrong))
}
