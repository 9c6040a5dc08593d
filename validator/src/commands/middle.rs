//! `validator middle`: what runs in a middle agent's pod.

use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::cli::MiddleArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::middle::{Agent, Limits, MIDDLE_PORT, MiddlePlan, listen, serve};

/// Stands before a dependency until the pod is deleted.
pub(super) async fn middle(args: MiddleArgs) -> Result<Exit, Failure> {
    // One thread carries everything: between workers each statement would pay for being handed over.
    let carrying = tokio::task::spawn_blocking(move || {
        Builder::new_current_thread().enable_all().build()?.block_on(stand(args))
    });
    carrying.await.map_err(|error| Failure::internal(error.to_string()))??;
    Ok(Exit::Success)
}

async fn stand(args: MiddleArgs) -> std::io::Result<()> {
    let MiddleArgs { dependency, protocol, trace_prefix, port } = args;
    let agent = Agent::start(MiddlePlan { dependency, protocol, trace_prefix }, Limits::default());
    let api = TcpListener::bind(("127.0.0.1", MIDDLE_PORT)).await?;
    tokio::try_join!(serve(agent.clone(), api), listen(&agent, &port))?;
    Ok(())
}
