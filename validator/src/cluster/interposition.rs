//! Stands in the middle of every arrow that leaves the target: agents before its dependencies.

mod keepers;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};

use super::guardian::Guardian;
use super::middle_link::Middle;
use super::site::{Place, Site};
use super::{Cluster, PodTable, middle_objects, selector};
use crate::config::Dependency;
use crate::evidence::{Fact, MiddleFact, Millis};
use crate::failure::Failure;
use crate::middle::{FaultOrder, HAND_BACK, MiddleStatus};
use crate::moment::now;
use crate::plan::Plan;

/// How long the agents may need until they answer.
const START: Duration = Duration::from_secs(90);

/// How long the endpoints of a Service may need to follow its selector.
const FOLLOW: Duration = Duration::from_secs(20);

/// How long every node may need to learn of new endpoints: twice the slowest propagation measured (1.3 s).
const PROPAGATION: Duration = Duration::from_secs(3);

/// A connection that is opened while a Service is given back shows in the agents' words by then.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The agents of one run.
pub struct Interposition {
    cluster: Cluster,
    middles: Vec<Arc<Middle>>,
    guardian: Option<Guardian>,
    impossible: Vec<Fact>,
    since: Millis,
    tasks: JoinSet<()>,
    guard: Option<AbortHandle>,
    disturbed: watch::Receiver<Option<String>>,
    disturb: watch::Sender<Option<String>>,
}

impl Interposition {
    /// Creates the agents and their guardian, and waits until each agent answers. Nothing is led through them yet.
    ///
    /// # Errors
    /// Exit 3 when one does not start. What was created stays for [`clean_up`](super::clean_up), which the caller
    /// owes in any case.
    pub async fn prepare(
        cluster: &Cluster,
        plan: &Plan,
        sites: &[Site],
        image: &str,
    ) -> Result<Self, Failure> {
        let services: Vec<String> =
            places(sites).map(|(dependency, _)| dependency.upstream.to_string()).collect();
        let guardian = if services.is_empty() {
            None
        } else {
            Some(Guardian::create(cluster, &plan.run, image, &services).await?)
        };
        let middles = start(cluster, plan, sites, image).await?;
        if let Some(guardian) = &guardian {
            guardian.awake().await?;
        }
        let (disturb, disturbed) = watch::channel(None);
        let impossible = sites.iter().filter_map(impossible).collect();
        Ok(Self {
            cluster: cluster.clone(),
            middles,
            guardian,
            impossible,
            since: now(),
            tasks: JoinSet::new(),
            guard: None,
            disturbed,
            disturb,
        })
    }

