//! What the two directions of one connection know of each other, and what a protocol tells about bytes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::call::Says;
use super::miss::Miss;

/// What stands at the begin of the client's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Not enough to tell: read on.
    Partial,
    /// So many bytes that mean nothing to us.
    Pass(usize),
    /// So many bytes that expect so many answers.
    Ask(usize, i64),
    /// A call: its bytes, its mark, what it asks for, and the answers that it expects.
    Call { length: usize, mark: u64, says: Says, answers: i64 },
    /// The startup message of a new connection, with so many bytes, which expects an answer.
    Startup(usize),
    /// So many bytes in whose place something else was sent.
    Drop(usize),
    /// From here on nothing is understood; bytes are passed as they are.
    Raw,
    /// From here on it is understood that no more calls come, as after SUBSCRIBE; bytes are passed as they are.
    Stream,
}

/// Shared by the two directions of one connection.
#[derive(Default)]
pub(super) struct Wire {
    /// Answers that the client waited for so far, and those that came.
    asked: AtomicI64,
    answered: AtomicI64,
    /// Whether bytes are passed without being understood.
    raw: AtomicBool,
    /// Whether it has become so for want of understanding, which nobody has told of yet.
    unread: AtomicBool,
    /// Whether the connection lived through a silence: what was swallowed is missing for ever.
    silenced: AtomicBool,
    /// Codes that errors of the server are given, each with the number of the answer that its error belongs to.
    // Guards a short list; held for one push or pop.
    failing: Mutex<VecDeque<(i64, String)>>,
    /// Numbers of the answers in which the server is to say that it is a replica.
    // Guards a short list; held for one push or look.
    replica: Mutex<VecDeque<i64>>,
    /// Redis: what reads are answered in place of what was found, each with the number of its answer.
    // Guards a short list; held for one push, pop or look.
    missing: Mutex<VecDeque<(i64, Miss)>>,
    /// Reads that were answered so, of which nobody has told yet.
    missed: AtomicU64,
    /// Postgres: whether the server's last word was that a transaction is open.
    in_transaction: AtomicBool,
    /// Postgres: number of the answer that tells whether a transaction was begun, the last time that one was to be.
    begun: AtomicI64,
    /// Cancelled when the client has closed its side.
    hung_up: CancellationToken,
    /// The server's one-byte answer to a request for encryption: see [`Encryption`].
    encryption: AtomicU8,
}

/// Where the question for encryption stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Nobody has asked, or the answer was no.
    None,
    /// The client has asked; the next byte of the server is the answer.
    Asked,
    /// The answer was yes.
    Agreed,
}

impl Wire {
    pub(super) fn ask(&self, answers: i64) {
        self.asked.fetch_add(answers, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, answers: i64) {
        self.answered.fetch_add(answers, Ordering::Relaxed);
    }

    pub(super) fn go_raw(&self) {
        self.raw.store(true, Ordering::Relaxed);
    }

    /// Calls may come that are not understood.
    pub(super) fn go_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
        self.go_raw();
    }

    /// Whether calls may come that are not understood; yes only once.
    pub(super) fn take_unread(&self) -> bool {
        self.unread.swap(false, Ordering::Relaxed)
    }

    pub(super) fn is_raw(&self) -> bool {
        self.raw.load(Ordering::Relaxed)
    }

    pub(super) fn silence(&self) {
        self.silenced.store(true, Ordering::Relaxed);
    }

    pub(super) fn was_silenced(&self) -> bool {
        self.silenced.load(Ordering::Relaxed)
    }

    pub(super) fn set_in_transaction(&self, open: bool) {
        self.in_transaction.store(open, Ordering::Relaxed);
    }

    /// A transaction is to begin: what follows belongs to it, though the server has not answered yet. Drivers send both
    /// at once (pgjdbc, Npgsql).
    pub(super) fn begin_transaction(&self) {
        self.begun.store(self.asked.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        let unanswered = self.begun.load(Ordering::Relaxed) > self.answered.load(Ordering::Relaxed);
        unanswered || self.in_transaction.load(Ordering::Relaxed)
    }

    /// The client has closed its side.
    pub(super) fn hang_up(&self) {
        self.hung_up.cancel();
    }

    pub(super) fn hung_up(&self) -> CancellationToken {
        self.hung_up.clone()
    }

    pub(super) fn encryption(&self) -> Encryption {
        match self.encryption.load(Ordering::Relaxed) {
            0 => Encryption::None,
            1 => Encryption::Asked,
            _ => Encryption::Agreed,
        }
    }

    pub(super) fn set_encryption(&self, encryption: Encryption) {
        self.encryption.store(encryption as u8, Ordering::Relaxed);
    }

    /// The error that comes before the answer after `later` more than were asked for is to carry this code.
    pub(super) fn fail(&self, later: i64, code: String) {
        let number = self.asked.load(Ordering::Relaxed) + later;
        lock(&self.failing).push_back((number, code));
    }

    /// The code that the server's error is to carry, if it belongs to one of ours.
    pub(super) fn failing(&self) -> Option<String> {
        let next = self.answered.load(Ordering::Relaxed) + 1;
        take(&self.failing, next)
    }

    /// The next answer that is asked for is to be that nothing is there.
    pub(super) fn miss(&self, miss: Miss) {
        lock(&self.missing).push_back((self.asked.load(Ordering::Relaxed) + 1, miss));
    }

    /// How the answer that comes now says that nothing is there, if it is to.
    pub(super) fn missing(&self) -> Option<Miss> {
        take(&self.missing, self.answered.load(Ordering::Relaxed) + 1)
    }

    /// A read was answered so.
    pub(super) fn missed(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many reads were answered so, each told once.
    pub(super) fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }

    /// In the next answer that is asked for the server is to say that it is a replica.
    pub(super) fn answer_as_replica(&self) {
        lock(&self.replica).push_back(self.asked.load(Ordering::Relaxed) + 1);
    }

    /// Whether that is the answer which comes now.
    pub(super) fn is_replica(&self) -> bool {
        let next = self.answered.load(Ordering::Relaxed) + 1;
        lock(&self.replica).contains(&next)
    }

    /// Forgets what was to be changed in answers that have come: the server had skipped the statement.
    pub(super) fn forget_changes(&self) {
        let answered = self.answered.load(Ordering::Relaxed);
        lock(&self.failing).retain(|(number, _)| *number > answered);
        lock(&self.replica).retain(|number| *number > answered);
        lock(&self.missing).retain(|(number, _)| *number > answered);
    }

    /// Whether something is to be changed in an answer that is still to come.
    pub(super) fn is_changing(&self) -> bool {
        !lock(&self.failing).is_empty() || !lock(&self.replica).is_empty() || !lock(&self.missing).is_empty()
    }

    /// Whether every answer has come that was asked for.
    #[cfg(test)]
    pub(super) fn owes_nothing(&self) -> bool {
        self.asked.load(Ordering::Relaxed) <= self.answered.load(Ordering::Relaxed)
    }
}

/// What belongs to the answer of this number, if that is the first that something belongs to.
fn take<T>(list: &Mutex<VecDeque<(i64, T)>>, number: i64) -> Option<T> {
    lock(list).pop_front_if(|(first, _)| *first == number).map(|(_, what)| what)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
