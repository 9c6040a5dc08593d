//! While circuits are open, users get the fallback at once.

use std::collections::BTreeMap;

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Class, Millis, RequestFact, SecondFact, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Circuit, Fallback, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B205",
    slug: "fallback-within-milliseconds",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "An open circuit that still lets users wait, or resets them, has only moved the outage.",
    how: "Requests through the Service from 0.5 s after the last circuit before a dependency opened until the first trial may come: a right answer, or 503 with Retry-After; of each request 99 % within the policy's limit, or twice what it takes in the quiet phase (seconds in which the run was disturbed left out), and none beyond 1 s, or twice as long.",
    remedy: "Answer from the cache, with an empty list, or with 503 and Retry-After, before anything of the database is touched.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang]),
    judge,
};

/// From the last opening until every pod must answer at once.
const SETTLED_MS: Millis = 500;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let limit = timeline.plan().limits().max_fallback_p99_ms;
    let users = |second: &SecondFact| second.class != Class::Direct;
    let mut load = Fallback::default();
    let mut cases: Vec<Case> = Vec::new();
    for (dependency, window) in windows(&timeline.opened_circuits()?) {
        let answers = timeline.load.fallback(window, users);
        if answers.total == 0 {
            let none =
                format!("no request went through the Service while circuits to {dependency} were open");
            return Err(Unmeasured::NotSeen(none));
        }
        load.merge(&answers);
        cases.extend(
            let_down(timeline, window).chain(waited(timeline, window)).map(|case| case.before(dependency)),
        );
        let line = timeline.step(Step::Hang).map_or(0, |span| span.line);
        for slower in timeline.slower(CHECK.rests_on, window, limit, users) {
            let text = format!("{} while circuits to {dependency} were open", timeline.slower_text(slower));
            cases.push(Case::over(window, text, line).before(dependency));
        }
    }
    let p99 = load.times.quantile_ms(0.99);
    let pass = format!("{} users got an answer or an honest 503; p99 {p99:.1} ms", load.total);
    Ok(Finding::unless(cases, pass)
        .measured(format!("p99 {p99:.1} ms"), format!("< {limit} ms, or twice the usual")))
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

/// Seconds in which users met neither an answer nor an honest 503.
fn let_down(timeline: &Timeline, window: (Millis, Millis)) -> impl Iterator<Item = Case> {
    let users = timeline.load.seconds_within(window).filter(|(_, second)| second.class != Class::Direct);
    users.filter_map(|(line, second)| {
        let answers = timeline.load.fallback_of(second);
        let text = format!("{} users of that second: {}", answers.total, answers.reasons()?);
        Some(Case::over(second.during(), text, line))
    })
}

/// Users who waited for more than a second, and twice as long as usual, or had no answer at all.
fn waited(timeline: &Timeline, (begin, end): (Millis, Millis)) -> impl Iterator<Item = Case> {
    let users = timeline.load.requests.iter().filter(|(_, r)| r.class != Class::Direct);
    let during = users.filter(move |(_, r)| (begin..=end).contains(&r.due));
    let waited = |r: &RequestFact| {
        r.took_ms > timeline.load.at_least_usual_ms(r.template, 1_000.0)
            || (r.outcome.is_telling() && !r.outcome.is_response())
    };
    let text =
        |r: &RequestFact| format!("{} after {:.1} s: {}", r.request, r.took_ms / 1000.0, r.outcome.name());
    during.filter(move |(_, r)| waited(r)).map(move |(line, r)| Case::over(r.during(), text(r), *line))
}
