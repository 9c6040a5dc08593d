use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stands before a backend, so that it can go away and come back for one test alone.
pub(crate) struct Gate {
    pub(crate) port: u16,
    mode: watch::Sender<Mode>,
    target: Arc<AtomicU16>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    asked: AtomicUsize,
    forgotten: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Forward,
    /// Connections are closed, old and new ones.
    Refuse,
    /// As above, and nobody listens: the system refuses new connections.
    Gone,
    /// Connections stay, and nothing moves.
    Hang,
}

impl Mode {
    fn closes(self) -> bool {
        matches!(self, Self::Refuse | Self::Gone)
    }
}

impl Gate {
    pub(crate) async fn before(target: u16, first: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, watched) = watch::channel(first);
        let counts = Arc::<Counts>::default();
        let target = Arc::new(AtomicU16::new(target));
        tokio::spawn(listen(listener, Arc::clone(&target), watched, Arc::clone(&counts)));
        Self { port, mode, target, counts }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// From now on new connections lead there; old ones stay where they are.
    #[allow(dead_code, reason = "not for the benchmarks")]
    pub(crate) fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::SeqCst);
    }

    /// Nothing moves any more on the connections that there are, as after a silent loss; new ones work.
    #[allow(dead_code, reason = "not for the benchmarks")]
    pub(crate) fn forget(&self) {
        self.counts.forgotten.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// Messages of clients, as far as one write is one message.
    pub(crate) fn asked(&self) -> usize {
        self.counts.asked.load(Ordering::SeqCst)
    }
}

async fn listen(
    first: TcpListener,
    target: Arc<AtomicU16>,
    mode: watch::Receiver<Mode>,
    counts: Arc<Counts>,
) {
    let (address, mut listener) = (first.local_addr().unwrap(), first);
    let mut watched = mode.clone();
    loop {
        tokio::select! {
            client = listener.accept() => {
                let Ok((client, _)) = client else { return };
                counts.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(forward(client, target.load(Ordering::SeqCst), mode.clone(), Arc::clone(&counts)));
            }
            gone = reached(&mut watched, |mode| mode == Mode::Gone) => {
                if !gone {
                    return;
                }
                drop(listener);
                if !reached(&mut watched, |mode| mode != Mode::Gone).await {
                    return;
                }
                listener = TcpListener::bind(address).await.unwrap();
            }
        }
    }
}

/// False if it never will be: the gate is gone.
async fn reached(mode: &mut watch::Receiver<Mode>, is: impl Fn(Mode) -> bool) -> bool {
    mode.wait_for(|mode| is(*mode)).await.is_ok()
}

async fn forward(client: TcpStream, target: u16, mode: watch::Receiver<Mode>, counts: Arc<Counts>) {
    if mode.borrow().closes() {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    let answers = AtomicUsize::default();
    let forgotten = counts.forgotten.load(Ordering::SeqCst);
    let is_known = || counts.forgotten.load(Ordering::SeqCst) == forgotten;
    tokio::select! {
        () = pump(client_reads, server_writes, mode.clone(), &counts.asked, is_known) => {}
        () = pump(server_reads, client_writes, mode, &answers, is_known) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    messages: &AtomicUsize,
    is_known: impl Fn() -> bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut refused = mode.clone();
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = refused.wait_for(|mode| mode.closes()) => return,
        };
        if !is_known() {
            return std::future::pending().await;
        }
        if read > 0 {
            messages.fetch_add(1, Ordering::SeqCst);
        }
        let Ok(now) = mode.wait_for(|mode| *mode != Mode::Hang).await.map(|mode| *mode) else {
            return;
        };
        if read == 0 || now.closes() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
