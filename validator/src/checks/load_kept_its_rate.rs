//! The load left on time.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Millis, Step};
use crate::plan::Needs;
use crate::timeline::{LateSecond, Timeline, Unmeasured, late_seconds};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E101",
    slug: "load-kept-its-rate",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "A load generator that falls behind sends least when the service hurts most (coordinated omission).",
    how: "Second by second and agent by agent, over the whole run: a second is late when more than 5 % of its requests, and more than one, left later than the policy allows. What fails in a late second is not held against the service, so some late seconds do no harm; too many of them, or too few requests, leave nothing to judge.",
    remedy: "Run again on calmer nodes, or with a lower rate.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

/// The idle class draws its gaps at random, so the sum is not exact.
const MIN_RATE_SHARE: f64 = 0.95;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let window = whole(timeline)?;
    let (seconds, late) = late_seconds(timeline.evidence, window);
    if seconds == 0 {
        return Err(Unmeasured::NotSeen("no request was due".into()));
    }
    let on_time = 1.0 - late.len() as f64 / seconds as f64;
    let (rate, asked) = (rate(timeline, window), timeline.plan().traffic.rate);
    let least = timeline.plan().limits().min_on_time_share;
    let summary =
        format!("{} of {seconds} seconds of load were late, {rate:.0}/s of {asked:.0}/s", late.len());
    let holds = on_time >= least && rate >= asked * MIN_RATE_SHARE;
    let finding = if holds { Finding::pass(summary) } else { Finding::inconclusive(summary) };
    Ok(finding
        .measured(
            format!("{:.2} % of the seconds on time, {rate:.0}/s", on_time * 100.0),
            format!(">= {:.0} %, >= {:.0}/s", least * 100.0, asked * MIN_RATE_SHARE),
        )
        .details(told(timeline, &late)))
}

/// From the begin of the first step to the end of the last one that ended.
fn whole(timeline: &Timeline) -> Result<(Millis, Millis), Unmeasured> {
    let begin = timeline.steps.first().map(|span| span.begin);
    let end = timeline.steps.iter().filter_map(|span| span.end).max();
    begin.zip(end).ok_or_else(|| Unmeasured::NotSeen("no step was done".into()))
}

/// Requests per second through the Service. While the agents learn what health pings are, none is sent on purpose.
fn rate(timeline: &Timeline, window: (Millis, Millis)) -> f64 {
    let paused = timeline.span(Step::Learning).map_or(0, |(from, to)| to - from);
    let took = (window.1 - window.0 - paused).max(1);
    timeline.load.all(window).due as f64 * 1000.0 / took as f64
}

/// The late seconds by the time since the begin of the run, in seconds; those of one agent side by side in one line.
fn told(timeline: &Timeline, late: &[LateSecond]) -> Vec<String> {
    let mut agents: Vec<&str> = late.iter().map(|second| second.agent).collect();
    agents.sort_unstable();
    agents.dedup();
    let since = |second: &LateSecond| (second.at - timeline.evidence.header.started) / 1000;
    let line = |agent: &str| {
        let mine = late.iter().filter(|second| second.agent == agent);
        let all = mine.clone().count();
        let first: Vec<String> = mine
            .take(MAX_TOLD)
            .map(|second| format!("{} ({} of {})", since(second), second.late, second.due))
            .collect();
        let more = if all > MAX_TOLD { format!(" and {} more", all - MAX_TOLD) } else { String::new() };
        format!("{agent} was late in second {}{more}", first.join(", "))
    };
    agents.into_iter().map(line).collect()
}

/// Late seconds of one agent that are named.
const MAX_TOLD: usize = 12;
