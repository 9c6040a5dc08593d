//! What every step of the experiment works with.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::sync::{RwLock, watch};
use tokio::time::{Instant, sleep};

use super::circuit::Circuit;
use super::faults::Faults;
use super::step_log::StepLog;
use super::usual::Usual;
use crate::config::{Dependency, Protocol};
use crate::failure::Failure;
use crate::load::{DirectPlan, DirectPod};
use crate::plan::Plan;
use crate::platform::Platform;
use crate::pulse::Pulse;
use crate::steer::{Agents, Collector, Interposition, PodBrief, PodTable, Target};

/// Requests per second to each pod past the Service.
const DIRECT_RATE: f64 = 10.0;

/// The same when each has its trace: with the others below it stays below what services take from a caller that wants
/// everything traced (20 per second and pod in ours).
const TRACED_RATE: f64 = 6.0;

/// Of the traced requests through the Service beside those: kept connections may gather on one pod, such as the first
/// that was back after an outage, and all of them with it.
const BESIDE_TRACED: f64 = 0.25;

/// The same in the quiet phase, where the requests through the Service are what is looked at.
const MET_RATE: f64 = 1.0;

/// What steps need to know of a platform.
pub(super) trait DeletePod {
    /// As [`Platform::delete`].
    fn delete_pod<'s>(&'s self, pod: &'s str) -> LocalBoxFuture<'s, Result<(), Failure>>;
}

impl<P: Platform> DeletePod for P {
    fn delete_pod<'s>(&'s self, pod: &'s str) -> LocalBoxFuture<'s, Result<(), Failure>> {
        self.delete(pod).boxed_local()
    }
}

/// The parts of a run that steps share.
pub(super) struct RunContext<'a> {
    pub(super) platform: &'a dyn DeletePod,
    pub(super) target: &'a Target,
    pub(super) plan: &'a Plan,
    pub(super) agents: &'a Agents,
    pub(super) middle: &'a Interposition,
    pub(super) collector: &'a Collector,
    pub(super) pods: watch::Receiver<PodTable>,
    pub(super) faults: Faults<'a>,
    pub(super) step_log: &'a StepLog,
    pub(super) pulse: &'a Pulse,
    /// How long requests take while nobody disturbs them.
    pub(super) usual: Usual,
    /// Written while clients are impatient, read by what needs patient ones: there is one load for all pods.
    pub(super) impatience: RwLock<()>,
}

impl RunContext<'_> {
    /// Dependencies with an agent before them.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = &Dependency> {
        let standing = self.middle.dependencies();
        self.plan.dependencies.iter().filter(move |d| standing.contains(d.name.as_str()))
    }

    /// Dependencies that can be broken, and whose breaker is declared.
    pub(super) fn circuits(&self) -> Vec<(&str, Circuit)> {
        let per_pod = self.requests_per_pod();
        let declared = |d: &'_ Dependency| d.breaker.as_ref().map(|breaker| Circuit::new(breaker, per_pod));
        self.dependencies().filter_map(|d| Some((d.name.as_str(), declared(d)?))).collect()
    }

    /// Requests per second to each pod, those past the Service included.
    pub(super) fn requests_per_pod(&self) -> f64 {
        self.plan.traffic.rate / f64::from(self.plan.target.replicas.max(1)) + DIRECT_RATE
    }

    /// Dependencies that are taken away altogether.
    pub(super) fn stores(&self) -> Vec<&str> {
        self.dependencies().filter(|d| d.protocol.can_be_lost()).map(|d| d.name.as_str()).collect()
    }

    /// Where the spans go.
    pub(super) fn collector(&self) -> Option<&str> {
        self.dependencies().find(|d| d.protocol == Protocol::Otlp).map(|d| d.name.as_str())
    }

    /// Dependencies whose reads can be made to miss.
    pub(super) fn caches(&self) -> Vec<&str> {
        self.dependencies().filter(|d| d.protocol == Protocol::Redis).map(|d| d.name.as_str()).collect()
    }

    /// The pods that serve now, by name.
    pub(super) fn serving(&self) -> Vec<String> {
        let pods = self.pods.borrow();
        let serving = pods.iter().filter(|(_, pod)| pod.ip.is_some() && !pod.leaving && pod.ready);
        serving.map(|(name, _)| name.clone()).collect()
    }

    /// Whether some agent has seen some pod that serves.
    pub(super) fn is_seen(&self) -> bool {
        self.has_seen(&self.serving())
    }

    /// Whether some agent has seen some pod that is led to it, ready or not.
    pub(super) fn is_led_seen(&self) -> bool {
        let led: Vec<String> = {
            let pods = self.pods.borrow();
            pods.iter().filter(|(_, pod)| pod.led).map(|(name, _)| name.clone()).collect()
        };
        self.has_seen(&led)
    }

    fn has_seen(&self, pods: &[String]) -> bool {
        let seen = |pod: &String| {
            self.dependencies().any(|dependency| {
                let now = self.middle.status(&dependency.name);
                now.pods.get(pod).is_some_and(|now| u64::from(now.open) + now.calls + now.pings > 0)
            })
        };
        pods.iter().any(seen)
    }

    /// Whether as many pods are ready as there should be.
    pub(super) fn all_in(&self) -> bool {
        self.serving().len() >= usize::try_from(self.plan.target.replicas).unwrap_or(usize::MAX)
    }

    /// Sends requests past the Service to these pods from now on.
    pub(super) async fn direct(&self, pods: &[String]) -> Result<(), Failure> {
        self.ask(pods, DIRECT_RATE, None).await
    }

    /// The same, with a trace of each: it is the pods' end that is watched.
    pub(super) async fn direct_to_the_end(&self, pods: &[String]) -> Result<(), Failure> {
        self.ask(pods, TRACED_RATE, Some(BESIDE_TRACED)).await
    }

    /// So few that no pod is without a trace, and none has more of them to make because of us.
    pub(super) async fn meet(&self, pods: &[String]) -> Result<(), Failure> {
        self.ask(pods, MET_RATE, Some(1.0)).await
    }

    async fn ask(&self, pods: &[String], rate: f64, traced: Option<f64>) -> Result<(), Failure> {
        self.agents.direct(&DirectPlan { pods: self.aimed(pods), rate, traced }).await
    }

    /// Those of the pods that are there, with their addresses.
    fn aimed(&self, pods: &[String]) -> Vec<DirectPod> {
        let (port, table) = (self.plan.target.port, self.pods.borrow());
        let there = pods.iter().filter_map(|pod| Some((pod, table.get(pod)?)));
        let one = |(pod, brief): (&String, &PodBrief)| {
            Some(DirectPod { pod: pod.clone(), ip: brief.ip?, port: brief.port(port) })
        };
        there.filter_map(one).collect()
    }

    /// Waits for something that the watches or the agents show; says whether it came in time.
    pub(super) async fn wait_for(&self, at_most: Duration, mut what: impl FnMut(&Self) -> bool) -> bool {
        let deadline = Instant::now() + at_most;
        while Instant::now() < deadline {
            if what(self) {
                return true;
            }
            sleep(Duration::from_millis(100)).await;
        }
        false
    }
}
