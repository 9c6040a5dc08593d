//! The Lease of a namespace: whoever changes anything there holds it, one at a time.
//!
//! It has one name, so that the API server itself decides who comes first. It is taken over only from a holder that has
//! not renewed it for [`LAPSE`] by the clock of whoever waits: two machines may disagree about the time. It says what its
//! holder is for, so that a proof can wait for a look.

mod takeover;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{DeleteParams, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

pub use self::takeover::Takeover;
use self::takeover::{LOOKS_AT_MOST, PURPOSE_LABEL};
use super::manifest::labels;
use super::patches::{self, member};
use super::{Cluster, RUN_LABEL};
use crate::config::Purpose;
use crate::failure::Failure;

/// The name, in every namespace.
pub(super) const NAME: &str = "golive-validator";

/// How often a holder renews it.
const RENEWAL: Duration = Duration::from_secs(5);

/// How often whoever waits looks at it.
const LOOK: Duration = Duration::from_secs(2);

/// A Lease that was not renewed for this long has lapsed.
pub(super) const LAPSE: Duration = Duration::from_mins(1);

/// Attempts when somebody else is faster again and again.
const ATTEMPTS: usize = 5;

/// The Lease while it is ours: renewed until dropped or released.
pub struct HeldLease {
    cluster: Cluster,
    holder: String,
    renewing: JoinSet<()>,
    lost: watch::Receiver<Option<String>>,
}

impl HeldLease {
    /// Takes the Lease, for a run of this purpose; a clean-up takes it as one that proves. `waiting` hears of a holder that may
    /// be dead, or that is waited for.
    ///
    /// # Errors
    /// Exit 3 while somebody else renews it, with his name and since when.
    pub async fn take(
        cluster: &Cluster,
        (holder, purpose): (&str, Purpose),
        takeover: Takeover,
        mut waiting: impl FnMut(&str),
    ) -> Result<Self, Failure> {
        let begin = Instant::now();
        for _ in 0..ATTEMPTS {
            if create(cluster, (holder, purpose)).await? {
                return Ok(Self::renewed(cluster, holder));
            }
            let Some(mut found) = read(cluster).await? else { continue };
            if takeover != Takeover::AtOnce {
                waiting(&takeover.told(&found));
                let Some(lapsed) = lapsed(cluster, found, (takeover, begin)).await? else { continue };
                found = lapsed;
            }
            if take_over(cluster, (holder, purpose), &found).await? {
                return Ok(Self::renewed(cluster, holder));
            }
        }
        Err(Failure::environment(format!("others take the Lease {NAME} again and again")))
    }

    /// Waits until somebody else has the Lease, and says who; for ever while it is ours.
    pub async fn lost(&self) -> Failure {
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(who) => taken(who.as_deref().unwrap_or_default()),
            Err(_) => std::future::pending().await,
        }
    }

    /// Why it is no longer ours, if it is not.
    pub fn loss(&self) -> Option<Failure> {
        self.lost.borrow().as_deref().map(taken)
    }

    /// Ends the renewal and deletes the Lease, if it is ours.
    pub async fn release(mut self) -> Result<(), Failure> {
        self.renewing.shutdown().await;
        let api: Api<Lease> = self.cluster.api();
        for _ in 0..ATTEMPTS {
            let Some(found) = read(&self.cluster).await?.filter(|lease| holder_of(lease) == self.holder)
            else {
                return Ok(());
            };
            // Somebody may take it between the two calls.
            let preconditions =
                Preconditions { resource_version: found.resource_version(), uid: found.uid() };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            let deleted = unless(&[404, 409], api.delete(NAME, &params));
            if self.cluster.call("delete the Lease", deleted).await?.is_some() {
                return Ok(());
            }
        }
        Err(Failure::environment(format!("the Lease {NAME} changes faster than it can be deleted")))
    }

    fn renewed(cluster: &Cluster, holder: &str) -> Self {
        let (loss, lost) = watch::channel(None);
        let mut renewing = JoinSet::new();
        renewing.spawn(renew(cluster.clone(), holder.to_owned(), loss));
        Self { cluster: cluster.clone(), holder: holder.to_owned(), renewing, lost }
    }
}

/// When this holder last renewed the Lease.
pub(super) enum Renewal {
    /// Then, in the words of the Lease.
    At(String),
    /// Another one has it.
    Other,
    /// There is none.
    Gone,
}

/// Looks at the Lease for one holder.
pub(super) async fn renewal(cluster: &Cluster, holder: &str) -> Result<Renewal, Failure> {
    Ok(match read(cluster).await? {
        None => Renewal::Gone,
        Some(lease) if holder_of(&lease) != holder => Renewal::Other,
        Some(lease) => Renewal::At(time(&lease, |spec| spec.renew_time.clone())),
    })
}

async fn read(cluster: &Cluster) -> Result<Option<Lease>, Failure> {
    let api: Api<Lease> = cluster.api();
    cluster.call("read the Lease", api.get_opt(NAME)).await
}

