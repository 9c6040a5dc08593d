//! What a run is judged by, before it stands in the plan.

use super::{Plan, Waivers};
use crate::config::GoLivePolicy;

/// What a run, or a look at manifests, is judged by.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The policy.
    pub policy: GoLivePolicy,
    /// Whether its waivers count.
    pub waivers: Waivers,
}

impl Rules {
    /// Puts them into a plan, in place of what stood there.
    pub fn govern(&self, plan: &mut Plan) {
        plan.policy.clone_from(&self.policy);
        plan.waivers = self.waivers;
    }
}
