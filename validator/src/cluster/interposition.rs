//! Creates the middle agents and what they need, and waits for them.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::HostAlias;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::guardian::Guardian;
use super::site::{Place, Site};
use super::{Cluster, aliases, middle_objects, middle_pod};
use crate::config::Dependency;
use crate::evidence::{Fact, MiddleFact};
use crate::failure::Failure;
use crate::moment::now;
use crate::plan::Plan;
use crate::steer::{Interposition, Middle, PodTable};

/// How long the agents may need until they answer.
const START: Duration = Duration::from_secs(90);

/// How often the guardian is looked at.
const GUARDIAN: Duration = Duration::from_secs(5);

/// How long the endpoints of an agent's Service may need to show its pod.
const FOLLOW: Duration = Duration::from_secs(20);

/// Creates the guardian and the agents, and waits until the guardian runs, each agent reaches its dependency and each
/// Service has its agent behind it. Gives what leads a pod of the target to the agents.
///
/// # Errors
/// Exit 3 when one does not start. What was created stays for [`clean_up`](super::clean_up), which the caller owes in
/// any case.
pub(super) async fn interpose(
    cluster: &Cluster,
    plan: &Plan,
    sites: &[Site],
    image: &str,
    pods: watch::Receiver<PodTable>,
) -> Result<(Interposition, Vec<HostAlias>), Failure> {
    let guardian = Guardian::create(cluster, &plan.run, image, &plan.target.deployment).await?;
    let (middles, aliases) = start(cluster, plan, sites, image).await?;
    guardian.awake().await?;
    let keepers = JoinSet::from_iter([look_after(guardian)]);
    let impossible = sites.iter().filter_map(impossible).collect();
    Ok((Interposition::new(middles, impossible, pods, keepers), aliases))
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
        middles.push(middle_pod::connect(cluster, dependency, &object, deadline).await?);
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

/// Keeps the guardian in its place, as long as there is something to guard.
async fn look_after(guardian: Guardian) {
    loop {
        match guardian.look_after().await {
            Ok(false) => {}
            Ok(true) => tracing::warn!("the guardian's pod was gone; another one takes its place"),
            Err(failure) => tracing::warn!(%failure, "the guardian's pod cannot be looked after"),
        }
        sleep(GUARDIAN).await;
    }
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
