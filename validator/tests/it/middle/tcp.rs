//! Anything else: of its connections only the bytes are known, and only they are broken.

use std::time::Duration;

use golive_validator::config::Protocol;
use golive_validator::evidence::{Fact, Fault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Before, POD, echo, limits};

const LONG: Duration = Duration::from_secs(30);
const NOT_YET: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_mins(1);

/// What TLS begins with: here it is as good as anything.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00";

async fn heard(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(bytes).await?;
    let mut heard = vec![0; bytes.len()];
    timeout(PATIENCE, stream.read_exact(&mut heard)).await.unwrap()?;
    Ok(heard)
}

#[tokio::test]
async fn connections_and_bytes_are_counted_and_nothing_is_called_unread() {
    let before = Before::new(Protocol::Tcp, echo().await, limits()).await;
    for _ in 0..2 {
        let mut pod = TcpStream::connect(before.address).await.unwrap();
        for _ in 0..3 {
            assert_eq!(heard(&mut pod, HELLO).await.unwrap(), HELLO);
        }
    }
    let facts = before.facts().await;
    let seconds = facts.iter().filter_map(|f| if let Fact::Call(c) = f { Some(c) } else { None });
    let sum = seconds.filter(|second| second.pod == POD).fold(
        (0, 0, 0, 0),
        |(sent, received, opened, calls), c| {
            (sent + c.sent, received + c.received, opened + c.opened, calls + c.total())
        },
    );
    assert_eq!(sum, (30, 30, 2, 0));
    assert!(!facts.iter().any(|f| matches!(f, Fact::Trouble(_))), "{facts:?}");
}

#[tokio::test]
async fn connections_are_silenced_stalled_reset_and_refused() {
    let before = Before::new(Protocol::Tcp, echo().await, limits()).await;
    let mut pod = TcpStream::connect(before.address).await.unwrap();
    assert!(heard(&mut pod, HELLO).await.is_ok());
    before.fault(Fault::Stall, LONG).await;
    {
        let stalled = heard(&mut pod, HELLO);
        tokio::pin!(stalled);
        assert!(timeout(NOT_YET, &mut stalled).await.is_err());
        before.clear().await;
        assert_eq!(stalled.await.unwrap(), HELLO);
    }
    before.fault(Fault::Silence, LONG).await;
    {
        let silenced = heard(&mut pod, HELLO);
        tokio::pin!(silenced);
        assert!(timeout(NOT_YET, &mut silenced).await.is_err());
        before.clear().await;
        assert!(silenced.await.is_err(), "what was swallowed is missing for ever");
    }
    for fault in [Fault::Reset, Fault::Refuse] {
        before.fault(fault, LONG).await;
        let mut pod = TcpStream::connect(before.address).await.unwrap();
        assert!(heard(&mut pod, HELLO).await.is_err());
    }
}

#[tokio::test]
async fn what_would_need_calls_is_refused_with_the_reason() {
    let before = Before::new(Protocol::Tcp, echo().await, limits()).await;
    let answer = before.refusal(Fault::Hang).await;
    let reason = "fault hang: not possible with protocol tcp: of its connections only the bytes are known";
    assert!(answer.starts_with("HTTP/1.1 422") && answer.ends_with(reason), "{answer}");
}
