//! Before anything was touched, the service answered.

use std::collections::BTreeMap;

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Outcome, Step};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E105",
    slug: "quiet-phase-answered",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "A load that the service does not answer in quiet proves nothing about rolls.",
    how: "Counts right answers before the first roll: of a request without `expect` those below 500, of which one at least must be below 400, and not most of them 401 or 403.",
    remedy: "Check the paths of the target file against the service, give the headers that it asks for, or `expect` what it answers; look at its state before the run.",
    rests_on: &[],
    judge,
};

/// So many refusals are no matter of single users.
const USUAL_SHARE: f64 = 0.5;

fn judge(timeline: &Timeline) -> Finding {
    let Some(baseline) = timeline.step(Step::Baseline) else {
        return Finding::inconclusive("there was no quiet phase");
    };
    let window = (baseline.begin, baseline.end.unwrap_or(baseline.begin));
    let load = timeline.load.all(window);
    let total = load.answered + load.lost;
    if total == 0 {
        return Finding::inconclusive("no request was answered in the quiet phase");
    }
    let unanswered: Vec<String> = timeline
        .load
        .answers(window)
        .into_iter()
        .filter_map(|(template, answers)| {
            let expect =
                timeline.plan().traffic.requests.get(template).is_some_and(|spec| !spec.expect.is_empty());
            let why = refusal(&answers).filter(|_| !expect)?;
            Some(format!("{}: {why}", timeline.request_name(template)))
        })
        .collect();
    if let Some(first) = unanswered.first() {
        return Finding::inconclusive(first.clone()).details(unanswered.iter().skip(1).cloned());
    }
    let share = load.answered as f64 / total as f64;
    let limit = timeline.plan().policy.min_baseline_share;
    let summary = format!("{} of {total} requests were answered in the quiet phase", load.answered);
    let finding = if share >= limit { Finding::pass(summary) } else { Finding::inconclusive(summary) };
    finding.measured(format!("{:.2} %", share * 100.0), format!(">= {:.0} %", limit * 100.0))
}

/// Why answers of one request prove nothing, and what to do about it.
fn refusal(answers: &BTreeMap<Outcome, u32>) -> Option<String> {
    let total: u32 = answers.values().sum();
    let (most, count) = answers.iter().max_by_key(|(_, count)| **count)?;
    let Outcome::Answered(status) = *most else { return None };
    let told = format!("{count} of {total} were answered with {status}");
    let usual = f64::from(*count) > USUAL_SHARE * f64::from(total);
    let right = answers.keys().any(|outcome| matches!(outcome, Outcome::Answered(status) if *status < 400));
    match status {
        401 | 403 if usual => Some(format!(
            "{told}: give `headers` (an authorization from a Secret or a file, or --header), or `expect: [{status}]` if that is right"
        )),
        400 | 426 if !right => Some(format!(
            "{told}: is it HTTPS or gRPC that is spoken there? The gate speaks HTTP/1.1; name another `port`, or `expect: [{status}]`"
        )),
        400..500 if !right => Some(format!("{told}: is the path right? If it is, say `expect: [{status}]`")),
        _ => None,
    }
}
