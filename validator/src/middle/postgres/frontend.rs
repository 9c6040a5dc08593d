//! What a client says: the statements that it calls, from Parse to Execute.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::call::Says;
use super::super::wire::{Encryption, Head, Wire};
use super::words::says;
use super::{frame, name, number};

/// A message of which more than its head must be read is looked at up to this length.
pub(super) const MAX_READ: usize = 64 * 1024;

/// Names of statements and portals remembered per connection.
const MAX_NAMES: usize = 4_096;

pub(super) const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;
const GSS_REQUEST: u32 = 80_877_104;

/// What the client of one connection says.
#[derive(Default)]
pub(in crate::middle) struct Frontend {
    started: bool,
    /// Bytes of a long message that are still to pass.
    rest: usize,
    /// Whether they are left out: something else was sent in place of the message.
    dropping: bool,
    statements: HashMap<Vec<u8>, Statement>,
    portals: HashMap<Vec<u8>, Statement>,
    sync: Sync,
}

/// Whether the next Sync is answered. While a COPY takes data in, servers ignore the one that clients send behind Execute
/// ("Frontend/Backend Protocol", COPY operations).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Sync {
    /// It is.
    #[default]
    Answered,
    /// It is, and one has come since the last Execute: ignored, should it have begun a COPY.
    Follows,
    /// It stands for the one that was ignored, and has been counted.
    Counted,
}

/// What is remembered of a statement. Its text is never kept: it may hold values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) mark: u64,
    says: Says,
}

impl Statement {
    /// Texts are told apart by a hash.
    pub(super) fn of(text: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        text.trim_ascii().hash(&mut hasher);
        Self { mark: hasher.finish(), says: says(text) }
    }
}

impl Frontend {
    /// What stands at the begin of `bytes`.
    pub(in crate::middle) fn head(&mut self, bytes: &[u8], wire: &Wire) -> Head {
        if self.rest > 0 {
            let passed = self.rest.min(bytes.len());
            self.rest -= passed;
            return match passed {
                0 => Head::Partial,
                _ if self.dropping => Head::Drop(passed),
                _ => Head::Pass(passed),
            };
        }
        self.dropping = false;
        if !self.started {
            return self.startup(bytes, wire);
        }
        let Some((kind, length)) = frame(bytes) else { return Head::Partial };
        let wanted = matches!(kind, b'P' | b'B' | b'E' | b'Q' | b'C');
        let have = bytes.len().min(length);
        if wanted && have < length.min(MAX_READ) {
            return Head::Partial;
        }
        self.rest = length - have;
        self.follow(kind, &bytes[5..have], have)
    }

    /// What a message means; of a long one the begin is there.
    fn follow(&mut self, kind: u8, body: &[u8], have: usize) -> Head {
        match kind {
            b'P' => self.parse(body),
            b'B' => self.bind(body),
            b'C' => self.close(body),
            b'E' => {
                self.sync = Sync::Answered;
                let Statement { mark, says } = self.portals.get(name(body).0).copied().unwrap_or_default();
                return Head::Call { length: have, mark, says, answers: 0 };
            }
            b'Q' => {
                self.sync = Sync::Answered;
                let Statement { mark, says } = Statement::of(name(body).0);
                return Head::Call { length: have, mark, says, answers: 1 };
            }
            b'S' if self.sync == Sync::Counted => self.sync = Sync::Answered,
            b'S' => {
                self.sync = Sync::Follows;
                return Head::Ask(have, 1);
            }
            b'F' => return Head::Ask(have, 1),
            // CopyDone, CopyFail.
            b'c' | b'f' if self.sync == Sync::Follows => self.sync = Sync::Counted,
            _ => {}
        }
        Head::Pass(have)
    }

    pub(in crate::middle) fn drop_rest(&mut self) {
        self.dropping = self.rest > 0;
    }

    /// Before the startup message there is no type byte.
    fn startup(&mut self, bytes: &[u8], wire: &Wire) -> Head {
        let (Some(length), Some(code)) = (number(bytes, 0), number(bytes, 4)) else {
            return Head::Partial;
        };
        let length = length as usize;
        if !(8..=MAX_READ).contains(&length) {
            return Head::Raw;
        }
        if bytes.len() < length {
            return Head::Partial;
        }
        match code {
            SSL_REQUEST | GSS_REQUEST => {
                wire.set_encryption(Encryption::Asked);
                Head::Ask(length, 1)
            }
            CANCEL_REQUEST => Head::Stream,
            _ => {
                self.started = true;
                Head::Startup(length)
            }
        }
    }

    fn parse(&mut self, body: &[u8]) {
        let (statement, rest) = name(body);
        remember(&mut self.statements, statement, Statement::of(name(rest).0));
    }

    fn bind(&mut self, body: &[u8]) {
        let (portal, rest) = name(body);
        let bound = self.statements.get(name(rest).0).copied().unwrap_or_default();
        remember(&mut self.portals, portal, bound);
    }

    fn close(&mut self, body: &[u8]) {
        match body.split_first() {
            Some((b'S', rest)) => drop(self.statements.remove(name(rest).0)),
            Some((b'P', rest)) => drop(self.portals.remove(name(rest).0)),
            _ => {}
        }
    }
}

fn remember(names: &mut HashMap<Vec<u8>, Statement>, name: &[u8], statement: Statement) {
    if names.len() < MAX_NAMES || names.contains_key(name) {
        names.insert(name.to_vec(), statement);
    }
}
