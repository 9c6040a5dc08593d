//! `validator operator`: asks for every candidate, and lays what was found into the status of its `GoLiveCheck` (ADR 16).
//!
//! A run is an object with a Job of its own; the operator creates it, reads what it said, and can be killed at any moment.

mod begun;
mod calls;
mod candidate;
mod conditions;
mod crds;
mod decide;
mod ended;
mod event;
mod job;
pub(crate) mod kinds;
mod leader;
mod metrics;
mod objects;
mod observed;
pub(crate) mod policies;
mod reconcile;
mod run;
mod status;
mod traces;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, select_all};
use golive_pillars::metrics::prometheus_client::registry::Registry;
use golive_pillars::shutdown::{Phase, Shutdown};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::core::DynamicObject;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, watcher};
use kube::{Api, Client};

pub use crds::crds;

use self::leader::Leader;
use self::metrics::{Checks, Listed, Reconciles, Watched};
use self::reconcile::{Context, reconcile};
use self::traces::Traces;
use self::trouble::Trouble;
use crate::failure::Failure;
use crate::{api_server, management};

/// How soon a reconcile that failed is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// What an operator is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces whose checks are its own.
    pub namespaces: Vec<String>,
    /// Image of the Jobs, and of the agents that they start.
    pub image: String,
    /// Service account of the Jobs, with the Role of `validator rbac`.
    pub account: String,
    /// Port for `/health`, `/ready` and `/metrics`.
    pub management_port: u16,
    /// Full URL of a collector that takes OTLP over HTTP, as in `http://collector:4318/v1/traces`; without one nothing is traced.
    pub otel_endpoint: Option<String>,
}

/// Watches until the process ends. Every namespace is watched by itself, so that no right reaches further than one.
///
/// # Errors
/// Exit 2 without a cluster to connect to, where the port is taken, or for an endpoint that is none; exit 3 where the Lease of operators
/// cannot be had, or was lost.
pub async fn operate(settings: Settings) -> Result<(), Failure> {
    let client = api_server::client().await?;
    let traces = Traces::start(settings.otel_endpoint.as_deref())?;
    let shutdown = management::clock()?;
    let (reconciles, mut registry) = (Reconciles::default(), Registry::default());
    let of_namespace = |namespace: &String| {
        let context = Context::new(client.clone(), namespace, &settings, traces.clone());
        controlled(client.clone(), namespace, context, &shutdown, &reconciles)
    };
    let (checks, all): (Vec<_>, Vec<_>) = settings.namespaces.iter().map(of_namespace).unzip();
    let leads = Arc::new(AtomicBool::new(false));
    let stores = checks.iter().map(|checks| checks.store.clone()).collect();
    let listed = Listed { stores, leads: leads.clone() };
    reconciles.register(&mut registry);
    registry.register_collector(Box::new(Watched(checks)));
    management::open(settings.management_port, &shutdown, ("checks", listed), registry)?;
    let leader = tokio::select! {
        elected = Leader::elected(client) => elected?,
        () = shutdown.reached(Phase::Lameduck) => return Ok(()),
    };
    leads.store(true, Ordering::Relaxed);
    tracing::info!(namespaces = ?settings.namespaces, "watching");
    reconciling(all, &leader).await?;
    leader.release().await;
    let budget = shutdown.flush_budget();
    tokio::task::spawn_blocking(move || traces.flush(budget)).await.ok();
    Ok(())
}

/// The controller of a namespace, which does nothing until it is polled, and what it knows.
fn controlled(
    client: Client,
    namespace: &str,
    context: Context,
    shutdown: &Shutdown,
    reconciles: &Reconciles,
) -> (Checks, BoxStream<'static, ()>) {
    let (clock, counts) = (shutdown.clone(), reconciles.clone());
    let controller =
        watching(client, namespace).graceful_shutdown_on(async move { clock.reached(Phase::Lameduck).await });
    let checks = Checks { namespace: namespace.to_owned(), store: controller.store() };
    let done = controller.run(reconcile, again, Arc::new(context));
    (checks, done.map(move |done| told(done, &counts)).boxed())
}

/// Reconciles until all controllers have ended, or the Lease is lost: a reconcile under way is dropped then.
async fn reconciling(all: Vec<BoxStream<'static, ()>>, leader: &Leader) -> Result<(), Failure> {
    let mut all = select_all(all);
    let ended = async { while all.next().await.is_some() {} };
    tokio::select! {
        () = ended => Ok(()),
        lost = leader.lost() => Err(lost),
    }
}

type Done = Result<(ObjectRef<DynamicObject>, Action), controller::Error<Trouble, watcher::Error>>;

fn told(done: Done, reconciles: &Reconciles) {
    match done {
        Ok((check, _)) => {
            reconciles.done();
            tracing::debug!(check = %check.name, "reconciled");
        }
        Err(error) => {
            if let controller::Error::ReconcilerFailed(trouble, _) = &error {
                reconciles.failed(trouble);
            }
            tracing::warn!(%error, "a reconcile failed");
        }
    }
}

fn watching(client: Client, namespace: &str) -> Controller<DynamicObject> {
    let kind = kinds::checks();
    let checks: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let jobs: Api<Job> = Api::namespaced(client, namespace);
    let controller = Controller::new_with(checks, watcher::Config::default(), kind);
    let (of_deployment, of_job) = (controller.store(), controller.store());
    let ours = watcher::Config::default().labels(kinds::RUN_OF);
    // One after the other: the second of two checks must see the run of the first.
    controller
        .with_config(controller::Config::default().concurrency(1))
        .watches(deployments, watcher::Config::default(), move |deployment: Deployment| {
            named(&of_deployment, |check| {
                check.data["spec"]["target"]["deployment"].as_str() == deployment.metadata.name.as_deref()
            })
        })
        .watches(jobs, ours, move |job: Job| {
            let of = job.metadata.labels.unwrap_or_default().remove(kinds::RUN_OF);
            named(&of_job, |check| check.metadata.name == of)
        })
}

/// Checks that are concerned.
fn named(
    store: &Store<DynamicObject>,
    wanted: impl Fn(&DynamicObject) -> bool,
) -> Vec<ObjectRef<DynamicObject>> {
    let all = store.state();
    all.iter()
        .filter(|check| wanted(check))
        .map(|check| ObjectRef::from_obj_with(check.as_ref(), kinds::checks()))
        .collect()
}

fn again(_: Arc<DynamicObject>, _: &Trouble, _: Arc<Context>) -> Action {
    Action::requeue(AGAIN)
}
