//! How an agent takes connections in, and carries each to the dependency.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::agent::{Agent, TICK};
use super::arrivals::Arrivals;
use super::desk::{Opening, Passage};
use super::downward::Downward;
use super::presence::Presence;
use super::protocol::{Answering, Asking};
use super::proxy::Proxy;
use super::upward::{End, Upward};
use super::wire::Wire;
use super::{HostPort, Origin, PortPlan};
use crate::config::Protocol;

/// How long the dependency may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// After one side has said its last, the other one may take this long.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// Bytes between a client and the proxy before it.
const PIPE: usize = 256 * 1024;

impl Agent {
    /// Accepts connections and carries each to `upstream`, until the listener fails or the future is dropped.
    /// Connections go on by themselves. All are of `origin`, if there is one; else their source address tells.
    pub async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        upstream: HostPort,
        origin: Option<Origin>,
    ) -> std::io::Result<()> {
        loop {
            match listener.accept().await {
                Ok((client, peer)) => {
                    let origin = origin.unwrap_or_else(|| peer.ip().into());
                    tokio::spawn(Arc::clone(&self).carry(client, origin, upstream.clone()));
                }
                // Out of file descriptors: those in use are given back in a while.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(TICK).await;
                }
            }
        }
    }

    async fn carry(self: Arc<Self>, mut client: TcpStream, source: Origin, upstream: HostPort) {
        match self.connect_and_carry(&mut client, source, &upstream).await {
            // A client that is gone reads neither.
            End::Answer(bytes) => {
                client.write_all(&bytes).await.ok();
                client.shutdown().await.ok();
            }
            End::Eof => client.shutdown().await.unwrap_or_default(),
            // A close instead of a reset, if the socket is gone already.
            End::Reset | End::Gone => client.set_zero_linger().unwrap_or_default(),
        }
    }

    /// A connection counts from the moment it is let in: what a fault refuses was never one.
    async fn connect_and_carry(
        self: &Arc<Self>,
        client: &mut TcpStream,
        source: Origin,
        upstream: &HostPort,
    ) -> End {
        client.set_nodelay(true).ok(); // without it answers come later, not wrong
        if self.admit(client, source).await.is_err() {
            return End::Reset;
        }
        let presence = Presence::begin(&self.desk, source);
        self.reach_and_carry(client, &presence, upstream).await
    }

    async fn reach_and_carry(
        self: &Arc<Self>,
        client: &mut TcpStream,
        presence: &Presence<'_>,
        upstream: &HostPort,
    ) -> End {
        let mut server = match timeout(CONNECT, upstream.connect()).await {
            Ok(Ok(server)) => server,
            Ok(Err(error)) => {
                self.desk.unreached(error.to_string());
                return End::Reset;
            }
            Err(_) => {
                self.desk.unreached(format!("no answer within {} s", CONNECT.as_secs()));
                return End::Reset;
            }
        };
        server.set_nodelay(true).ok(); // the same
        let wire = Wire::default();
        match self.desk.plan.protocol {
            Protocol::Http | Protocol::Otlp => self.carry_to_proxy(client, presence, &wire, server).await,
            Protocol::Postgres | Protocol::Redis => self.both(client, presence, &wire, server.split()).await,
            Protocol::Tcp => {
                wire.go_raw();
                self.both(client, presence, &wire, server.split()).await
            }
        }
    }

    /// Between the client and the proxy there is a pipe, so that faults meet bytes as with every other protocol.
    async fn carry_to_proxy(
        self: &Arc<Self>,
        client: &mut TcpStream,
        presence: &Presence<'_>,
        wire: &Wire,
        server: TcpStream,
    ) -> End {
        let (near, far) = tokio::io::duplex(PIPE);
        let proxy = Arc::new(Proxy::new(Arc::clone(self), presence.source, server, wire.hung_up()));
        let serving = AbortOnDropHandle::new(tokio::spawn(proxy.serve(far)));
        let end = self.both(client, presence, wire, tokio::io::split(near)).await;
        // Also one that was reset has: what waits for its sake waits for nobody.
        wire.hang_up();
        match end {
            // Its end says whether the last answer was whole.
            End::Eof if matches!(timeout(CONNECT, serving).await, Ok(Ok(Err(_)))) => End::Reset,
            end => end,
        }
    }

    /// Carries both directions until the connection is over.
    async fn both(
        &self,
        client: &mut TcpStream,
        presence: &Presence<'_>,
        wire: &Wire,
        (from_server, to_server): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    ) -> End {
        let (source, (from_client, to_client)) = (presence.source, client.split());
        let protocol = self.desk.plan.protocol;
        let up = Upward {
            agent: self,
            source,
            wire,
            client: from_client,
            server: to_server,
            asking: Asking::new(protocol),
            arrivals: Arrivals::default(),
            buffer: BytesMut::with_capacity(16 * 1024),
            begun: false,
            opened: Instant::now(),
            opening: Opening::default(),
        };
        let answering = Answering::new(protocol);
        let down = Downward { agent: self, source, wire, server: from_server, client: to_client, answering };
        let (up, down) = (up.run(), down.run());
        tokio::pin!(up, down);
        tokio::select! {
            end = &mut up => match end {
                End::Eof => {
                    presence.end();
                    timeout(LAST_WORDS, down).await.unwrap_or(End::Gone)
                }
                other => other,
            },
            end = &mut down => end,
        }
    }

    /// Lets a new connection in, as soon as the faults of its pod allow it.
    async fn admit(&self, client: &TcpStream, source: Origin) -> Result<(), End> {
        let mut changes = self.desk.changes();
        let mut silenced = false;
        loop {
            changes.borrow_and_update();
            match self.desk.passage(source, true) {
                Passage::Open if silenced => return Err(End::Reset),
                Passage::Open => return Ok(()),
                Passage::Refused => return Err(End::Reset),
                Passage::Silent => silenced = true,
                Passage::Stalled => {}
                Passage::ResetAtByte => tokio::select! {
                    _ = client.readable() => return Err(End::Reset),
                    _ = changes.changed() => continue,
                },
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = closed(client) => return Err(End::Gone),
            }
        }
    }
}

/// Waits until the peer has closed its side.
async fn closed(client: &TcpStream) {
    let mut byte = [0];
    while client.peek(&mut byte).await.is_ok_and(|length| length > 0) {
        sleep(TICK).await;
    }
}

/// Tries every port of the dependency until one answers, so that nobody is led to an agent that cannot pass him on.
/// Dropping it leaves the agent unreached.
pub async fn reach(agent: &Agent, upstreams: &[HostPort]) {
    loop {
        for upstream in upstreams {
            if matches!(timeout(CONNECT, upstream.connect()).await, Ok(Ok(_))) {
                return agent.desk.reached();
            }
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Listens on every address of both families, or of the one that there is.
async fn bind(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

/// Opens the listeners of a plan and serves them until one fails.
pub async fn listen(agent: &Arc<Agent>, ports: &[PortPlan]) -> std::io::Result<()> {
    let mut serving = tokio::task::JoinSet::new();
    for port in ports {
        let listener = bind(port.listen).await?;
        serving.spawn(Arc::clone(agent).accept(listener, port.upstream.clone(), None));
    }
    let upstreams: Vec<HostPort> = ports.iter().map(|port| port.upstream.clone()).collect();
    reach(agent, &upstreams).await;
    match serving.join_next().await {
        Some(ended) => ended.unwrap_or_else(|error| Err(std::io::Error::other(error))),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[tokio::test]
    async fn it_listens_to_both_families_where_there_are_both() {
        let listener = bind(0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.unwrap();
        }
    }
}
