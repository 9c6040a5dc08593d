//! `validator operator`: asks for every candidate, and lays what was found into the status of its `GoLiveCheck` (ADR 16).
//!
//! A run is an object with a Job of its own; the operator creates it, reads what it said, and can be killed at any moment.

mod candidate;
mod conditions;
mod crds;
mod decide;
mod ended;
mod job;
mod kinds;
mod objects;
mod reconcile;
mod run;
mod status;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::select_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::core::DynamicObject;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, watcher};
use kube::{Api, Client};

pub use crds::crds;

use self::reconcile::{Context, reconcile};
use self::trouble::Trouble;
use crate::failure::Failure;

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
}

/// Watches until the process ends. Every namespace is watched by itself, so that no right reaches further than one.
///
/// # Errors
/// Exit 2 without a cluster to connect to.
pub async fn operate(settings: Settings) -> Result<(), Failure> {
    let client = Client::try_default().await.map_err(|e| {
        Failure::usage(format!("no cluster to connect to: {e}")).hint("it runs in a pod: charts/validator")
    })?;
    let each = settings.namespaces.iter().map(|namespace| {
        let context = Arc::new(Context::new(client.clone(), namespace, &settings));
        watching(client.clone(), namespace)
            .run(reconcile, again, context)
            .map(|done| match done {
                Ok((check, _)) => tracing::debug!(check = %check.name, "reconciled"),
                Err(error) => tracing::warn!(%error, "a reconcile failed"),
            })
            .boxed()
    });
    let mut all = select_all(each);
    while all.next().await.is_some() {}
    Ok(())
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
        .shutdown_on_signal()
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
