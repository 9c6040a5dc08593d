//! What a server says: its readiness for the next query, and what is ours in place of it.

use super::super::wire::{Encryption, Wire};
use super::{error, frame};

/// What the server of one connection says: its readiness for the next query, and what is ours in place of it.
#[derive(Default)]
pub(in crate::middle) struct Backend {
    /// Bytes of the present message that are still to come.
    rest: usize,
    /// The begin of a message whose head has not come whole.
    head: Vec<u8>,
    /// Whether the present message is left out: something of ours stands in its place.
    drop: bool,
}

impl Backend {
    /// Follows the server's messages; while something of ours is due, gives what is to be passed in their place.
    pub(in crate::middle) fn read(&mut self, mut bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
        let mut passed = (wire.is_changing() || self.drop).then(|| Vec::with_capacity(bytes.len()));
        if wire.encryption() == Encryption::Asked && !bytes.is_empty() {
            let agreed = matches!(bytes[0], b'S' | b'G');
            wire.set_encryption(if agreed { Encryption::Agreed } else { Encryption::None });
            wire.answered(1);
            bytes = &bytes[1..];
        }
        if wire.is_raw() || wire.encryption() == Encryption::Agreed {
            return None;
        }
        while !bytes.is_empty() {
            let taken = match self.rest.min(bytes.len()) {
                0 => self.begin(bytes, wire, &mut passed),
                body => {
                    self.rest -= body;
                    body
                }
            };
            if let Some(passed) = passed.as_mut().filter(|_| !self.drop) {
                passed.extend_from_slice(&bytes[..taken]);
            }
            if self.rest == 0 && self.head.is_empty() {
                self.drop = false;
            }
            bytes = &bytes[taken..];
        }
        passed
    }

    /// Reads the head of the next message, of which a part may have come before; gives how many bytes it took.
    fn begin(&mut self, bytes: &[u8], wire: &Wire, passed: &mut Option<Vec<u8>>) -> usize {
        // Of ReadyForQuery the head is followed by the one byte that matters.
        let kind = self.head.first().or(bytes.first()).copied().unwrap_or_default();
        let wanted = if kind == b'Z' { 6 } else { 5 };
        let fresh = self.head.is_empty();
        let taken = (wanted - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..taken]);
        if self.head.len() < wanted {
            return taken;
        }
        let length = frame(&self.head).map_or(wanted, |(_, length)| length);
        if kind == b'Z' {
            // I: idle; T: in a transaction; E: in one that has failed (ReadyForQuery).
            wire.set_in_transaction(self.head.get(5).is_some_and(|status| *status != b'I'));
            wire.answered(1);
            wire.forget_changes();
        }
        // What came in one piece can be replaced; what was cut is passed as it is.
        if let Some(passed) = passed.as_mut().filter(|_| fresh)
            && let Some(ours) = instead(kind, bytes, wire)
        {
            passed.extend(ours);
            self.drop = true;
        }
        self.rest = length.saturating_sub(self.head.len());
        self.head.clear();
        taken
    }
}

/// What is to be passed in place of the message at the begin, if it is to be something else.
fn instead(kind: u8, bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
    match kind {
        b'E' => wire.failing().map(|code| error("ERROR", &code)),
        b'D' if wire.is_replica() => as_replica(bytes),
        _ => None,
    }
}

/// A row of one column in which a primary says that it is one, as a replica says it. Nothing if it is another row, or is
/// not there as a whole.
fn as_replica(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_, length) = frame(bytes)?;
    let value: &[u8] = match bytes.get(..length)?.get(11..)? {
        b"off" => b"on",
        b"f" => b"t",
        // The same in binary.
        [0] => &[1],
        _ => return None,
    };
    let mut row = vec![b'D'];
    row.extend((value.len() as u32 + 10).to_be_bytes());
    row.extend(1_u16.to_be_bytes());
    row.extend((value.len() as u32).to_be_bytes());
    row.extend(value);
    Some(row)
}
