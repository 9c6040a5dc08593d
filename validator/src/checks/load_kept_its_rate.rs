//! The load left on time.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Step;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E101",
    slug: "load-kept-its-rate",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "A load generator that falls behind sends least when the service hurts most (coordinated omission).",
    how: "Counts requests that left within the policy's lateness of the moment they were due.",
    remedy: "Run again on calmer nodes, or with a lower rate.",
    rests_on: &[],
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let Some((_, end)) = timeline.rolling().last().copied() else {
        return Finding::inconclusive("no roll was made");
    };
    let begin = timeline.step(Step::Baseline).map_or(0, |span| span.begin);
    let load = timeline.load.all((begin, end));
    if load.due == 0 {
        return Finding::inconclusive("no request was due");
    }
    let policy = &timeline.plan().policy;
    let share = load.on_time as f64 / load.due as f64;
    // While the agents learn what health pings are, no load is sent on purpose.
    let paused = timeline.span(Step::Learning).map_or(0, |(from, to)| to - from);
    let rate = load.due as f64 * 1000.0 / (end - begin - paused).max(1) as f64;
    let asked = timeline.plan().traffic.rate;
    let summary =
        format!("{:.2} % of {} requests left on time, {rate:.0}/s of {asked:.0}/s", share * 100.0, load.due);
    let measured = format!("{:.2} %, {rate:.0}/s", share * 100.0);
    let limit = format!(">= {:.0} %, >= {:.0}/s", policy.min_on_time_share * 100.0, asked * MIN_RATE_SHARE);
    let holds = share >= policy.min_on_time_share && rate >= asked * MIN_RATE_SHARE;
    let finding = if holds { Finding::pass(summary) } else { Finding::inconclusive(summary) };
    finding.measured(measured, limit)
}

/// The idle class draws its gaps at random, so the sum is not exact.
const MIN_RATE_SHARE: f64 = 0.95;
