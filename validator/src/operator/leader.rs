//! One operator at work: a Lease in the operator's own namespace says which one, and the others stand by.
//!
//! Two that decided about two checks of a namespace at once would start a run each, of which one could only end without a verdict. A
//! holder is taken for dead that has not renewed the Lease for [`LAPSE`], by the clock of whoever waits; it stops before that.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, from_value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use super::kinds::MANAGER;
use super::trouble::Trouble;
use crate::failure::Failure;

/// The Lease.
const NAME: &str = "golive-operator";

/// How often its holder renews it.
const RENEWAL: Duration = Duration::from_secs(5);

/// How often whoever waits looks at it.
const LOOK: Duration = Duration::from_secs(2);

/// One that was not renewed for this long may be taken.
const LAPSE: Duration = Duration::from_secs(15);

/// A holder that could not renew it for this long ends, so that two never decide.
const GIVE_UP: Duration = Duration::from_secs(12);

/// The Lease while it is ours.
pub(super) struct Leader {
    leases: Api<Lease>,
    me: String,
    /// Just before it was taken.
    since: Instant,
}

impl Leader {
    /// Waits until nobody else has the Lease, and takes it.
    ///
    /// # Errors
    /// Exit 3 without the right to it.
    pub(super) async fn elected(client: Client) -> Result<Self, Failure> {
        let namespace = client.default_namespace().to_owned();
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| NAME.to_owned());
        let (leases, me) = (Api::namespaced(client, &namespace), format!("{host}-{}", Uuid::new_v4()));
        let mut leader = Self { leases, me, since: Instant::now() };
        let mut seen = Seen { version: None, since: Instant::now() };
        loop {
            leader.since = Instant::now();
            let taken = timeout(RENEWAL, leader.take(&mut seen)).await;
            match taken {
                Ok(Ok(true)) => return Ok(leader),
                Ok(Err(Trouble::Api(kube::Error::Api(status)))) if status.code == 403 => {
                    return Err(Failure::environment(format!("the Lease {NAME}: {}", status.message))
                        .hint("charts/validator gives the right to it in the namespace of the release"));
                }
                Ok(Err(error)) => tracing::warn!(%error, "the Lease was not looked at"),
                Ok(Ok(false)) | Err(_) => {}
            }
            sleep(LOOK).await;
        }
    }

    /// Renews the Lease, and ends when it is lost: whoever decides on would not be the only one.
    pub(super) async fn lost(&self) -> Failure {
        let mut since = self.since;
        loop {
            match timeout_at(since + GIVE_UP, self.renewed()).await {
                Ok(Some(at)) => since = at,
                Ok(None) => return Failure::environment(format!("somebody else has the Lease {NAME} now")),
                Err(_) => {
                    let seconds = GIVE_UP.as_secs();
                    return Failure::environment(format!("the Lease {NAME} was not renewed for {seconds} s"));
                }
            }
        }
    }

    /// Gives the Lease back, so that whoever stands by has it at its next look.
    pub(super) async fn release(self) {
        let released =
            self.patch(json!([self.is_mine(), { "op": "remove", "path": "/spec/holderIdentity" }]));
        if !matches!(timeout(RENEWAL, released).await, Ok(Ok(true))) {
            tracing::warn!("the Lease was not given back: it lapses");
        }
    }

    /// Tries once; says whether it is ours.
    async fn take(&self, seen: &mut Seen) -> Result<bool, Trouble> {
        let Some(found) = self.leases.get_opt(NAME).await? else { return self.create().await };
        let holder = found.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        let version = found.resource_version();
        if !is_free(holder, &self.me, seen.unchanged(version.as_deref())) {
            return Ok(false);
        }
        let operations = json!([
            { "op": "test", "path": "/metadata/resourceVersion", "value": version },
            { "op": "add", "path": "/spec", "value": self.spec() },
        ]);
        self.patch(operations).await
    }

    /// Just before when it was renewed, tried again where nobody knows; nothing if it is not ours.
    async fn renewed(&self) -> Option<Instant> {
        loop {
            sleep(RENEWAL).await;
            let at = Instant::now();
            let operations =
                json!([self.is_mine(), { "op": "add", "path": "/spec/renewTime", "value": stamp() }]);
            match self.patch(operations).await {
                Ok(is_mine) => return is_mine.then_some(at),
                Err(error) => tracing::warn!(%error, "the Lease was not renewed"),
            }
        }
    }

    async fn create(&self) -> Result<bool, Trouble> {
        let lease: Lease = from_value(json!({ "metadata": { "name": NAME }, "spec": self.spec() }))?;
        let how = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        done(self.leases.create(&how, &lease).await)
    }

    /// Applies a JSON Patch; says whether its tests held.
    async fn patch(&self, operations: Value) -> Result<bool, Trouble> {
        let patch: Patch<()> = Patch::Json(from_value(operations)?);
        let how = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        done(self.leases.patch(NAME, &how, &patch).await)
    }

    fn is_mine(&self) -> Value {
        json!({ "op": "test", "path": "/spec/holderIdentity", "value": self.me })
    }

    fn spec(&self) -> Value {
        let (now, lapse) = (stamp(), LAPSE.as_secs());
        json!({ "holderIdentity": self.me, "leaseDurationSeconds": lapse, "acquireTime": now, "renewTime": now })
    }
}

/// What was last seen of the Lease, and since when it is so.
struct Seen {
    version: Option<String>,
    since: Instant,
}

impl Seen {
    /// For how long it has been as it is now.
    fn unchanged(&mut self, version: Option<&str>) -> Duration {
        if self.version.as_deref() != version {
            *self = Self { version: version.map(str::to_owned), since: Instant::now() };
        }
        self.since.elapsed()
    }
}

/// Whether it may be taken: nobody has it, we have, or whoever has it is dead.
fn is_free(holder: Option<&str>, me: &str, unchanged: Duration) -> bool {
    holder.is_none_or(|holder| holder.is_empty() || holder == me) || unchanged >= LAPSE
}

/// Whether it was done: not, if somebody else was faster.
fn done<T>(answer: kube::Result<T>) -> Result<bool, Trouble> {
    match answer {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => Ok(false),
        other => Ok(other.map(|_| true)?),
    }
}

fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests;
