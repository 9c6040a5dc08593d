//! Stands in the middle of every arrow that leaves the target: an agent before each of its dependencies.

mod keepers;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use k8s_openapi::api::core::v1::HostAlias;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::guardian::Guardian;
use super::middle_link::Middle;
use super::site::{Place, Site};
use super::{Cluster, PodTable, aliases, middle_objects};
use crate::config::Dependency;
use crate::evidence::{Fact, MiddleFact};
use crate::failure::Failure;
use crate::middle::{FaultOrder, MiddleStatus};
use crate::moment::now;
use crate::plan::Plan;

/// How long the agents may need until they answer.
const START: Duration = Duration::from_secs(90);

/// How long an agent may take to end its faults when a run ends early.
const CALM: Duration = Duration::from_secs(2);

/// How long the endpoints of an agent's Service may need to show its pod.
const FOLLOW: Duration = Duration::from_secs(20);

/// The agents of one run.
pub struct Interposition {
    middles: Vec<Arc<Middle>>,
    aliases: Vec<HostAlias>,
    impossible: Vec<Fact>,
    lost: watch::Receiver<Option<String>>,
    /// Ends with this value: what keeps the agents told, and what listens to them.
    _keepers: JoinSet<()>,
}

impl Interposition {
    /// Creates the guardian and the agents, and waits until the guardian runs, each agent reaches its dependency and
    /// each Service has its agent behind it. Nothing leads to them yet: that is the roll in.
    ///
    /// # Errors
    /// Exit 3 when one does not start. What was created stays for [`clean_up`](super::clean_up), which the caller
    /// owes in any case.
    pub async fn prepare(
        cluster: &Cluster,
        plan: &Plan,
        sites: &[Site],
        image: &str,
        pods: watch::Receiver<PodTable>,
    ) -> Result<Self, Failure> {
        let guardian = Guardian::create(cluster, &plan.run, image, &plan.target.deployment).await?;
        let (middles, aliases) = start(cluster, plan, sites, image).await?;
        guardian.awake().await?;
        let (tell, lost) = watch::channel(None);
        let mut keepers = JoinSet::new();
        for middle in &middles {
            keepers.spawn(keepers::listen(Arc::clone(middle), tell.clone()));
        }
        keepers.spawn(keepers::aim(middles.clone(), pods));
        keepers.spawn(keepers::look_after(guardian));
        let impossible = sites.iter().filter_map(impossible).collect();
        Ok(Self { middles, aliases, impossible, lost, _keepers: keepers })
    }

    /// What leads a pod of the target to the agents.
    pub fn aliases(&self) -> &[HostAlias] {
        &self.aliases
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
                tracing::warn!(agent = middle.object, "it does not take it that every fault is over");
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

/// The dependencies that an agent can stand before.
fn places(sites: &[Site]) -> impl Iterator<Item = (&Dependency, &Place)> {
    sites.iter().filter_map(|site| Some((&site.dependency, site.place.as_ref().ok()?)))
}

/// All are created before the first is waited for.
async fn start(
    cluster: &Cluster,
    plan: &Plan,
    sites: &[Site],
    image: &str,
) -> Result<(Vec<Arc<Middle>>, Vec<HostAlias>), Failure> {
    let mut aliases = Vec::new();
    for (dependency, place) in places(sites) {
        let address = middle_objects::create(cluster, plan, dependency, place, image).await?;
        aliases.push(aliases::leading(&address, &place.names));
    }
    let deadline = Instant::now() + START;
    let mut middles = Vec::new();
    for (dependency, _) in places(sites) {
        let object = middle_objects::name(&plan.run, dependency);
        middles.push(Middle::connect(cluster, dependency, &object, deadline).await?);
        followed(cluster, &object).await?;
    }
    Ok((middles, aliases))
}

fn impossible(site: &Site) -> Option<Fact> {
    let reason = site.place.as_ref().err()?.clone();
    let dependency = &site.dependency;
    Some(Fact::Middle(MiddleFact {
        at: now(),
        dependency: dependency.name.clone(),
        service: dependency.upstream.to_string(),
        protocol: dependency.protocol,
        standing: Err(reason),
    }))
}

/// A name that leads to a Service without an agent would be a fault that we did not mean.
async fn followed(cluster: &Cluster, object: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + FOLLOW;
    let api: Api<EndpointSlice> = cluster.api();
    let of = ListParams::default().labels(&format!("kubernetes.io/service-name={object}"));
    while Instant::now() < deadline {
        let slices = cluster.call("list endpoint slices", api.list(&of)).await?;
        let mut endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
        if endpoints.any(|e| e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true)) {
            return Ok(());
        }
        sleep(Duration::from_millis(250)).await;
    }
    Err(Failure::environment(format!("Service `{object}` does not show its agent within 20 s"))
        .hint(format!("kubectl describe service {object} -n {}", cluster.namespace())))
}
