//! Stands in the middle of every arrow that leaves the target: an agent before each of its dependencies.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Middle, PodTable};
use crate::evidence::Fact;
use crate::failure::Failure;
use crate::middle::{FaultOrder, MiddleStatus, Targets};

/// How long an agent may take to end its faults when a run ends early.
const CALM: Duration = Duration::from_secs(2);

/// The agents of one run.
pub struct Interposition {
    middles: Vec<Arc<Middle>>,
    /// Why there is none before some dependency.
    impossible: Vec<Fact>,
    lost: watch::Receiver<Option<String>>,
    /// Ends with this value: what keeps the agents told, and what listens to them.
    _keepers: JoinSet<()>,
}

impl Interposition {
    /// Of agents that answer. `keepers` is what else ends with it. Nothing leads to them yet: that is the roll in.
    pub(crate) fn new(
        middles: Vec<Arc<Middle>>,
        impossible: Vec<Fact>,
        pods: watch::Receiver<PodTable>,
        mut keepers: JoinSet<()>,
    ) -> Self {
        let (tell, lost) = watch::channel(None);
        for middle in &middles {
            keepers.spawn(listen(Arc::clone(middle), tell.clone()));
        }
        keepers.spawn(aim(middles.clone(), pods));
        Self { middles, impossible, lost, _keepers: keepers }
    }

    /// Names of the dependencies that have an agent.
    pub fn dependencies(&self) -> BTreeSet<&str> {
        self.middles.iter().map(|middle| middle.dependency.name.as_str()).collect()
    }

    /// What the agent of a dependency said last; empty for one without an agent.
    pub fn status(&self, dependency: &str) -> MiddleStatus {
        self.find(dependency).map(|middle| middle.status()).unwrap_or_default()
    }

    /// Changes the faults of a dependency; nothing happens for one without an agent.
    pub async fn order(
        &self,
        dependency: &str,
        change: impl FnOnce(&mut Vec<FaultOrder>),
    ) -> Result<(), Failure> {
        match self.find(dependency) {
            Some(middle) => middle.order(change).await,
            None => Ok(()),
        }
    }

    /// Ends every fault at every agent, at most in [`CALM`]. What does not take it ends its faults by itself, once it
    /// hears no more from here.
    pub async fn calm(&self) {
        let calmed = self.middles.iter().map(|middle| timeout(CALM, middle.order(Vec::clear)));
        for (middle, calmed) in self.middles.iter().zip(join_all(calmed).await) {
            if !matches!(calmed, Ok(Ok(()))) {
                tracing::warn!(agent = middle.told.name, "it does not take it that every fault is over");
            }
        }
    }

    /// While on, what the target sends is learned as health pings.
    pub async fn learn(&self, on: bool) -> Result<(), Failure> {
        for middle in &self.middles {
            middle.learn(on).await?;
        }
        Ok(())
    }

    /// Waits until an agent no longer answers, or is another one, and says so; for ever while all are well.
    pub async fn lost(&self) -> Failure {
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(what) => Failure::environment(what.clone().unwrap_or_default())
                .hint("look at its pod with `kubectl logs`; run again when the nodes are calm"),
            Err(_) => std::future::pending().await,
        }
    }

    /// What the agents have seen until now, on our clock. Faults in force are told as ended now.
    pub async fn evidence(&self) -> Vec<Fact> {
        let mut facts = self.impossible.clone();
        for middle in &self.middles {
            facts.extend(middle.evidence().await);
        }
        facts
    }

    fn find(&self, dependency: &str) -> Option<&Arc<Middle>> {
        self.middles.iter().find(|middle| middle.dependency.name == dependency)
    }
}

/// Keeps every agent told whose connections are the target's.
async fn aim(middles: Vec<Arc<Middle>>, mut pods: watch::Receiver<PodTable>) {
    loop {
        let of = |(pod, brief): (&String, &super::PodBrief)| {
            let origins = brief.origins.clone().into_iter();
            let pod = pod.clone();
            origins.map(move |origin| (origin, pod.clone()))
        };
        let targets: Targets = pods.borrow_and_update().iter().flat_map(of).collect();
        for middle in &middles {
            if let Err(error) = middle.aim(&targets).await {
                tracing::warn!(%error, agent = middle.told.name, "it does not take the list of pods");
            }
        }
        if pods.changed().await.is_err() {
            return;
        }
    }
}

/// Listens to one agent until it is lost, and tells why.
async fn listen(middle: Arc<Middle>, lost: watch::Sender<Option<String>>) {
    let why = middle.listen().await;
    lost.send_replace(Some(format!("middle agent {}: {why}", middle.told.name)));
}
