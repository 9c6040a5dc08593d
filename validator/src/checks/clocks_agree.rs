//! The agents' clocks are known well enough to order events.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Fact;
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E103",
    slug: "clocks-agree",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "Requests and pod events are put on one time line.",
    how: "Each agent's clock is measured before and after the load through the port-forward; half of the shortest round trip is the uncertainty.",
    remedy: "Run again on calmer nodes.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let clocks: Vec<_> = timeline
        .evidence
        .numbered()
        .filter_map(|(line, fact)| match fact {
            Fact::Agent(agent) => Some((line, agent)),
            _ => None,
        })
        .collect();
    let Some((line, worst)) = clocks.iter().max_by(|a, b| a.1.uncertainty_ms.total_cmp(&b.1.uncertainty_ms))
    else {
        return Finding::inconclusive("no agent's clock was measured");
    };
    let drift = clocks
        .iter()
        .flat_map(|(_, a)| {
            clocks.iter().filter(|(_, b)| a.agent == b.agent).map(|(_, b)| (a.offset_ms - b.offset_ms).abs())
        })
        .fold(0.0, f64::max);
    // The middle agents' clocks put calls and faults on the same line.
    let middle = timeline.middle.standings.iter().filter_map(|(_, m)| m.standing.as_ref().ok());
    let uncertain = middle.map(|clock| clock.uncertainty_ms).fold(worst.uncertainty_ms, f64::max);
    let limit = timeline.plan().limits().max_clock_uncertainty_ms;
    let summary = format!("clocks known to {uncertain:.1} ms, drift {drift:.1} ms");
    let holds = uncertain <= limit && drift <= limit;
    let finding = if holds { Finding::pass(summary) } else { Finding::inconclusive(summary) };
    finding.measured(format!("{:.1} ms", uncertain.max(drift)), format!("<= {limit} ms")).lines([*line])
}
