//! Agents on this machine: each on a thread and a runtime of its own, so that neither delays the other, and each the
//! HTTP server that it is in a pod.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::load;
use crate::middle::{Agent, HostPort, Limits, MiddlePlan, Origin, reach, serve};

/// An agent at work; it ends with this value.
#[derive(Debug)]
pub(super) struct AgentThread {
    /// Where its API listens.
    pub(super) address: SocketAddr,
    _stop: DropGuard,
    _thread: JoinHandle<()>,
}

/// A middle agent, and what opens further doors to it.
#[derive(Debug)]
pub(super) struct MiddleThread {
    pub(super) thread: AgentThread,
    doors: mpsc::UnboundedSender<Listener>,
}

impl AgentThread {
    /// Runs what `work` makes of the API's listener.
    fn start<F: Future>(work: impl FnOnce(TcpListener) -> F + Send + 'static) -> io::Result<Self> {
        let listener = listener()?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("agent".to_owned()).spawn(move || {
            runtime.block_on(async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => drop(stopped.run_until_cancelled(work(listener)).await),
                    Err(error) => tracing::warn!(%error, "an agent has no listener"),
                }
            });
        })?;
        Ok(Self { address, _stop: stop.drop_guard(), _thread: thread })
    }

    /// A load agent.
    pub(super) fn load() -> io::Result<Self> {
        Self::start(load::serve)
    }
}

impl MiddleThread {
    /// A middle agent before a dependency. Nobody is led to it yet.
    pub(super) fn start(plan: MiddlePlan, upstream: HostPort) -> io::Result<Self> {
        let (doors, opened) = mpsc::unbounded_channel();
        let thread = AgentThread::start(|api| async move {
            let agent = Agent::start(plan, Limits::default());
            let upstreams = [upstream.clone()];
            let api = async {
                if let Err(error) = serve(Arc::clone(&agent), api).await {
                    tracing::warn!(%error, "the API of an agent has ended");
                }
            };
            tokio::join!(api, reach(&agent, &upstreams), let_in(&agent, upstream, opened));
        })?;
        Ok(Self { thread, doors })
    }

    /// Opens a door of its own for one copy, and gives its port: who comes through it is that copy.
    pub(super) fn door(&self) -> io::Result<u16> {
        let listener = listener()?;
        let port = listener.local_addr()?.port();
        self.doors.send(listener).map_err(|_| io::Error::other("the agent has ended"))?;
        Ok(port)
    }
}

async fn let_in(agent: &Arc<Agent>, upstream: HostPort, mut opened: mpsc::UnboundedReceiver<Listener>) {
    while let Some(door) = opened.recv().await {
        let Ok(address) = door.local_addr() else { continue };
        match TcpListener::from_std(door) {
            Ok(door) => {
                let origin = Some(Origin::Listener(address.port()));
                tokio::spawn(Arc::clone(agent).accept(door, upstream.clone(), origin));
            }
            Err(error) => tracing::warn!(%error, "a door could not be opened"),
        }
    }
}

fn listener() -> io::Result<Listener> {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
