//! What the policy allows manifests to have, for a time.

use super::declared::is_read;
use super::{Hit, RULES};
use crate::config::{Day, Waiver};
use crate::plan::{Rules, Waivers};
use crate::report::{WaiverLine, WaiverState};

/// Waives what may be waived on this day. Told are the waivers of what can be read from manifests whose scope one of the
/// workloads (namespace and name) is in: of the others a look at manifests cannot tell whether they are needed.
pub(super) fn apply(
    rules: &Rules,
    today: Day,
    workloads: &[(String, String)],
    findings: &mut [Hit],
) -> Vec<WaiverLine> {
    let is_told = |waiver: &&Waiver| {
        let code = waiver.check.as_str();
        (is_read(code) || RULES.iter().any(|rule| rule.id == code))
            && workloads.iter().any(|(namespace, name)| waiver.scope.covers(namespace, name))
    };
    let ours = rules.policy.spec.waivers.iter().filter(is_told);
    ours.map(|waiver| WaiverLine::new(waiver, used(waiver, rules.waivers, today, findings))).collect()
}

fn used(waiver: &Waiver, count: Waivers, today: Day, findings: &mut [Hit]) -> WaiverState {
    if count == Waivers::Ignored {
        return WaiverState::Ignored;
    }
    if waiver.until < today {
        return WaiverState::Expired;
    }
    let mut state = WaiverState::Unused;
    for hit in findings.iter_mut().filter(|hit| hit.rule == waiver.check.as_str() && hit.waived.is_none()) {
        if waiver.scope.covers(&hit.namespace, hit.name()) {
            hit.waived = Some(format!("until {} by {}: {}", waiver.until, waiver.approver, waiver.reason));
            state = WaiverState::Used;
        }
    }
    state
}
