//! `validator guardian`: what runs in the guardian's pod.

use crate::cli::GuardianArgs;
use crate::cluster::{Cluster, guard};
use crate::exit::Exit;
use crate::failure::Failure;

/// Watches the Lease of a run from inside the cluster, until it is gone or has lapsed and the target is rolled back.
pub(super) async fn guardian(args: &GuardianArgs) -> Result<Exit, Failure> {
    let cluster = Cluster::connect(None, &args.namespace).await?;
    guard(&cluster, &args.run, &args.deployment).await;
    Ok(Exit::Success)
}
