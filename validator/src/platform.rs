//! Where a target runs: what an experiment needs of that place beside the agents, which it steers itself.

use std::future::Future;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::plan::Plan;
use crate::steer::{Agents, Back, Collector, Interposition, PodTable, RollEnd, Stays};

/// A target in its place. What a method has created stays until the caller cleans up, whatever it gives; every failure
/// is the environment's (exit 3).
pub trait Platform {
    /// What leads pods of the target to the agents.
    type Lead;
    /// The target under experiment.
    type Rollout: Roll;

    /// Starts the load agents and waits until each answers.
    fn agents(&self, plan: &Plan) -> impl Future<Output = Result<Agents, Failure>>;

    /// Watches the target from now on; waits until its pods are known.
    fn collect(&self, plan: &Plan) -> impl Future<Output = Result<Collector, Failure>>;

    /// Starts an agent before each dependency and waits until each answers. Nothing leads to them yet.
    fn interpose(
        &self,
        plan: &Plan,
        pods: watch::Receiver<PodTable>,
    ) -> impl Future<Output = Result<(Interposition, Self::Lead), Failure>>;

    /// Notes what the target is, so that it can be gone back to.
    fn rollout(
        &self,
        plan: &Plan,
        lead: &Self::Lead,
        pods: watch::Receiver<PodTable>,
    ) -> impl Future<Output = Result<Self::Rollout, Failure>>;

    /// Deletes one pod of the target as a drain of its node would: another one takes its place.
    fn delete(&self, pod: &str) -> impl Future<Output = Result<(), Failure>>;

    /// Takes the way back of a run that ends early; says what was done, if there was anything to do.
    fn go_back(&self, plan: &Plan, back: Back) -> impl Future<Output = Result<Option<String>, Failure>>;
}

/// Rolls of one target.
pub trait Roll {
    /// Brings the candidate, behind the agents, and waits for the end of the last pod before it; `progress` hears how
    /// many are gone, of how many.
    fn roll_in(
        &self,
        deadline: Instant,
        progress: impl FnMut(usize, usize),
    ) -> impl Future<Output = Result<RollEnd, Failure>>;

    /// Brings the template that is to stay, past the agents, and waits in the same way.
    fn roll_out(
        &self,
        stays: Stays,
        deadline: Instant,
        progress: impl FnMut(usize, usize),
    ) -> impl Future<Output = Result<RollEnd, Failure>>;

    /// Waits until somebody else has changed the target, and says who and when; for ever if nobody does.
    fn changed(&self) -> impl Future<Output = Failure>;
}