/// Says whether there was none.
async fn create(cluster: &Cluster, (holder, purpose): (&str, Purpose)) -> Result<bool, Failure> {
    let api: Api<Lease> = cluster.api();
    let mut labels = labels(holder, "lease");
    labels[PURPOSE_LABEL] = json!(purpose.name());
    let lease: Lease = serde_json::from_value(json!({
        "metadata": { "name": NAME, "labels": labels },
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": LAPSE.as_secs(),
            "acquireTime": now(), "renewTime": now(),
        },
    }))?;
    let post = PostParams::default();
    let created = unless(&[409], api.create(&post, &lease));
    Ok(cluster.call("create the Lease", created).await?.is_some())
}

/// Waits until the Lease has not changed for [`LAPSE`], and gives it as it is then; nothing, once there is none.
async fn lapsed(
    cluster: &Cluster,
    mut found: Lease,
    (takeover, begin): (Takeover, Instant),
) -> Result<Option<Lease>, Failure> {
    let mut since = Instant::now();
    while since.elapsed() < LAPSE {
        sleep(LOOK).await;
        let Some(present) = read(cluster).await? else { return Ok(None) };
        if present.resource_version() == found.resource_version() {
            continue;
        }
        // It is alive.
        if !takeover.waits_for(&present) || begin.elapsed() >= LOOKS_AT_MOST {
            return Err(busy(cluster, &present));
        }
        (found, since) = (present, Instant::now());
    }
    Ok(Some(found))
}

fn busy(cluster: &Cluster, lease: &Lease) -> Failure {
    let (holder, since) = (holder_of(lease), time(lease, |spec| spec.acquire_time.clone()));
    let namespace = cluster.namespace();
    Failure::environment(format!("{holder} has been at work in namespace `{namespace}` since {since}"))
        .hint("one at a time: wait for it, or end it with SIGINT")
}

fn taken(who: &str) -> Failure {
    Failure::environment(format!("{who} has taken the Lease {NAME} away from this run"))
        .hint("nothing was cleaned up here: that is left to whoever holds the Lease")
}

/// Takes a Lease that is still as it was found; says whether it was.
async fn take_over(
    cluster: &Cluster,
    (holder, purpose): (&str, Purpose),
    found: &Lease,
) -> Result<bool, Failure> {
    let version = found.resource_version().unwrap_or_default();
    let label = |name| member("/metadata/labels", name);
    let operations = json!([
        { "op": "test", "path": "/metadata/resourceVersion", "value": version },
        { "op": "add", "path": label(RUN_LABEL), "value": holder },
        { "op": "add", "path": label(PURPOSE_LABEL), "value": purpose.name() },
        { "op": "add", "path": "/spec/holderIdentity", "value": holder },
        { "op": "add", "path": "/spec/acquireTime", "value": now() },
        { "op": "add", "path": "/spec/renewTime", "value": now() },
    ]);
    Ok(patch(cluster, "take the Lease over", operations).await?.is_some())
}

/// Renews until somebody else has the Lease, and tells who.
async fn renew(cluster: Cluster, holder: String, loss: watch::Sender<Option<String>>) {
    loop {
        sleep(RENEWAL).await;
        let operations = json!([
            { "op": "test", "path": "/spec/holderIdentity", "value": holder },
            { "op": "replace", "path": "/spec/renewTime", "value": now() },
        ]);
        let renewed = patch(&cluster, "renew the Lease", operations).await;
        if matches!(renewed, Ok(Some(()))) {
            continue;
        }
        let who = match read(&cluster).await {
            Ok(Some(lease)) if holder_of(&lease) != holder => holder_of(&lease),
            Ok(None) => "somebody who deleted it".to_owned(),
            // It could not be renewed: whether it is lost shows at the next attempt.
            Ok(Some(_)) | Err(_) => {
                tracing::warn!("the Lease was not renewed");
                continue;
            }
        };
        loss.send_replace(Some(who));
        return;
    }
}

/// Applies a JSON Patch; nothing if a test in it failed or there is no Lease.
async fn patch(cluster: &Cluster, doing: &str, operations: Value) -> Result<Option<()>, Failure> {
    let api: Api<Lease> = cluster.api();
    let (params, patch) = (PatchParams::default(), patches::json(operations)?);
    let patched = unless(&[404, 409, 422], api.patch(NAME, &params, &patch));
    Ok(cluster.call(doing, patched).await?.map(drop))
}

/// Nothing, where the API server answers with one of these codes.
async fn unless<T>(
    codes: &[u16],
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<Option<T>, kube::Error> {
    match call.await {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if codes.contains(&status.code) => Ok(None),
        Err(error) => Err(error),
    }
}

fn holder_of(lease: &Lease) -> String {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_else(|| "nobody".to_owned())
}

fn time(lease: &Lease, of: impl Fn(&LeaseSpec) -> Option<MicroTime>) -> String {
    lease.spec.as_ref().and_then(of).map(|time| time.0.to_string()).unwrap_or_default()
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests;
