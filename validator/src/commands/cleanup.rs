//! `validator cleanup`: removes what an interrupted run left behind.

use std::io::Write;

use crate::cli::CleanupArgs;
use crate::cluster::{Cluster, HeldLease, Takeover, clean_up};
use crate::config::{GoLiveCheck, Purpose};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::run_name;
use crate::progress::Progress;

/// Cleans one namespace.
pub(super) async fn cleanup(args: &CleanupArgs) -> Result<Exit, Failure> {
    let namespace = namespace(args)?;
    let cluster = Cluster::connect(args.cluster.context.as_deref(), &namespace).await?;
    let takeover = if args.force { Takeover::AtOnce } else { Takeover::Lapsed };
    let (events, told) = Progress::listen(false);
    let name = run_name("cleanup");
    let holder = (name.as_str(), Purpose::Prove);
    let taken = HeldLease::take(&cluster, holder, takeover, |line| events.tell(line)).await;
    drop(events);
    told.await.ok(); // what it had to tell is told
    let lease = taken?;
    let cleaned = tokio::select! {
        cleaned = clean_up(&cluster) => cleaned,
        lost = lease.lost() => return Err(lost),
    };
    // Also after an error: without a Lease the guardian of the dead run does its part at once.
    let released = lease.release().await;
    let done = cleaned?;
    released?;
    let mut out = anstream::stdout().lock();
    if done.is_empty() {
        writeln!(out, "nothing of ours in namespace {namespace} of {}", cluster.context())?;
    }
    for line in done {
        writeln!(out, "{line}")?;
    }
    Ok(Exit::Success)
}

/// Never a namespace that nobody named.
fn namespace(args: &CleanupArgs) -> Result<String, Failure> {
    match (&args.cluster.namespace, &args.file) {
        (Some(namespace), _) => Ok(namespace.clone()),
        (None, Some(file)) => GoLiveCheck::read(file).map(|check| check.metadata.namespace),
        (None, None) => Err(Failure::usage("name a namespace: -n NAMESPACE or -f FILE")),
    }
}
