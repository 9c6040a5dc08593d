use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as Wake, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The stream of a connection, which keeps its place for as long as it is there: hyper hands it on with an upgrade, as to a
/// WebSocket, while the connection ends for the server. It fails once nothing can be written for `limit`: no timer of
/// hyper's is for a client that does not read.
pub(super) struct Wire<S, P> {
    stream: S,
    limit: Duration,
    /// While there is something to write, and no room for it. On the heap, since hyper wants to move the stream.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: P,
}

impl<S, P> Wire<S, P> {
    pub(super) fn new(stream: S, limit: Duration, place: P) -> Self {
        Self { stream, limit, stalled: None, _place: place }
    }

    fn bounded<T>(&mut self, wake: &mut Wake<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        stalled.as_mut().poll(wake).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin, P: Unpin> AsyncRead for Wire<S, P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        wake: &mut Wake<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(wake, buffer)
    }
}

impl<S: AsyncWrite + Unpin, P: Unpin> AsyncWrite for Wire<S, P> {
    fn poll_write(mut self: Pin<&mut Self>, wake: &mut Wake<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(wake, bytes);
        self.bounded(wake, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        wake: &mut Wake<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(wake, parts);
        self.bounded(wake, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, wake: &mut Wake<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(wake)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, wake: &mut Wake<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(wake)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_slow_is_waited_for_and_one_that_has_stopped_is_not() {
        let (near, mut far) = duplex(1);
        let mut wire = Wire::new(near, LIMIT, ());
        let writing = tokio::spawn(async move { wire.write_all(&[0; 5]).await });
        for _ in 0..3 {
            sleep(LIMIT * 9 / 10).await;
            far.read_exact(&mut [0]).await.expect("a byte");
        }
        let since = Instant::now();
        let ended = timeout(LIMIT * 2, writing).await.expect("in time");
        let error = ended.expect("no panic").expect_err("the last byte is never taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let after = since.elapsed();
        assert!((LIMIT..LIMIT + Duration::from_millis(10)).contains(&after), "{after:?}");
    }
}
