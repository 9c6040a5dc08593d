//! `validator cleanup`: removes what an interrupted run left behind.

use std::io::Write;

use crate::cli::CleanupArgs;
use crate::cluster::{Cluster, clean_up, no_other_run};
use crate::exit::Exit;
use crate::failure::Failure;

/// Cleans one namespace.
pub(super) async fn cleanup(args: &CleanupArgs) -> Result<Exit, Failure> {
    let namespace = args.cluster.namespace.as_deref().unwrap_or("default");
    let cluster = Cluster::connect(args.cluster.context.as_deref(), namespace).await?;
    if !args.force {
        no_other_run(&cluster).await?;
    }
    let done = clean_up(&cluster).await?;
    let mut out = anstream::stdout().lock();
    if done.is_empty() {
        writeln!(out, "nothing of ours in namespace {namespace} of {}", cluster.context())?;
    }
    for line in done {
        writeln!(out, "{line}")?;
    }
    Ok(Exit::Success)
}
