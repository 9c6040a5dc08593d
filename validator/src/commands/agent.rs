//! `validator agent`: what runs in the load agents' pods.

use tokio::net::TcpListener;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::load::{AGENT_PORT, serve};

/// Serves the agent's API on the pod's loopback address until the pod is deleted.
pub(super) async fn agent() -> Result<Exit, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", AGENT_PORT)).await?;
    serve(listener).await?;
    Ok(Exit::Success)
}
