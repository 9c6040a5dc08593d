//! From the client to the dependency: counts calls, makes them wait, notices who gave up.

mod waiting;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::ReadHalf;
use tokio::time::Instant;

use super::agent::Agent;
use super::arrivals::Arrivals;
use super::call::{Call, Says};
use super::desk::{Opening, Passage};
use super::in_force::Verdict;
use super::postgres;
use super::protocol::Asking;
use super::redis;
use super::wire::{Encryption, Head, Wire};
use crate::evidence::Failure;
use crate::middle::Origin;

/// Bytes read ahead; a client that sends more has to wait itself.
const READ_AHEAD: usize = 256 * 1024;

/// What TLS begins with: the type of a handshake record (RFC 8446, 5.1).
pub(super) const TLS_HANDSHAKE: u8 = 0x16;

/// How one direction of a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The sender has no more to say.
    Eof,
    /// A side is gone.
    Gone,
    /// The client is to see a reset.
    Reset,
    /// The client is to read this and no more.
    Answer(Vec<u8>),
}

/// One direction of one connection.
pub(super) struct Upward<'a, W> {
    pub(super) agent: &'a Agent,
    pub(super) source: Origin,
    pub(super) wire: &'a Wire,
    pub(super) client: ReadHalf<'a>,
    pub(super) server: W,
    pub(super) asking: Asking,
    /// What is not understood yet.
    pub(super) buffer: BytesMut,
    pub(super) arrivals: Arrivals,
    /// Whether the client has said something.
    pub(super) begun: bool,
    pub(super) opened: Instant,
    pub(super) opening: Opening,
}

