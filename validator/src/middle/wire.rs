//! What the two directions of one connection know of each other, and what a protocol tells about bytes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// What stands at the begin of the client's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Not enough to tell: read on.
    Partial,
    /// So many bytes that mean nothing to us.
    Pass(usize),
    /// So many bytes that expect so many answers.
    Ask(usize, i64),
    /// A call: its bytes, its mark, and the answers that it expects.
    Call { length: usize, mark: u64, answers: i64 },
    /// A request to an HTTP dependency.
    Request { length: usize, mark: u64, context: Option<Context> },
    /// From here on nothing is understood; bytes are passed as they are.
    Raw,
    /// From here on it is understood that no more calls come, as after SUBSCRIBE; bytes are passed as they are.
    Stream,
}

/// The trace context of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) trace_id: String,
    pub(super) parent_id: String,
    pub(super) sampled: bool,
}

/// Shared by the two directions of one connection.
#[derive(Default)]
pub(super) struct Wire {
    /// Answers that the client still waits for.
    outstanding: AtomicI64,
    /// Whether the last answer left a transaction open.
    in_transaction: AtomicBool,
    /// Whether bytes are passed without being understood.
    raw: AtomicBool,
    /// Whether it has become so for want of understanding, which nobody has told of yet.
    unread: AtomicBool,
    /// Whether the connection lived through a silence: what was swallowed is missing for ever.
    silenced: AtomicBool,
    /// SQLSTATEs that the next errors of the server are given.
    // Guards a short list; held for one push or pop.
    failing: Mutex<VecDeque<String>>,
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
        self.outstanding.fetch_add(answers, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, answers: i64) {
        self.outstanding.fetch_sub(answers, Ordering::Relaxed);
    }

    pub(super) fn transaction(&self, open: bool) {
        self.in_transaction.store(open, Ordering::Relaxed);
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

    /// The server's next error is to carry this code.
    pub(super) fn fail_next(&self, sqlstate: String) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).push_back(sqlstate);
    }

    /// The code that the server's next error is to carry, if it is one of ours.
    pub(super) fn failing(&self) -> Option<String> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Whether one is still to come.
    pub(super) fn is_failing(&self) -> bool {
        !self.failing.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether the client waits for nothing: the connection may be closed without anybody losing anything.
    pub(super) fn is_idle(&self) -> bool {
        self.outstanding.load(Ordering::Relaxed) <= 0 && !self.in_transaction.load(Ordering::Relaxed)
    }
}
