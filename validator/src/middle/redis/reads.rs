//! What a command reads, by its first word.

use super::super::miss::Miss;
use super::words::command;

/// What a whole command, or the begin of a long one, is answered where nothing is; nothing if it is no read.
///
/// It goes to the server as it is: with other keys in it an ACL might refuse it (NOPERM), and a Redis Cluster would send it
/// elsewhere (MOVED, CROSSSLOT).
pub(in crate::middle) fn miss(bytes: &[u8]) -> Option<Miss> {
    let words = count(bytes)?;
    let miss = match command(bytes).as_slice() {
        b"GET" | b"GETEX" | b"HGET" | b"JSON.GET" => Miss::Nil,
        b"MGET" => Miss::Nils(words.checked_sub(1)?),
        b"HMGET" => Miss::Nils(words.checked_sub(2)?),
        b"GETRANGE" => Miss::EmptyText,
        b"EXISTS" | b"STRLEN" => Miss::Zero,
        b"HGETALL" | b"HVALS" | b"LRANGE" | b"SMEMBERS" | b"ZRANGE" => Miss::EmptyCollection,
        _ => return None,
    };
    Some(miss)
}

/// How many words a command says that it has: `*COUNT`. A line typed by hand does not.
fn count(bytes: &[u8]) -> Option<usize> {
    let line = bytes.strip_prefix(b"*")?.split(|byte| *byte == b'\n').next()?;
    std::str::from_utf8(line).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_can_miss() {
        let cases: [(&[u8], Option<Miss>); 8] = [
            (b"*2\r\n$3\r\nget\r\n$2\r\nab\r\n", Some(Miss::Nil)),
            (b"*4\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", Some(Miss::Nils(3))),
            (b"*20001\r\n$4\r\nMGET\r\n$1\r\na\r\n$1", Some(Miss::Nils(20_000))),
            (b"*3\r\n$5\r\nHMGET\r\n$1\r\nk\r\n$1\r\nf\r\n", Some(Miss::Nils(1))),
            (b"*2\r\n$7\r\nHGETALL\r\n$1\r\nk\r\n", Some(Miss::EmptyCollection)),
            (b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n", None),
            (b"*1\r\n$5\r\nHMGET\r\n", None),
            (b"GET a\r\n", None),
        ];
        for (command, expected) in cases {
            assert_eq!(miss(command), expected, "{}", String::from_utf8_lossy(command));
        }
    }
}
