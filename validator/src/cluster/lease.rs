//! The Lease of a run: while it is renewed, the run is alive.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::manifest::labels;
use super::{Cluster, RUN_LABEL};
use crate::failure::Failure;

/// How often a run renews its Lease.
const RENEWAL: Duration = Duration::from_secs(5);

/// A Lease that was not renewed for this long has lapsed.
pub(super) const LAPSE: Duration = Duration::from_mins(1);

/// The Lease of a run that is alive: renewed until dropped, deleted by [`clean_up`](super::clean_up).
pub struct HeldLease {
    _renewing: JoinSet<()>,
}

/// Creates the Lease of a run and keeps it renewed.
pub async fn hold_lease(cluster: &Cluster, run: &str) -> Result<HeldLease, Failure> {
    create(cluster, run).await?;
    let mut renewing = JoinSet::new();
    renewing.spawn(renew(cluster.clone(), run.to_owned()));
    Ok(HeldLease { _renewing: renewing })
}

async fn create(cluster: &Cluster, run: &str) -> Result<(), Failure> {
    let api: Api<Lease> = cluster.api();
    let lease: Lease = serde_json::from_value(json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": run, "labels": labels(run, "lease") },
        "spec": {
            "holderIdentity": run, "leaseDurationSeconds": LAPSE.as_secs(), "renewTime": now(),
        },
    }))?;
    cluster.call("create the run's Lease", api.create(&PostParams::default(), &lease)).await.map(drop)
}

async fn renew(cluster: Cluster, run: String) {
    let api: Api<Lease> = cluster.api();
    loop {
        sleep(RENEWAL).await;
        let renewed = Patch::Merge(json!({ "spec": { "renewTime": now() } }));
        let params = PatchParams::default();
        let patch = api.patch(&run, &params, &renewed);
        if let Err(failure) = cluster.call("renew the run's Lease", patch).await {
            tracing::warn!(%failure, "the Lease was not renewed");
        }
    }
}

/// When the Lease was last renewed, in its own words; nothing if there is none.
pub(super) async fn renewed(cluster: &Cluster, run: &str) -> Result<Option<String>, Failure> {
    let api: Api<Lease> = cluster.api();
    let lease = cluster.call("read the run's Lease", api.get_opt(run)).await?;
    Ok(lease.map(|lease| stamp(&lease)))
}

/// Fails if another run works in the namespace: one whose Lease is renewed while we look. Clocks are not compared,
/// since two machines may disagree about the time.
pub async fn no_other_run(cluster: &Cluster) -> Result<(), Failure> {
    let before = leases(cluster).await?;
    if before.is_empty() {
        return Ok(());
    }
    sleep(RENEWAL * 3).await;
    let after = leases(cluster).await?;
    let alive = after.iter().find(|(run, stamp)| before.iter().any(|(r, s)| r == run && s != stamp));
    match alive {
        None => Ok(()),
        Some((run, _)) => Err(Failure::environment(format!("run {run} is at work in this namespace"))
            .hint("one run at a time: wait for it, or end it with SIGINT")),
    }
}

async fn leases(cluster: &Cluster) -> Result<Vec<(String, String)>, Failure> {
    let api: Api<Lease> = cluster.api();
    let ours = ListParams::default().labels(RUN_LABEL);
    let list = cluster.call("list Leases of runs", api.list(&ours)).await?;
    Ok(list.iter().map(|lease| (lease.name_any(), stamp(lease))).collect())
}

fn stamp(lease: &Lease) -> String {
    let time = lease.spec.as_ref().and_then(|spec| spec.renew_time.clone());
    time.map(|time| time.0.to_string()).unwrap_or_default()
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
