//! The Service: an L4 switch before the copies, which hears of every change of its endpoints a lag later, as the nodes
//! of a cluster do.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::evidence::Who;
use crate::moment::now;
use crate::pulse::Pulse;

/// How often it looks at its clock, as agents do.
const BEAT: Duration = Duration::from_millis(250);

/// How long a copy may take to accept: what listens accepts at once, whatever it does afterwards.
const CONNECT: Duration = Duration::from_secs(3);

/// Before a connection that could not be accepted is tried again: out of file descriptors, they come back.
const BREATH: Duration = Duration::from_millis(20);

/// One copy, as the Service knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Where it serves.
    pub(super) address: SocketAddr,
    /// Whether it is ready and not about to end.
    pub(super) ready: bool,
    /// Whether it answers its readiness probe although it is about to end.
    pub(super) serving: bool,
}

/// A running switch, on a thread of its own: what keeps the validator busy delays nobody. It ends with this value, and the
/// connections through it do.
pub(super) struct Switch {
    address: SocketAddr,
    pulse: Arc<Pulse>,
    _stop: DropGuard,
    _thread: JoinHandle<()>,
}

impl Switch {
    /// Starts one on a port of its own. Connections are led to the endpoints in turn; without any they are refused.
    ///
    /// # Errors
    /// When there is no port, or no thread.
    pub(super) fn start(endpoints: watch::Receiver<Vec<Endpoint>>, lag: Duration) -> io::Result<Self> {
        // Bound and not listening, it keeps the port for us while nobody listens.
        let reserved = TcpSocket::new_v4()?;
        reserved.set_reuseaddr(true)?;
        reserved.bind(([127, 0, 0, 1], 0).into())?;
        let address = reserved.local_addr()?;
        let (heard, known) = watch::channel(endpoints.borrow().clone());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let pulse = {
            let _entered = runtime.enter();
            Arc::new(Pulse::start(Who::Switch, BEAT, now))
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("switch".to_owned()).spawn(move || {
            let work = async { tokio::join!(late(endpoints, heard, lag), lead(address, known)) };
            runtime.block_on(stopped.run_until_cancelled(work));
            drop(reserved);
        })?;
        Ok(Self { address, pulse, _stop: stop.drop_guard(), _thread: thread })
    }

    /// Its signs of life: while it stands still, users wait.
    pub(super) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Where users come to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Passes every change on a lag after it came, in order.
async fn late(
    mut endpoints: watch::Receiver<Vec<Endpoint>>,
    heard: watch::Sender<Vec<Endpoint>>,
    lag: Duration,
) {
    let mut due = VecDeque::from([(Instant::now(), endpoints.borrow_and_update().clone())]);
    loop {
        let next = due.front().map(|(at, _)| *at);
        tokio::select! {
            changed = endpoints.changed() => match changed {
                Ok(()) => due.push_back((Instant::now() + lag, endpoints.borrow_and_update().clone())),
                Err(_) => return std::future::pending().await,
            },
            () = async { match next { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {
                if let Some((_, table)) = due.pop_front() {
                    heard.send_replace(table);
                }
            }
        }
    }
}

/// Where new connections go: to the ready copies, else to those that still answer at their end (KEP-1669).
fn routed(endpoints: &[Endpoint]) -> Vec<SocketAddr> {
    let of = |wanted: fn(&&Endpoint) -> bool| endpoints.iter().filter(wanted).map(|e| e.address).collect();
    let ready: Vec<_> = of(|endpoint| endpoint.ready);
    if ready.is_empty() { of(|endpoint| endpoint.serving) } else { ready }
}

/// Without an endpoint nobody listens: a connection is refused, as a node refuses it.
async fn lead(address: SocketAddr, mut known: watch::Receiver<Vec<Endpoint>>) {
    let (mut listener, mut carried, mut turn) = (None, JoinSet::new(), 0_usize);
    loop {
        let routes = routed(&known.borrow_and_update());
        if routes.is_empty() {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let Some(open) = &listener else {
            tokio::select! {
                _ = known.changed() => {}
                () = sleep(BREATH) => {}
            }
            continue;
        };
        tokio::select! {
            _ = known.changed() => {}
            Some(_) = carried.join_next() => {}
            accepted = open.accept() => match accepted {
                Ok((client, _)) => {
                    turn = turn.wrapping_add(1);
                    carried.spawn(carry(client, routes[turn % routes.len()]));
                }
                Err(_) => sleep(BREATH).await,
            },
        }
    }
}

/// An end in order is passed on as one, a reset as a reset; a copy that does not accept is a reset as well.
async fn carry(mut client: TcpStream, copy: SocketAddr) {
    client.set_nodelay(true).ok(); // without it answers come later, not wrong
    let carried = async {
        let mut server = timeout(CONNECT, TcpStream::connect(copy)).await??;
        server.set_nodelay(true)?;
        let carried = copy_bidirectional(&mut client, &mut server).await;
        if carried.is_err() {
            server.set_zero_linger().ok(); // a close instead, if the socket is gone already
        }
        carried.map(drop)
    };
    if carried.await.is_err() {
        client.set_zero_linger().ok(); // the same
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A copy that says its letter to everybody, and then what it is told to do with him.
    async fn copy(letter: u8, end: fn(TcpStream)) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(&[letter]).await.unwrap();
                end(stream);
            }
        });
        address
    }

    fn ready(address: SocketAddr) -> Endpoint {
        Endpoint { address, ready: true, serving: true }
    }

    async fn ask(at: SocketAddr) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        TcpStream::connect(at).await?.read_to_end(&mut answer).await?;
        Ok(answer)
    }

    async fn until(mut what: impl AsyncFnMut() -> bool) {
        for _ in 0..12_000 {
            if what().await {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("it never comes to that")
    }

    #[tokio::test]
    async fn connections_go_to_the_ready_in_turn_and_are_refused_without_any() {
        let (a, b) = (copy(b'a', drop).await, copy(b'b', drop).await);
        let (table, known) = watch::channel(vec![]);
        let switch = Switch::start(known, Duration::ZERO).unwrap();
        until(async || ask(switch.address()).await.is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused))
            .await;
        table.send_replace(vec![ready(a), Endpoint { ready: false, serving: true, ..ready(b) }]);
        until(async || ask(switch.address()).await.is_ok()).await;
        for _ in 0..4 {
            assert_eq!(ask(switch.address()).await.unwrap(), b"a", "the other one is about to end");
        }
        table.send_replace(vec![ready(a), ready(b)]);
        until(async || ask(switch.address()).await.unwrap() == b"b").await;
        let (one, two) = (ask(switch.address()).await.unwrap(), ask(switch.address()).await.unwrap());
        assert_ne!(one, two);
        table.send_replace(vec![Endpoint { ready: false, serving: true, ..ready(b) }]);
        until(async || ask(switch.address()).await.unwrap() == b"b").await;
        assert_eq!(ask(switch.address()).await.unwrap(), b"b", "the last one that answers at all");
    }

    #[test]
    fn nobody_waits_for_the_runtime_that_the_switch_was_started_from() {
        let busy = Builder::new_current_thread().enable_all().build().unwrap();
        let (switch, _copy) = busy.block_on(async {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let (_, known) = watch::channel(vec![ready(listener.local_addr().unwrap())]);
            (Switch::start(known, Duration::ZERO).unwrap(), listener)
        });
        // That runtime does nothing now, and the switch is there all the same.
        let deadline = std::time::Instant::now() + Duration::from_mins(1);
        while std::net::TcpStream::connect(switch.address()).is_err() {
            assert!(std::time::Instant::now() < deadline);
        }
        while switch.pulse().facts().is_empty() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(!switch.pulse().facts().is_empty());
    }

    #[tokio::test]
    async fn a_reset_is_passed_on_as_one() {
        let resets = copy(b'r', |stream| stream.set_zero_linger().unwrap()).await;
        let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let (table, known) = watch::channel(vec![ready(resets)]);
        let switch = Switch::start(known, Duration::ZERO).unwrap();
        until(async || ask(switch.address()).await.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset))
            .await;
        table.send_replace(vec![ready(closed)]);
        let silent = async || match TcpStream::connect(switch.address()).await {
            Ok(mut stream) => {
                let mut answer = Vec::new();
                let read = stream.read_to_end(&mut answer).await;
                read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset) && answer.is_empty()
            }
            Err(_) => false,
        };
        until(silent).await;
    }

    #[tokio::test(start_paused = true)]
    async fn every_change_is_heard_of_a_lag_later_and_none_is_skipped() {
        let (table, endpoints) = watch::channel(vec![]);
        let (heard, mut known) = watch::channel(vec![ready("127.0.0.1:9".parse().unwrap())]);
        let lag = Duration::from_secs(1);
        let _late = JoinSet::from_iter([late(endpoints, heard, lag)]);
        known.changed().await.unwrap();
        assert!(known.borrow_and_update().is_empty(), "what is there at first is known at once");
        let since = Instant::now();
        for port in [1, 2] {
            table.send_replace(vec![ready(SocketAddr::from(([127, 0, 0, 1], port)))]);
            sleep(Duration::from_millis(400)).await;
        }
        for (port, after) in [(1, 1000), (2, 1400)] {
            known.changed().await.unwrap();
            assert_eq!(known.borrow_and_update()[0].address.port(), port);
            assert_eq!(since.elapsed().as_millis(), after);
        }
    }
}
