//! The target's connections went through the middle agents.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Step;
use crate::plan::Needs;
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-E108",
    slug: "connections-came-through",
    area: Area::Run,
    severity: Severity::Blocker,
    why: "A fault in front of a dependency that the pods reach by another way breaks nothing, and proves nothing.",
    how: "Every pod that was Ready in the quiet phase must have had a connection by then at each declared dependency's middle agent.",
    remedy: "Let the target connect by the declared name: a mesh, an address, an SRV record or a resolver that skips /etc/hosts passes the agents by.",
    rests_on: &[],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let dependencies = &timeline.plan().dependencies;
    if dependencies.is_empty() {
        return Err(Unmeasured::NotDeclared("the target file declares no dependency".into()));
    }
    dependencies.iter().try_for_each(|d| timeline.trust.was_connected(&d.name))?;
    let quiet = timeline.between(Step::Quiet, Step::Quiet)?;
    let pods = timeline.pods_ready_through(quiet);
    let told = |name: &str| {
        let bare = timeline.unconnected(name).into_iter();
        bare.map(|pod| format!("{pod} had no connection to {name}")).collect::<Vec<_>>()
    };
    let missing: Vec<String> = dependencies.iter().flat_map(|d| told(&d.name)).collect();
    if pods.is_empty() || !missing.is_empty() {
        let reason = missing.first().cloned().unwrap_or_else(|| "no pod was Ready in the quiet phase".into());
        return Ok(Finding::inconclusive(reason).details(missing.into_iter().skip(1)));
    }
    let summary = format!("{} pods were connected through {} middle agents", pods.len(), dependencies.len());
    Ok(Finding::pass(summary).measured("0 missing", "0"))
}
