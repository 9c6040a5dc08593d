//! While circuits are open, users get the fallback at once.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Class, Outcome};
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B205",
    slug: "fallback-within-milliseconds",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "An open circuit that still lets users wait, or resets them, has only moved the outage.",
    how: "Requests through the Service from 0.5 s after the last circuit opened until the first trial may come: an answer below 500, or 503 with Retry-After, 99 % within the policy's limit and none beyond 1 s.",
    remedy: "Answer from the cache, with an empty list, or with 503 and Retry-After, before anything of the database is touched.",
    judge,
};

/// From the last opening until every pod must answer at once.
const SETTLED_MS: i64 = 500;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let circuits = timeline.opened_circuits()?;
    let begin = circuits.iter().map(|(_, at)| at + SETTLED_MS).max().unwrap_or(i64::MAX);
    let end = circuits.iter().map(|(circuit, _)| circuit.hang.ended).min().unwrap_or(i64::MIN);
    let load = timeline.load.fallback((begin, end), |second| second.class != Class::Direct);
    if load.total == 0 {
        return Err(Unmeasured::NotSeen(
            "no request went through the Service while circuits were open".into(),
        ));
    }
    let slow: Vec<usize> = timeline
        .load
        .requests
        .iter()
        .filter(|(_, r)| r.class != Class::Direct && (begin..=end).contains(&r.due))
        .filter(|(_, r)| r.took_ms > 1_000.0 || !matches!(r.outcome, Outcome::Answered(_) | Outcome::Unsent))
        .map(|(line, _)| *line)
        .collect();
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
