//! What a server says: its replies, and what is ours in place of them.

use super::super::resp::{Read, Value};
use super::super::wire::Wire;

/// What the server of one connection says.
#[derive(Default)]
pub(in crate::middle) struct Replies {
    value: Value,
    /// Whether the present reply answers nothing: a push message.
    push: bool,
    /// Whether the connection has gone over to the third version of the protocol.
    resp3: bool,
    /// What stands in place of the present reply.
    replaced: Option<String>,
}

impl Replies {
    /// Follows the server's replies; while an answer of ours is due, gives what is to be passed in their place.
    pub(in crate::middle) fn read(&mut self, mut bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
        // Of what is being replaced no rest may pass, whatever the client has said meanwhile.
        if wire.is_raw() && self.replaced.is_none() {
            return None;
        }
        let mut passed =
            (wire.is_changing() || self.replaced.is_some()).then(|| Vec::with_capacity(bytes.len()));
        while !bytes.is_empty() {
            let (taken, whole) = self.value(bytes, wire, passed.is_some());
            if let Some(passed) = passed.as_mut().filter(|_| self.replaced.is_none()) {
                passed.extend_from_slice(&bytes[..taken]);
            }
            bytes = &bytes[taken..];
            if whole {
                self.end(wire, passed.as_mut());
            }
            if wire.is_raw() && self.replaced.is_none() {
                break;
            }
        }
        if let Some(passed) = &mut passed {
            passed.extend_from_slice(bytes);
        }
        passed
    }

    /// How many bytes belong to the present value, and whether they end it.
    fn value(&mut self, bytes: &[u8], wire: &Wire, rewriting: bool) -> (usize, bool) {
        if self.value.is_new() {
            self.begin(bytes, wire, rewriting);
        }
        match self.value.read(bytes) {
            Read::Whole(taken) => (taken, true),
            Read::Part => (bytes.len(), false),
            Read::Broken => {
                wire.go_unread();
                self.replaced = None;
                (bytes.len(), false)
            }
        }
    }

    /// Only an error can stand for what was sent in place of a command: that is known to nobody.
    fn begin(&mut self, bytes: &[u8], wire: &Wire, rewriting: bool) {
        let kind = bytes[0];
        self.push = kind == b'>';
        // The second version, to which RESET goes back, has none of these; the answer to HELLO, with which the third begins, is a map.
        self.resp3 |= matches!(kind, b'%' | b'~' | b'_' | b'>');
        self.resp3 &= !bytes.starts_with(b"+RESET\r");
        self.replaced = match kind {
            _ if !rewriting || self.push => None,
            b'-' => wire.failing().map(|error| format!("-{error}\r\n")),
            _ => {
                let ours = wire.missing().and_then(|miss| miss.in_place_of(kind, self.resp3));
                ours.inspect(|_| wire.missed())
            }
        };
    }

    fn end(&mut self, wire: &Wire, passed: Option<&mut Vec<u8>>) {
        if let (Some(ours), Some(passed)) = (self.replaced.take(), passed) {
            passed.extend_from_slice(ours.as_bytes());
        }
        if !self.push {
            wire.answered(1);
            wire.forget_changes();
        }
    }
}
