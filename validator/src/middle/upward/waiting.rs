//! A call that is made to wait, and its caller, who may give up meanwhile.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::tcp::ReadHalf;
use tokio::time::sleep;

use super::{End, Upward};
use crate::middle::in_force::Ticket;
use crate::middle::waiting::Waiting;

/// Bytes read ahead while a call waits: who gives up is noticed only behind what he has sent before.
const WAIT_AHEAD: usize = 4 * 1024 * 1024;

/// How often a client of whom no more is read is looked at.
const HANG_UP_LOOK: Duration = Duration::from_millis(100);

impl<W> Upward<'_, W> {
    /// Waits with a call, and goes on reading: a client that closes its connection has given up.
    pub(super) async fn wait(&mut self, ticket: &Ticket) -> Result<(), End> {
        let desk = &self.agent.desk;
        let waiting = Waiting::new(desk, self.source, ticket);
        let over = desk.wait(self.source, ticket);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = &mut over => break,
                read = read_ahead(&mut self.client, &mut self.buffer) => match read {
                    Ok(0) | Err(_) => return Err(End::Gone),
                    Ok(length) => self.arrivals.read(length),
                }
            }
        }
        waiting.over();
        Ok(())
    }
}

/// Reads on while a call waits. Gives 0 when the client has closed its connection, whatever it has said before that
/// nobody has read.
async fn read_ahead(client: &mut ReadHalf<'_>, buffer: &mut BytesMut) -> std::io::Result<usize> {
    if buffer.len() < WAIT_AHEAD {
        return client.read_buf(buffer).await;
    }
    while !client.ready(Interest::READABLE).await?.is_read_closed() {
        sleep(HANG_UP_LOOK).await;
    }
    Ok(0)
}
