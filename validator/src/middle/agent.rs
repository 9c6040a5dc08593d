//! A running agent: accepts connections and carries each to the dependency.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::desk::{Desk, Limits, Passage};
use super::downward::Downward;
use super::export::Export;
use super::in_force::Verdict;
use super::protocol::{Answering, Asking};
use super::spans::Spans;
use super::upward::{End, Quiet, Upward};
use super::wire::{Context, Wire};
use super::{HostPort, MiddlePlan, PortPlan};
use crate::config::Protocol;
use crate::evidence::Fact;

/// How long the dependency may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How often time is looked at: the precision of the ends of faults.
const TICK: Duration = Duration::from_millis(20);

/// After one side has said its last, the other one may take this long.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// One agent before one dependency.
pub struct Agent {
    pub(super) desk: Arc<Desk>,
    spans: Spans,
}

impl Agent {
    /// An agent that knows no target yet: it forwards everything. Its clock-driven work ends with the runtime.
    pub fn start(plan: MiddlePlan, limits: Limits) -> Arc<Self> {
        let desk = Arc::new(Desk::new(plan, limits));
        let agent = Arc::new(Self { spans: Spans::start(Arc::clone(&desk)), desk });
        let ticking = Arc::clone(&agent);
        tokio::spawn(async move {
            loop {
                sleep(TICK).await;
                ticking.desk.tick();
            }
        });
        agent
    }

    /// Accepts connections and carries each to `upstream`, until the listener fails or the future is dropped.
    /// Connections go on by themselves.
    pub async fn accept(self: Arc<Self>, listener: TcpListener, upstream: HostPort) -> std::io::Result<()> {
        loop {
            match listener.accept().await {
                Ok((client, peer)) => {
                    tokio::spawn(Arc::clone(&self).carry(client, peer.ip().to_canonical(), upstream.clone()));
                }
                // Out of file descriptors: those in use are given back in a while.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(TICK).await;
                }
            }
        }
    }

    /// Everything seen so far.
    pub(super) fn facts(&self) -> Vec<Fact> {
        self.desk.facts().into_iter().chain(self.spans.facts()).collect()
    }

    /// A request to an HTTP dependency, or an export to the collector, has come by.
    pub(super) fn request(&self, source: IpAddr, mark: u64, context: Option<Context>) -> Verdict {
        // Exports go on for a while after the load has ended: they are no pings.
        let mark = if self.desk.plan.protocol == Protocol::Otlp { 0 } else { mark };
        let verdict = self.desk.call(source, mark);
        let prefix = &self.desk.plan.trace_prefix;
        let ours = context.as_ref().is_none_or(|context| context.trace_id.starts_with(prefix));
        if self.desk.plan.protocol == Protocol::Http && ours {
            self.desk.outgoing(source, mark, context);
        }
        verdict
    }

    pub(super) fn export(&self, source: IpAddr, export: Export) {
        if self.desk.plan.protocol == Protocol::Otlp {
            self.spans.export(&self.desk, source, export);
        }
    }

    /// A connection has turned out to be nothing that is understood.
    pub(super) fn unread(&self, source: IpAddr) {
        let expected = match self.desk.plan.protocol {
            Protocol::Postgres => "it is not the protocol of Postgres",
            Protocol::Redis => "it is no RESP, or a value too long to be read",
            Protocol::Otlp | Protocol::Http => "it is no HTTP/1.1, but HTTP/2, gRPC or TLS",
            Protocol::Tcp => "only its bytes are told",
        };
        self.desk.unread(source, expected);
    }

    async fn carry(self: Arc<Self>, mut client: TcpStream, source: IpAddr, upstream: HostPort) {
        let end = self.connect_and_carry(&mut client, source, &upstream).await;
        if matches!(end, End::Reset | End::Gone | End::Cut) {
            client.set_zero_linger().ok(); // a close instead of a reset, if the socket is gone already
        }
    }

    /// A connection counts from the moment it is let in: what a fault refuses was never one.
    async fn connect_and_carry(&self, client: &mut TcpStream, source: IpAddr, upstream: &HostPort) -> End {
        client.set_nodelay(true).ok(); // without it answers come later, not wrong
        if self.admit(client, source).await.is_err() {
            return End::Reset;
        }
        self.desk.opened(source);
        let end = self.reach_and_carry(client, source, upstream).await;
        self.desk.closed(source, end == End::Cut);
        end
    }

    async fn reach_and_carry(&self, client: &mut TcpStream, source: IpAddr, upstream: &HostPort) -> End {
        let Ok(Ok(mut server)) = timeout(CONNECT, upstream.connect()).await else {
            return End::Reset;
        };
        server.set_nodelay(true).ok(); // the same
        let wire = Wire::default();
        let protocol = self.desk.plan.protocol;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = Upward {
            agent: self,
            source,
            wire: &wire,
            client: from_client,
            server: to_server,
            asking: Asking::new(protocol),
            buffer: BytesMut::with_capacity(16 * 1024),
            passed: 0,
            begun: false,
            quiet: Quiet::new(),
        };
        let down = Downward {
            agent: self,
            source,
            wire: &wire,
            server: from_server,
            client: to_client,
            answering: Answering::new(protocol),
        };
        both(up, down).await
    }

    /// Lets a new connection in, as soon as the faults of its pod allow it.
    async fn admit(&self, client: &TcpStream, source: IpAddr) -> Result<(), End> {
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

/// Carries both directions until the connection is over.
async fn both(up: Upward<'_>, down: Downward<'_>) -> End {
    let (up, down) = (up.run(), down.run());
    tokio::pin!(up, down);
    tokio::select! {
        end = &mut up => match end {
            End::Eof => timeout(LAST_WORDS, down).await.unwrap_or(End::Gone),
            other => other,
        },
        end = &mut down => end,
    }
}

/// Tries every port of the dependency until one answers, so that nobody is led to an agent that cannot pass him on.
async fn reach(agent: &Agent, ports: &[PortPlan]) {
    loop {
        for port in ports {
            if matches!(timeout(CONNECT, port.upstream.connect()).await, Ok(Ok(_))) {
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
        serving.spawn(Arc::clone(agent).accept(listener, port.upstream.clone()));
    }
    reach(agent, ports).await;
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