    /// Leads the Services to the agents. Connections that exist stay as they are; those opened from now on come
    /// through the agents.
    pub async fn take_over(
        &mut self,
        sites: &[Site],
        pods: watch::Receiver<PodTable>,
    ) -> Result<(), Failure> {
        for middle in &self.middles {
            self.tasks.spawn(Arc::clone(middle).keep());
        }
        self.tasks.spawn(keepers::aim(self.middles.clone(), pods));
        for (middle, (_, place)) in self.middles.iter().zip(places(sites)) {
            selector::lead(
                &self.cluster,
                &middle.dependency.upstream.to_string(),
                &place.selector,
                &middle.object,
            )
            .await?;
        }
        let deadline = Instant::now() + FOLLOW;
        for middle in &self.middles {
            self.followed(middle, deadline).await?;
        }
        self.since = now();
        self.guardian.clone().map(|guardian| self.tasks.spawn(keepers::look_after(guardian)));
        let guard = keepers::guard(self.cluster.clone(), self.middles.clone(), self.disturb.clone());
        self.guard = Some(self.tasks.spawn(guard));
        sleep(PROPAGATION).await;
        Ok(())
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

    /// While on, what the target sends is learned as health pings.
    pub async fn learn(&self, on: bool) -> Result<(), Failure> {
        for middle in &self.middles {
            middle.learn(on).await?;
        }
        Ok(())
    }

    /// Waits until somebody else changes what was set up here, and says what; for ever if nobody does.
    pub async fn disturbed(&self) -> String {
        let mut disturbed = self.disturbed.clone();
        match disturbed.wait_for(Option::is_some).await {
            Ok(what) => what.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives the selectors back and waits until the agents have ended every connection.
    pub async fn hand_back(&mut self) -> Result<(), Failure> {
        if let Some(guard) = self.guard.take() {
            guard.abort(); // from here on it is we who change the selectors
        }
        let api: Api<Service> = self.cluster.api();
        for middle in &self.middles {
            let name = &middle.dependency.upstream.to_string();
            if let Some(service) = self.cluster.call("read a Service", api.get_opt(name)).await? {
                selector::give_back(&self.cluster, &service).await?;
            }
        }
        for middle in &self.middles {
            middle.hand_back().await?;
        }
        let deadline = Instant::now() + HAND_BACK + Duration::from_secs(5);
        let open = |middle: &Arc<Middle>| middle.status().connections + middle.status().others > 0;
        sleep(LAST_WORD).await;
        while self.middles.iter().any(open) && Instant::now() < deadline {
            sleep(Duration::from_millis(250)).await;
        }
        Ok(())
    }

    /// What the agents saw, on our clock; ends what keeps them alive.
    pub async fn finish(mut self) -> Vec<Fact> {
        let mut facts = std::mem::take(&mut self.impossible);
        for middle in &self.middles {
            facts.extend(middle.evidence(self.since).await);
        }
        self.tasks.shutdown().await;
        facts
    }

    fn find(&self, dependency: &str) -> Option<&Arc<Middle>> {
        self.middles.iter().find(|middle| middle.dependency.name == dependency)
    }

    async fn followed(&self, middle: &Middle, deadline: Instant) -> Result<(), Failure> {
        let service = &middle.dependency.upstream.to_string();
        let pod = middle.pod();
        while Instant::now() < deadline {
            let endpoints = ready_endpoints(&self.cluster, service).await?;
            if !endpoints.is_empty() && endpoints.iter().all(|endpoint| *endpoint == pod) {
                return Ok(());
            }
            sleep(Duration::from_millis(250)).await;
        }
        Err(Failure::environment(format!("the endpoints of Service `{service}` did not follow its selector"))
            .hint("is another controller keeping its EndpointSlices?"))
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
) -> Result<Vec<Arc<Middle>>, Failure> {
    for (dependency, place) in places(sites) {
        middle_objects::create(cluster, plan, dependency, place, image).await?;
    }
    let deadline = Instant::now() + START;
    let mut middles = Vec::new();
    for (dependency, place) in places(sites) {
        let object = middle_objects::name(&plan.run, dependency);
        reachable(cluster, &dependency.upstream.to_string(), &object, place).await?;
        middles.push(Middle::connect(cluster, dependency, &object, deadline).await?);
    }
    Ok(middles)
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

/// An agent without a dependency behind it would be a fault that we did not mean.
async fn reachable(cluster: &Cluster, service: &str, shadow: &str, place: &Place) -> Result<(), Failure> {
    let deadline = Instant::now() + FOLLOW;
    while Instant::now() < deadline {
        if !ready_endpoints(cluster, shadow).await?.is_empty() {
            return Ok(());
        }
        sleep(Duration::from_millis(250)).await;
    }
    let labels: Vec<String> = place.selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
    Err(Failure::environment(format!("no pod behind Service `{service}` is ready")).hint(format!(
        "kubectl get pods -n {} -l {}",
        cluster.namespace(),
        labels.join(",")
    )))
}

async fn ready_endpoints(cluster: &Cluster, service: &str) -> Result<Vec<String>, Failure> {
    let api: Api<EndpointSlice> = cluster.api();
    let of = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let slices = cluster.call("list endpoint slices", api.list(&of)).await?;
    let endpoints = slices.items.into_iter().flat_map(|slice| slice.endpoints);
    let ready = endpoints
        .filter(|e| e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true))
        .filter_map(|e| e.target_ref.and_then(|target| target.name));
    Ok(ready.collect())
}