impl<W: AsyncWrite + Unpin> Upward<'_, W> {
    /// Runs until the connection ends in this direction.
    pub(super) async fn run(mut self) -> End {
        let mut changes = self.agent.desk.changes();
        loop {
            changes.borrow_and_update();
            if let Err(end) = self.go_on().await {
                return end;
            }
            let room = self.buffer.len() < READ_AHEAD;
            tokio::select! {
                _ = changes.changed() => {}
                read = self.client.read_buf(&mut self.buffer), if room => match read {
                    Ok(0) => return self.hung_up().await,
                    Err(_) => return End::Gone,
                    Ok(length) => self.heard(length),
                }
            }
        }
    }

    async fn hung_up(&mut self) -> End {
        self.wire.hang_up();
        if self.server.shutdown().await.is_ok() { End::Eof } else { End::Gone }
    }

    fn heard(&mut self, length: usize) {
        self.arrivals.read(length);
        if self.wire.is_raw() {
            self.agent.desk.bytes(self.source, length, 0);
        }
    }

    /// Does with what was read what the faults in force allow.
    async fn go_on(&mut self) -> Result<(), End> {
        match self.agent.desk.passage(self.source, !self.buffer.is_empty()) {
            Passage::Refused => Err(End::Reset),
            Passage::ResetAtByte if !self.buffer.is_empty() => Err(End::Reset),
            Passage::Silent => {
                self.wire.silence();
                self.buffer.clear();
                self.arrivals.passed(0);
                Ok(())
            }
            Passage::Open if self.wire.was_silenced() => Err(End::Reset),
            Passage::Open if self.agent.desk.cuts(self.source, self.opened) => Err(End::Reset),
            Passage::Open => self.forward().await,
            Passage::Stalled | Passage::ResetAtByte => Ok(()),
        }
    }

    /// Passes on what may be passed on, call by call.
    async fn forward(&mut self) -> Result<(), End> {
        self.look_for_encryption();
        let passing = self.follow().await?;
        if self.wire.take_unread() {
            self.agent.unread(self.source);
        }
        self.pass(passing).await
    }

    /// Encryption that was agreed upon, or that begins without a word.
    fn look_for_encryption(&mut self) {
        let at_once = !self.begun && self.buffer.first() == Some(&TLS_HANDSHAKE);
        self.begun |= !self.buffer.is_empty();
        if (at_once || self.wire.encryption() == Encryption::Agreed) && !self.wire.is_raw() {
            self.wire.go_raw();
            self.agent.desk.encrypted(self.source);
        }
    }

    /// Gives how many bytes may be passed on.
    async fn follow(&mut self) -> Result<usize, End> {
        let mut passing = 0;
        while passing < self.buffer.len() {
            if self.wire.is_raw() {
                return Ok(self.buffer.len());
            }
            match self.asking.head(&self.buffer[passing..], self.wire) {
                Head::Partial => break,
                Head::Pass(length) => passing += length,
                Head::Ask(length, answers) => {
                    self.wire.ask(answers);
                    passing += length;
                }
                Head::Drop(length) => {
                    self.pass(passing).await?;
                    drop(self.buffer.split_to(length));
                    self.arrivals.passed(self.buffer.len());
                    passing = 0;
                }
                Head::Raw => self.wire.go_unread(),
                Head::Stream => self.wire.go_raw(),
                Head::Startup(length) => {
                    self.pass(passing).await?;
                    if let Some(sqlstate) = self.agent.desk.startup(self.source) {
                        return Err(End::Answer(postgres::fatal(&sqlstate)));
                    }
                    self.wire.ask(1);
                    passing = length;
                }
                Head::Call { length, mark, says, answers } => {
                    let call = self.heard_call(mark, says, passing + length);
                    let verdict = self.agent.desk.call(self.source, &call);
                    passing = self.call(passing, length, answers, verdict).await?;
                }
            }
        }
        Ok(passing)
    }

    /// A call has come that ends at this byte of the buffer.
    fn heard_call(&mut self, mark: u64, says: Says, end: usize) -> Call {
        let (settled, opened) = (self.opening.has_settled(), self.opened);
        if let Some(marks) = self.opening.call(mark) {
            self.agent.desk.hear_opening(self.source, marks);
        }
        let goes_on = self.wire.is_in_transaction();
        match says {
            Says::Begin if !goes_on => self.wire.begin_transaction(),
            Says::WhichRole if self.agent.desk.is_replica(self.source, opened) => {
                self.wire.answer_as_replica();
            }
            _ => {}
        }
        let came = self.arrivals.of(self.buffer.len() - end);
        Call { mark, says, came, opened, settled, goes_on }
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
                let open = matches!(self.agent.desk.passage(self.source, true), Passage::Open);
                if open { Ok(length) } else { Err(End::Reset) }
            }
            Verdict::Miss => {
                if let Some(miss) = redis::miss(&self.buffer[passing..passing + length]) {
                    self.wire.miss(miss);
                }
                self.wire.ask(answers);
                Ok(passing + length)
            }
            Verdict::Fail(failure) => {
                self.pass(passing).await?;
                self.wire.ask(answers);
                self.fail(length, answers, &failure).await?;
                Ok(0)
            }
        }
    }

    /// Passes on so many bytes of the buffer.
    async fn pass(&mut self, length: usize) -> Result<(), End> {
        if length == 0 {
            return Ok(());
        }
        let bytes = self.buffer.split_to(length);
        self.arrivals.passed(self.buffer.len());
        self.server.write_all(&bytes).await.map_err(|_| End::Gone)
    }

    /// In place of the call, something that the server itself refuses at the right place of the protocol; its error
    /// is given the wanted code on the way back.
    async fn fail(&mut self, length: usize, answers: i64, failure: &Failure) -> Result<(), End> {
        let begin = self.buffer.split_to(length).first().copied();
        self.asking.drop_rest();
        let (refused, code): (&[u8], &str) = match failure {
            Failure::ReadOnly => (redis::REFUSED, redis::READ_ONLY),
            Failure::FailOver => (postgres::refused(begin), postgres::READ_ONLY),
            Failure::Sqlstate(code) => (postgres::refused(begin), code),
            // Others meet no call: see `protocol::cannot`.
            Failure::Startup(_) | Failure::Status(_) | Failure::Grpc(_) => return Err(End::Reset),
        };
        // Who has asked for his answer gets it here; that of others comes after what asks for it (Postgres: Sync).
        self.wire.fail(1 - answers, code.to_owned());
        self.server.write_all(refused).await.map_err(|_| End::Gone)
    }
}
