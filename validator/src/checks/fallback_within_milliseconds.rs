//! While circuits are open, users get the fallback at once.

use std::collections::BTreeMap;

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Class, Millis, Outcome, RequestFact};
use crate::timeline::{Circuit, Fallback, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B205",
    slug: "fallback-within-milliseconds",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "An open circuit that still lets users wait, or resets them, has only moved the outage.",
    how: "Requests through the Service from 0.5 s after the last circuit before a dependency opened until the first trial may come: an answer below 500, or 503 with Retry-After, 99 % within the policy's limit and none beyond 1 s.",
    remedy: "Answer from the cache, with an empty list, or with 503 and Retry-After, before anything of the database is touched.",
    judge,
};

/// From the last opening until every pod must answer at once.
const SETTLED_MS: Millis = 500;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let mut load = Fallback::default();
    let mut slow: Vec<usize> = Vec::new();
    for (dependency, window) in windows(&timeline.opened_circuits()?) {
        let users = timeline.load.fallback(window, |second| second.class != Class::Direct);
        if users.total == 0 {
            let none =
                format!("no request went through the Service while circuits to {dependency} were open");
            return Err(Unmeasured::NotSeen(none));
        }
        load.merge(&users);
        slow.extend(waited(timeline, window));
    }
    let p99 = load.times.quantile_ms(0.99);
    let limit = timeline.plan().policy.max_fallback_p99_ms;
    let summary = format!("{} of {} users were let down; p99 {p99:.1} ms", load.wrong, load.total);
    let pass = format!("{} users got an answer or an honest 503; p99 {p99:.1} ms", load.total);
    Ok(Finding::when(load.wrong == 0 && slow.is_empty() && p99 < limit, pass, summary)
        .measured(
            format!("p99 {p99:.1} ms, {} beyond 1 s or without an answer", slow.len()),
            format!("< {limit} ms, 0"),
        )
        .details(load.reasons())
        .lines(slow))
}

/// When all circuits before one dependency were open; dependencies hang one after another.
fn windows<'a>(circuits: &[(&Circuit<'a>, Millis)]) -> BTreeMap<&'a str, (Millis, Millis)> {
    let mut windows = BTreeMap::new();
    for (circuit, opened) in circuits {
        let (begin, end) = windows.entry(circuit.dependency).or_insert((Millis::MIN, Millis::MAX));
        *begin = (*begin).max(opened + SETTLED_MS);
        *end = (*end).min(circuit.hang.ended);
    }
    windows
}

/// Lines of the users who waited for more than a second, or had no answer at all.
fn waited(timeline: &Timeline, (begin, end): (Millis, Millis)) -> impl Iterator<Item = usize> {
    let users = timeline.load.requests.iter().filter(|(_, r)| r.class != Class::Direct);
    let during = users.filter(move |(_, r)| (begin..=end).contains(&r.due));
    let waited =
        |r: &RequestFact| r.took_ms > 1_000.0 || !matches!(r.outcome, Outcome::Answered(_) | Outcome::Unsent);
    during.filter(move |(_, r)| waited(r)).map(|(line, _)| *line)
}
