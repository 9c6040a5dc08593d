//! As much of Postgres' protocol 3 as it takes to follow a statement from Parse to Execute.
//!
//! Source: PostgreSQL documentation, "Frontend/Backend Protocol", message formats and flow.

mod backend;
mod frontend;
#[cfg(test)]
mod tests;
mod words;

pub(super) use self::backend::Backend;
pub(super) use self::frontend::Frontend;

/// The SQLSTATE of a server that is read-only.
pub(super) const READ_ONLY: &str = "25006";

/// In place of a call that begins like this, one that every server refuses.
pub(super) fn refused(begin: Option<u8>) -> &'static [u8] {
    match begin {
        Some(b'Q') => b"Q\0\0\0\x0bgolive\0",
        _ => b"E\0\0\0\x1egolive-no-such-portal\0\0\0\0\0",
    }
}

/// The error that ends a connection at its startup.
pub(super) fn fatal(code: &str) -> Vec<u8> {
    error("FATAL", code)
}

/// An ErrorResponse.
fn error(severity: &str, code: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    for (field, value) in
        [(b'S', severity), (b'V', severity), (b'C', code), (b'M', "golive: failed on purpose")]
    {
        fields.push(field);
        fields.extend_from_slice(value.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    let mut message = vec![b'E'];
    message.extend((fields.len() as u32 + 4).to_be_bytes());
    message.extend(fields);
    message
}

/// Type and whole length of the message at the begin.
fn frame(bytes: &[u8]) -> Option<(u8, usize)> {
    let length = number(bytes, 1)? as usize;
    Some((*bytes.first()?, length.max(4) + 1))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A text that ends with a zero byte, and what follows.
fn name(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}
