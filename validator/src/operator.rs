//! `validator operator`: asks for every candidate, and lays what was found into the status of its `GoLiveCheck` (ADR 16).
//!
//! A run is an object with a Job of its own; the operator creates it, reads what it said, and can be killed at any moment.

mod calls;
mod candidate;
mod conditions;
mod crds;
mod decide;
mod ended;
mod event;
mod job;
pub(crate) mod kinds;
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
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::select_all;
use golive_pillars::metrics::prometheus_client::registry::Registry;
use golive_pillars::shutdown::Phase;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::core::DynamicObject;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, watcher};
use kube::{Api, Client};

pub use crds::crds;

use self::metrics::{Checks, Listed, Reconciles, Watched};
use self::reconcile::{Context, reconcile};
use self::traces::Traces;
use self::trouble::Trouble;
use crate::failure::Failure;
use crate::management;

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
/// Exit 2 without a cluster to connect to, where the port is taken, or for an endpoint that is none.
pub async fn operate(settings: Settings) -> Result<(), Failure> {
    let client = Client::try_default().await.map_err(|e| {
        Failure::usage(format!("no cluster to connect to: {e}")).hint("it runs in a pod: charts/validator")
    })?;
    let traces = Traces::start(settings.otel_endpoint.as_deref())?;
    let shutdown = management::clock()?;
    let (reconciles, mut checks, mut all) = (Reconciles::default(), Vec::new(), Vec::new());
    for namespace in &settings.namespaces {
        let clock = shutdown.clone();
        let controller = watching(client.clone(), namespace)
            .graceful_shutdown_on(async move { clock.reached(Phase::Lameduck).await });
        checks.push(Checks { namespace: namespace.clone(), store: controller.store() });
        let context = Arc::new(Context::new(client.clone(), namespace, &settings, traces.clone()));
        let counts = reconciles.clone();
        all.push(controller.run(reconcile, again, context).map(move |done| told(done, &counts)).boxed());
    }
    let listed = Listed(checks.iter().map(|checks| checks.store.clone()).collect());
    let mut registry = Registry::default();
    reconciles.register(&mut registry);
    registry.register_collector(Box::new(Watched(checks)));
    management::open(settings.management_port, &shutdown, ("checks", listed), registry)?;
    tracing::info!(namespaces = ?settings.namespaces, "watching");
    let mut all = select_all(all);
    while all.next().await.is_some() {}
    let budget = shutdown.flush_budget();
    tokio::task::spawn_blocking(move || traces.flush(budget)).await.ok();
    Ok(())
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
