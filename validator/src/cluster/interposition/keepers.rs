//! What goes on beside a run, for as long as agents stand in the middle.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::cluster::guardian::Guardian;
use crate::cluster::middle_link::Middle;
use crate::cluster::{Cluster, PodTable, selector};
use crate::evidence::Trouble;
use crate::middle::Targets;

/// How often the selectors are looked at.
const WATCH: Duration = Duration::from_secs(2);

/// How often the guardian is looked at.
const GUARDIAN: Duration = Duration::from_secs(5);

/// Keeps every agent told which addresses are the target's.
pub(super) async fn aim(middles: Vec<Arc<Middle>>, mut pods: watch::Receiver<PodTable>) {
    loop {
        let targets: Targets = pods
            .borrow_and_update()
            .iter()
            .filter_map(|(pod, brief)| Some((brief.ip?, pod.clone())))
            .collect();
        for middle in &middles {
            if let Err(error) = middle.aim(targets.clone()).await {
                tracing::warn!(%error, agent = middle.object, "it does not take the list of pods");
            }
        }
        if pods.changed().await.is_err() {
            return;
        }
    }
}

/// Keeps the guardian in its place, as long as there is something to guard.
pub(super) async fn look_after(guardian: Guardian) {
    loop {
        match guardian.look_after().await {
            Ok(false) => {}
            Ok(true) => tracing::warn!("the guardian's pod was gone; another one takes its place"),
            Err(failure) => tracing::warn!(%failure, "the guardian's pod cannot be looked after"),
        }
        sleep(GUARDIAN).await;
    }
}

/// Watches the selectors: whoever else changes one ends the run.
pub(super) async fn guard(
    cluster: Cluster,
    middles: Vec<Arc<Middle>>,
    disturb: watch::Sender<Option<String>>,
) {
    let api: Api<Service> = cluster.api();
    loop {
        for middle in &middles {
            let name = &middle.dependency.upstream.to_string();
            let read = cluster.call("read a Service", api.get_opt(name)).await;
            if matches!(&read, Ok(Some(service)) if selector::leads_to(service, &middle.object))
                || read.is_err()
            {
                continue;
            }
            middle.trouble(Trouble::SelectorChanged);
            disturb.send_replace(Some(format!("somebody else changed the selector of Service `{name}`")));
            return;
        }
        sleep(WATCH).await;
    }
}
