//! From the dependency to the client: follows what is answered, and keeps it back when a fault says so.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::WriteHalf;
use tokio::sync::watch;

use super::agent::Agent;
use super::desk::Passage;
use super::protocol::Answering;
use super::upward::End;
use super::wire::Wire;
use crate::middle::Origin;

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// One direction of one connection.
pub(super) struct Downward<'a, R> {
    pub(super) agent: &'a Agent,
    pub(super) source: Origin,
    pub(super) wire: &'a Wire,
    pub(super) server: R,
    pub(super) client: WriteHalf<'a>,
    pub(super) answering: Answering,
}

impl<R: AsyncRead + Unpin> Downward<'_, R> {
    /// Runs until the connection ends in this direction.
    pub(super) async fn run(mut self) -> End {
        let mut changes = self.agent.desk.changes();
        let mut bytes = BytesMut::with_capacity(CHUNK);
        loop {
            bytes.clear();
            match self.server.read_buf(&mut bytes).await {
                Ok(0) => return End::Eof,
                Err(_) => return End::Gone,
                Ok(_) => {}
            }
            match self.passage(&mut changes).await {
                Passage::Silent => self.wire.silence(),
                Passage::Refused => return End::Reset,
                _ if self.wire.was_silenced() => return End::Reset,
                _ => {
                    if self.wire.is_raw() {
                        self.agent.desk.bytes(self.source, 0, bytes.len());
                    }
                    let rewritten = self.answering.read(&bytes, self.wire);
                    if self.wire.take_unread() {
                        self.agent.unread(self.source);
                    }
                    self.agent.desk.missed(self.source, self.wire.take_missed());
                    if self.client.write_all(rewritten.as_deref().unwrap_or(&bytes)).await.is_err() {
                        return End::Gone;
                    }
                }
            }
        }
    }

    /// How bytes may pass, once they need not wait any longer.
    async fn passage(&self, changes: &mut watch::Receiver<()>) -> Passage {
        loop {
            changes.borrow_and_update();
            match self.agent.desk.passage(self.source, false) {
                Passage::Stalled => {
                    self.agent.desk.passage(self.source, true);
                    drop(changes.changed().await);
                }
                Passage::Silent => return self.agent.desk.passage(self.source, true),
                other => return other,
            }
        }
    }
}
