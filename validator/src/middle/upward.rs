//! From the client to the dependency: counts calls, makes them wait, notices who gave up.

use std::net::IpAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep};

use super::agent::Agent;
use super::desk::Passage;
use super::in_force::{Ticket, Verdict};
use super::protocol::Asking;
use super::redis::blank_keys;
use super::wire::{Encryption, Head, Wire};

/// Bytes read ahead while a call waits; a client that sends more has to wait itself.
const READ_AHEAD: usize = 256 * 1024;

/// How often a connection that is to be handed back is looked at, and how long it must be idle.
const HAND_BACK_LOOK: Duration = Duration::from_millis(50);

/// A connection that is not understood is idle after this time without a byte.
const RAW_IDLE: Duration = Duration::from_secs(1);

/// How one direction of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The sender has no more to say.
    Eof,
    /// A side is gone.
    Gone,
    /// The client is to see a reset.
    Reset,
    /// It was idle and is handed back.
    Idle,
    /// It was not idle in time and is cut.
    Cut,
}

/// One direction of one connection.
pub(super) struct Upward<'a> {
    pub(super) agent: &'a Agent,
    pub(super) source: IpAddr,
    pub(super) wire: &'a Wire,
    pub(super) client: ReadHalf<'a>,
    pub(super) server: WriteHalf<'a>,
    pub(super) asking: Asking,
    pub(super) buffer: BytesMut,
    pub(super) last_byte: Instant,
}

impl Upward<'_> {
    /// Runs until the connection ends in this direction.
    pub(super) async fn run(mut self) -> End {
        let mut changes = self.agent.desk.changes();
        loop {
            changes.borrow_and_update();
            let passed = match self.agent.desk.passage(self.source, !self.buffer.is_empty()) {
                Passage::Refused => Err(End::Reset),
                Passage::ResetAtByte if !self.buffer.is_empty() => Err(End::Reset),
                Passage::Silent => {
                    self.wire.silence();
                    self.buffer.clear();
                    Ok(())
                }
                Passage::Open if self.wire.was_silenced() => Err(End::Reset),
                Passage::Open => self.forward().await,
                Passage::Stalled | Passage::ResetAtByte => Ok(()),
            };
            if let Err(end) = passed.and_then(|()| self.handed_back()) {
                return end;
            }
            let handing_back = self.agent.desk.is_handing_back();
            let room = self.buffer.len() < READ_AHEAD;
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep(HAND_BACK_LOOK), if handing_back => {}
                read = self.client.read_buf(&mut self.buffer), if room => match read {
                    Ok(0) if self.server.shutdown().await.is_ok() => return End::Eof,
                    Ok(0) | Err(_) => return End::Gone,
                    Ok(_) => self.last_byte = Instant::now(),
                }
            }
        }
    }

    /// Passes on what may be passed on, call by call.
    async fn forward(&mut self) -> Result<(), End> {
        if self.wire.encryption() == Encryption::Agreed && !self.wire.is_raw() {
            self.wire.go_raw();
            self.agent.desk.encrypted(self.source);
        }
        let mut passing = 0;
        while passing < self.buffer.len() {
            if self.wire.is_raw() {
                passing = self.buffer.len();
                break;
            }
            match self.asking.head(&self.buffer[passing..], self.wire) {
                Head::Partial => break,
                Head::Pass(length) => passing += length,
                Head::Ask(length, answers) => {
                    self.wire.ask(answers);
                    passing += length;
                }
                Head::Raw => self.wire.go_unread(),
                Head::Stream => self.wire.go_raw(),
                Head::Request { length, mark, context } => {
                    let verdict = self.agent.request(self.source, mark, context);
                    passing = self.call(passing, length, 1, verdict).await?;
                }
                Head::Call { length, mark, answers } => {
                    let verdict = self.agent.desk.call(self.source, mark);
                    passing = self.call(passing, length, answers, verdict).await?;
                }
            }
        }
        for export in self.asking.exports() {
            self.agent.export(self.source, export);
        }
        if self.wire.take_unread() {
            self.agent.unread(self.source);
        }
        self.pass(passing).await
    }

    /// Does with a call what the verdict says; gives how many bytes may be passed on now.
    async fn call(
        &mut self,
        passing: usize,
        length: usize,
        answers: i64,
        verdict: Verdict,
    ) -> Result<usize, End> {
        match verdict {
            Verdict::Pass => {
                self.wire.ask(answers);
                Ok(passing + length)
            }
            Verdict::Wait(ticket) => {
                self.pass(passing).await?;
                self.wait(&ticket).await?;
                self.wire.ask(answers);
                // Another fault may have come meanwhile; the call does not pass it unseen.
                match self.agent.desk.passage(self.source, true) {
                    Passage::Open => Ok(length),
                    _ => Err(End::Reset),
                }
            }
            Verdict::Miss => {
                if blank_keys(&mut self.buffer[passing..passing + length]) {
                    self.agent.desk.missed(self.source);
                }
                self.wire.ask(answers);
                Ok(passing + length)
            }
            Verdict::Fail(sqlstate) => {
                self.pass(passing).await?;
                self.wire.ask(answers);
                self.fail(length, sqlstate).await?;
                Ok(0)
            }
        }
    }

    async fn pass(&mut self, length: usize) -> Result<(), End> {
        if length == 0 {
            return Ok(());
        }
        let bytes = self.buffer.split_to(length);
        self.server.write_all(&bytes).await.map_err(|_| End::Gone)
    }

    /// In place of the call, something that the server itself refuses at the right place of the protocol; its error
    /// is given the wanted code on the way back.
    async fn fail(&mut self, length: usize, sqlstate: String) -> Result<(), End> {
        let call = self.buffer.split_to(length);
        self.wire.fail_next(sqlstate);
        let refused: &[u8] = if call.first() == Some(&b'Q') {
            b"Q\0\0\0\x0bgolive\0"
        } else {
            b"E\0\0\0\x1egolive-no-such-portal\0\0\0\0\0"
        };
        self.server.write_all(refused).await.map_err(|_| End::Gone)
    }

    /// Waits with a call, and goes on reading: a client that closes its connection has given up.
    async fn wait(&mut self, ticket: &Ticket) -> Result<(), End> {
        self.wire.ask(1); // so that it does not look idle
        let agent = self.agent;
        let mut waiting = Waiting { agent, source: self.source, ticket, over: false };
        let over = agent.desk.wait(self.source, ticket);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = &mut over => break,
                read = self.client.read_buf(&mut self.buffer), if self.buffer.len() < READ_AHEAD => match read {
                    Ok(0) | Err(_) => return Err(End::Gone),
                    Ok(_) => self.last_byte = Instant::now(),
                }
            }
        }
        waiting.over = true;
        self.wire.answered(1);
        Ok(())
    }

    /// Whether the connection is to be given back now.
    fn handed_back(&self) -> Result<(), End> {
        if !self.agent.desk.is_handing_back() {
            return Ok(());
        }
        if self.agent.desk.is_cutting() {
            return Err(End::Cut);
        }
        let quiet = self.last_byte.elapsed();
        let idle = if self.wire.is_raw() {
            quiet >= RAW_IDLE
        } else {
            self.buffer.is_empty() && self.wire.is_idle() && quiet >= HAND_BACK_LOOK
        };
        if idle { Err(End::Idle) } else { Ok(()) }
    }
}

/// A call that waits; dropped before its wait is over, its caller has given up.
struct Waiting<'a> {
    agent: &'a Agent,
    source: IpAddr,
    ticket: &'a Ticket,
    over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.agent.desk.leave(self.source, self.ticket, !self.over);
    }
}
