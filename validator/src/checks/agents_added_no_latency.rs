//! The middle agents did not make the service slower.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Step;
use crate::plan::Needs;
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E110",
    slug: "agents-added-no-latency",
    area: Area::Run,
    severity: Severity::Major,
    why: "A measure that changes what it measures tells of itself.",
    how: "The median of all requests through the Service with the middle agents, held against the median before they stood there: half a millisecond more, or a tenth of it.",
    remedy: "Run again on calmer nodes.",
    rests_on: &[],
    needs: Needs::Rolls,
    judge,
};

/// Of a slow service this share of its median is within what it varies by on its own.
const SHARE: f64 = 0.1;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let before = timeline.load.all(timeline.between(Step::Baseline, Step::Baseline)?);
    let behind = timeline.load.all(timeline.between(Step::Quiet, Step::Quiet)?);
    if before.answered == 0 || behind.answered == 0 {
        return Err(Unmeasured::NotSeen("no request was answered in one of the quiet phases".into()));
    }
    let (before, behind) = (before.times.quantile_ms(0.5), behind.times.quantile_ms(0.5));
    let limit = timeline.plan().limits().max_agent_latency_ms.max(before * SHARE);
    let summary = format!("median {before:.2} ms without and {behind:.2} ms with the middle agents");
    let holds = behind - before <= limit;
    let finding = if holds { Finding::pass(summary) } else { Finding::inconclusive(summary) };
    Ok(finding.measured(format!("{:+.2} ms", behind - before), format!("<= {limit:.2} ms")))
}
