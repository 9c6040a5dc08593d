//! How connections are served, on whichever port.

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;

/// A dead HTTP/2 peer is noticed within the sum of both.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest request head: with 400 kB of them on some hundred connections, a pod would be out of memory.
const HEAD_LIMIT: usize = 32 * 1024;

/// HTTP/1 and HTTP/2 (prior knowledge), with heads that are bounded in length. `head_timeout` is for those of HTTP/1, idle
/// time before them included, and runs from the first byte of the connection on.
pub(crate) fn builder(head_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout).max_buf_size(HEAD_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_LIMIT as u32)
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_TIMEOUT);
    builder
}
