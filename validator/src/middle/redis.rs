//! As much of RESP as it takes to tell commands and replies apart.
//!
//! Source: Redis documentation, "Redis serialization protocol specification" (RESP2 and RESP3).

mod commands;
mod reads;
mod replies;
#[cfg(test)]
mod tests;
mod words;

pub(super) use self::commands::Commands;
pub(super) use self::reads::miss;
pub(super) use self::replies::Replies;

/// A command that no server knows, in place of one that is to be refused.
pub(super) const REFUSED: &[u8] = b"*1\r\n$6\r\ngolive\r\n";

/// What a replica says to a command that writes (Redis, `shared.roslaveerr`).
pub(super) const READ_ONLY: &str = "READONLY You can't write against a read only replica.";
