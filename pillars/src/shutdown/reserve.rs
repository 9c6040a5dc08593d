use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections beyond the limit at a time that may still be a probe.
const PLACES: usize = 64;
/// Time to say so: a probe speaks at once.
const PATIENCE: Duration = Duration::from_secs(1);
/// What the head of a probe begins with.
const PROBES: [&[u8]; 2] = [b"GET /health", b"GET /ready"];

/// Room for probes where there is none for users: a process that is full is not to be taken for one that is dead. Clones
/// share it.
#[derive(Clone)]
pub(super) struct Reserve(Arc<Semaphore>);

impl Reserve {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }

    /// A place for a connection of which nothing is known yet, if there is one.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// Whether the first bytes are those of a probe. Takes none of them off the stream; cancel safe.
pub(super) async fn is_probe(stream: &TcpStream) -> bool {
    let mut head = [0; 12];
    let Ok(Ok(length)) = timeout(PATIENCE, stream.peek(&mut head)).await else { return false };
    PROBES.iter().any(|probe| match head[..length].strip_prefix(*probe) {
        Some([]) => length < head.len(),
        Some([next, ..]) => matches!(next, b' ' | b'?'),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn says(head: &[u8]) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("listens");
        client.write_all(head).await.expect("taken");
        is_probe(&listener.accept().await.expect("a client").0).await
    }

    #[tokio::test]
    async fn a_probe_is_known_by_its_first_bytes() {
        for probe in ["GET /health HTTP/1.1", "GET /ready HTTP/1.1", "GET /ready?verbose HTTP/1.1"] {
            assert!(says(probe.as_bytes()).await, "{probe}");
        }
        for other in ["GET /readyness HTTP/1.1", "GET /healthy HTTP/1.1", "POST /ready HTTP/1.1", "GET /"] {
            assert!(!says(other.as_bytes()).await, "{other}");
        }
    }
}
