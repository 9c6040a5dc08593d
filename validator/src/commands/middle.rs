//! `validator middle`: what runs in a middle agent's pod.

use tokio::net::TcpListener;

use crate::cli::MiddleArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::middle::{Agent, Limits, MIDDLE_PORT, MiddlePlan, listen, serve};

/// Stands before a dependency until the pod is deleted.
pub(super) async fn middle(args: MiddleArgs) -> Result<Exit, Failure> {
    let MiddleArgs { dependency, protocol, trace_prefix, port } = args;
    let agent = Agent::start(MiddlePlan { dependency, protocol, trace_prefix }, Limits::default());
    let api = TcpListener::bind(("127.0.0.1", MIDDLE_PORT)).await?;
    tokio::try_join!(serve(agent.clone(), api), listen(&agent, &port))?;
    Ok(Exit::Success)
}
