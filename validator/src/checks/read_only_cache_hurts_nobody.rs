//! A cache that takes no writes costs nobody an answer.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Protocol;
use crate::evidence::{Failure, Fault, SecondFact};
use crate::plan::{Needs, Part};
use crate::timeline::{Degraded, Kind, Sought, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B220",
    slug: "read-only-cache-hurts-nobody",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "In a fail-over of Redis the old primary says READONLY for a while; who passes that on to users has made a cache into a single point of failure.",
    how: "Writes of one pod to Redis over connections that are open are answered `-READONLY` for 8 s, reads go on, and new connections work. Every request to the pod past the Service must get a right answer; 503 with Retry-After is a warning, since Redis may be the only store there is.",
    remedy: "Note that the cache could not be written, and answer; never fail a request for what a cache says.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::ReadOnlyCache]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    // One cache is enough: the run does it to the first one.
    let first = timeline.plan().dependencies.iter().find(|d| d.protocol == Protocol::Redis);
    let mut chosen = timeline.degraded(&Sought {
        fault: &is_read_only,
        due: &|dependency| first.is_some_and(|first| first.name == dependency.name),
        none: "no Redis dependency is declared",
    })?;
    let told = chosen.look(|one| answered(timeline, one));
    let (writes, any) = (told.iter().map(|(one, _)| one.fact.hits).sum::<u64>(), !told.is_empty());
    let answers: u64 = told.iter().map(|(_, (answers, _))| answers).sum();
    let cases = told.into_iter().flat_map(|(_, (_, cases))| cases);
    let (wrong, honest): (Vec<_>, Vec<_>) = cases.partition(|(_, is_wrong)| *is_wrong);
    let only = |cases: Vec<(Case, bool)>| cases.into_iter().map(|(case, _)| case);
    let pass = format!("{answers} requests were answered while {writes} writes to the cache failed");
    let finding = if wrong.is_empty() {
        Finding::warn_of(only(honest), pass)
    } else {
        Finding::unless(only(wrong), pass)
    };
    Ok(finding.beside(&chosen.open, any))
}

/// How many requests were answered by the pod, and those that were not as they should be, with whether not even honestly.
fn answered(timeline: &Timeline, one: &Degraded) -> Result<(u64, Vec<(Case, bool)>), Unmeasured> {
    let calls = timeline.calls.of(&one.fact.dependency, &one.fact.pod);
    if one.fact.hits == 0 && calls.within(one.during()) == 0 {
        return Err(Unmeasured::NotSeen(format!("{} did not call its cache meanwhile", one.name())));
    }
    if one.fact.hits == 0 {
        return Err(Unmeasured::NotDeclared(format!(
            "{}: the cache was warm, nothing was written",
            one.name()
        )));
    }
    let seconds = || timeline.load.direct_seconds(&one.fact.pod, one.during());
    let answers: u64 = seconds().map(|(_, second)| u64::from(second.due)).sum();
    if answers == 0 {
        return Err(Unmeasured::NotSeen("no request was sent to a pod alone meanwhile".into()));
    }
    Ok((answers, seconds().filter_map(|second| let_down(timeline, one, second)).collect()))
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
