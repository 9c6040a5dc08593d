use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as Wake, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream of a connection, which keeps its place for as long as it is there: hyper hands it on with an upgrade, as to a
/// WebSocket, while the connection ends for the server.
pub(super) struct Wire<S, P> {
    stream: S,
    _place: P,
}

impl<S, P> Wire<S, P> {
    pub(super) fn new(stream: S, place: P) -> Self {
        Self { stream, _place: place }
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
        Pin::new(&mut self.stream).poll_write(wake, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        wake: &mut Wake<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(wake, parts)
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
