//! What a client says: commands, whole or begun.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::resp::{Read, Value};
use super::super::wire::Head;
use super::words::{command, says};

/// A command is read up to this length; a longer one passes as it comes.
pub(super) const MAX_READ: usize = 64 * 1024;

/// What the client of one connection says.
#[derive(Default)]
pub(in crate::middle) struct Commands {
    value: Value,
    /// How much of the present command, which is not whole, was read.
    read: usize,
    /// Of a long command the begin was read and has gone on: what becomes of the rest.
    rest: Rest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    #[default]
    None,
    Passes,
    /// Something else was sent in its place.
    Dropped,
}

impl Commands {
    /// What stands at the begin of `bytes`; what was only partial stands there again.
    pub(in crate::middle) fn head(&mut self, bytes: &[u8]) -> Head {
        if self.rest != Rest::None {
            return self.pass_rest(bytes);
        }
        match bytes.first() {
            None => return Head::Partial,
            Some(first) if !begins_command(*first) => return Head::Raw,
            Some(b'*') => {}
            Some(_) => return by_hand(bytes),
        }
        match self.value.read(&bytes[self.read..]) {
            Read::Whole(length) => {
                let length = std::mem::take(&mut self.read) + length;
                called(&bytes[..length])
            }
            Read::Part if bytes.len() < MAX_READ => {
                self.read = bytes.len();
                Head::Partial
            }
            Read::Part => {
                (self.read, self.rest) = (0, Rest::Passes);
                called(bytes)
            }
            Read::Broken => Head::Raw,
        }
    }

    pub(in crate::middle) fn drop_rest(&mut self) {
        if self.rest == Rest::Passes {
            self.rest = Rest::Dropped;
        }
    }

    fn pass_rest(&mut self, bytes: &[u8]) -> Head {
        let rest = self.rest;
        let length = match self.value.read(bytes) {
            _ if bytes.is_empty() => return Head::Partial,
            Read::Whole(length) => {
                self.rest = Rest::None;
                length
            }
            Read::Part => bytes.len(),
            Read::Broken => return Head::Raw,
        };
        if rest == Rest::Dropped { Head::Drop(length) } else { Head::Pass(length) }
    }
}

/// A command is an array of words, or a line typed by hand.
fn begins_command(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

/// A line typed by hand may end without a carriage return.
fn by_hand(bytes: &[u8]) -> Head {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => called(&bytes[..=end]),
        None if bytes.len() < MAX_READ => Head::Partial,
        None => Head::Raw,
    }
}

fn called(bytes: &[u8]) -> Head {
    let command = command(bytes);
    match command.as_slice() {
        // To an empty line there is no answer, nor to a command without words.
        b"" => return Head::Pass(bytes.len()),
        b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"MONITOR" => return Head::Stream,
        _ => {}
    }
    let mut hasher = DefaultHasher::new();
    bytes[..bytes.len().min(1_024)].hash(&mut hasher);
    Head::Call { length: bytes.len(), mark: hasher.finish(), says: says(&command), answers: 1 }
}
