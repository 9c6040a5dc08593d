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

use crate::key::Key;
use crate::load;
use crate::middle::{Agent, HostPort, Limits, MiddlePlan, Origin, reach, serve_guarded};

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

    /// A load agent, which hears whoever knows the key.
    pub(super) fn load(key: Key) -> io::Result<Self> {
        Self::start(|api| load::serve_guarded(api, key))
    }
}

impl MiddleThread {
    /// A middle agent before a dependency, which hears whoever knows the key. Nobody is led to it yet.
    pub(super) fn start(plan: MiddlePlan, upstream: HostPort, key: Key) -> io::Result<Self> {
        let (doors, opened) = mpsc::unbounded_channel();
        let thread = AgentThread::start(|api| async move {
            let agent = Agent::start(plan, Limits::default());
            let upstreams = [upstream.clone()];
            let api = async {
                if let Err(error) = serve_guarded(Arc::clone(&agent), api, key).await {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::config::Protocol;
    use crate::key::HEADER;

    /// The first line of what an agent answers to somebody who says this key.
    async fn answer(agent: SocketAddr, key: &str) -> String {
        let mut stream = TcpStream::connect(agent).await.unwrap();
        let request =
            format!("GET /status HTTP/1.1\r\nhost: a\r\n{HEADER}: {key}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said.lines().next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn agents_hear_nobody_without_the_key_of_the_run() {
        let key = Key::new();
        let load = AgentThread::load(key.clone()).unwrap();
        let (dependency, trace_prefix) = ("cache".to_owned(), "0a0b0c0d".to_owned());
        let plan = MiddlePlan { dependency, protocol: Protocol::Redis, trace_prefix };
        let middle = MiddleThread::start(plan, "127.0.0.1:9".parse().unwrap(), key.clone()).unwrap();
        for agent in [load.address, middle.thread.address] {
            assert_eq!(answer(agent, key.text()).await, "HTTP/1.1 200 OK");
            assert_eq!(answer(agent, Key::new().text()).await, "HTTP/1.1 403 Forbidden");
            assert_eq!(answer(agent, "").await, "HTTP/1.1 403 Forbidden");
        }
    }
}
