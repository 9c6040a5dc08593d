//! What a server says: its replies, and what is ours in place of them.

use super::super::resp::{Read, Value};
use super::super::wire::Wire;

/// What the server of one connection says.
#[derive(Default)]
pub(in crate::middle) struct Replies {
    value: Value,
    /// Whether the present reply answers nothing: a push message.
    push: bool,
    /// The error that stands in place of the present reply.
    replaced: Option<String>,
}

impl Replies {
    /// Follows the server's replies; while an error of ours is due, gives what is to be passed in their place.
    pub(in crate::middle) fn read(&mut self, mut bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
        if wire.is_raw() {
            return None;
        }
        let mut passed =
            (wire.is_changing() || self.replaced.is_some()).then(|| Vec::with_capacity(bytes.len()));
        while !bytes.is_empty() {
            if self.value.is_new() {
                self.begin(bytes[0], wire, passed.is_some());
            }
            let (taken, whole) = match self.value.read(bytes) {
                Read::Whole(taken) => (taken, true),
                Read::Part => (bytes.len(), false),
                Read::Broken => {
                    wire.go_unread();
                    (bytes.len(), false)
                }
            };
            if let Some(passed) = passed.as_mut().filter(|_| self.replaced.is_none()) {
                passed.extend_from_slice(&bytes[..taken]);
            }
            bytes = &bytes[taken..];
            if whole {
                self.end(wire, passed.as_mut());
            }
            if wire.is_raw() {
                break;
            }
        }
        passed
    }

    /// Only an error can be ours: what was sent in place of the command is known to nobody.
    fn begin(&mut self, kind: u8, wire: &Wire, rewriting: bool) {
        self.push = kind == b'>';
        if rewriting && kind == b'-' {
            self.replaced = wire.failing();
        }
    }

    fn end(&mut self, wire: &Wire, passed: Option<&mut Vec<u8>>) {
        if let (Some(error), Some(passed)) = (self.replaced.take(), passed) {
            passed.extend_from_slice(format!("-{error}\r\n").as_bytes());
        }
        if !self.push {
            wire.answered(1);
            wire.forget_changes();
        }
    }
}
