//! Connections that do not come to an end by themselves: none may hold the exit up, or make it a failure.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{Service, seconds};

/// The clock of the design, four times as fast.
const FAST: [(&str, &str); 4] = [
    ("SHUTDOWN_LAMEDUCK", "500ms"),
    ("SHUTDOWN_DRAIN", "2s"),
    ("SHUTDOWN_FLUSH", "5s"),
    ("SHUTDOWN_FORCE", "6s"),
];

/// Sends `text`, waits until something comes back if `answered`, then ends the service; returns its exit code, the
/// time it took, and what was received after the signal.
async fn end_with(text: &str, answered: bool) -> (Option<i32>, Duration, String) {
    let mut service = Service::example("streams", Vec::new(), &FAST);
    service.until_listening().await;
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    if answered {
        stream.read_exact(&mut [0; 16]).await.unwrap();
    } else {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    service.signal("TERM");
    let (status, after) = service.ended().await;
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(seconds(2), stream.read_to_end(&mut rest)).await;
    (status.code(), after, String::from_utf8_lossy(&rest).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_is_no_request_and_no_failure() {
    let (code, after, _) = end_with("GET /events HTTP/1.1\r\nhost: us", false).await;
    assert_eq!(code, Some(0));
    assert!((1.9..4.0).contains(&after.as_secs_f64()), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_goes_on_through_the_drain_and_is_then_cut() {
    let (code, after, text) = end_with("GET /events HTTP/1.1\r\nhost: users\r\n\r\n", true).await;
    assert_eq!(code, Some(0));
    assert!((2.9..4.8).contains(&after.as_secs_f64()), "{after:?}");
    assert!(text.matches("data:").count() > 15, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_nothing_up() {
    let (code, after, _) = end_with("GET /large HTTP/1.1\r\nhost: users\r\n\r\n", true).await;
    assert_eq!(code, Some(0));
    assert!((2.9..4.8).contains(&after.as_secs_f64()), "{after:?}");
}

/// It is in flight: it may still finish, until the exit is forced.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_is_waited_for_until_the_forced_exit() {
    let upload = "POST /upload HTTP/1.1\r\nhost: users\r\ncontent-length: 10\r\n\r\nhalf";
    let (code, after, _) = end_with(upload, false).await;
    assert_eq!(code, Some(1));
    assert!((5.7..6.8).contains(&after.as_secs_f64()), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_told_goodbye_at_the_signal() {
    let upgrade = "GET /ws HTTP/1.1\r\nhost: users\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (code, after, text) = end_with(upgrade, true).await;
    assert_eq!(code, Some(0));
    assert!(after < seconds(2), "{after:?}");
    // A close frame: final, opcode 8, no payload.
    assert!(text.ends_with('\0') && text.contains('\u{fffd}'), "{text:?}");
}
