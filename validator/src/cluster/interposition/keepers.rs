//! What goes on beside a run, for as long as agents stand in the middle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::cluster::PodTable;
use crate::cluster::guardian::Guardian;
use crate::cluster::middle_link::Middle;
use crate::middle::Targets;

/// How often the guardian is looked at.
const GUARDIAN: Duration = Duration::from_secs(5);

/// Keeps every agent told which addresses are the target's.
pub(super) async fn aim(middles: Vec<Arc<Middle>>, mut pods: watch::Receiver<PodTable>) {
    loop {
        let targets: Targets = pods
            .borrow_and_update()
            .iter()
            .filter_map(|(pod, brief)| Some((brief.ip?.into(), pod.clone())))
            .collect();
        for middle in &middles {
            if let Err(error) = middle.aim(&targets).await {
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

/// Listens to one agent until it is lost, and tells why.
pub(super) async fn listen(middle: Arc<Middle>, lost: watch::Sender<Option<String>>) {
    let why = middle.listen().await;
    lost.send_replace(Some(format!("middle agent {}: {why}", middle.object)));
}
