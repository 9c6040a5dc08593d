//! As much of RESP as it takes to tell commands and replies apart.
//!
//! Source: Redis documentation, "Redis serialization protocol specification" (RESP2 and RESP3).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::call::Says;
use super::resp::{Read, Value};
use super::wire::{Head, Wire};

/// A command is read up to this length; a longer one passes as it comes.
const MAX_READ: usize = 64 * 1024;

/// A command that no server knows, in place of one that is to be refused.
pub(super) const REFUSED: &[u8] = b"*1\r\n$6\r\ngolive\r\n";

/// What a replica says to a command that writes (Redis, `shared.roslaveerr`).
pub(super) const READ_ONLY: &str = "READONLY You can't write against a read only replica.";

/// What the client of one connection says.
#[derive(Default)]
pub(super) struct Commands {
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
    pub(super) fn head(&mut self, bytes: &[u8]) -> Head {
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

    pub(super) fn drop_rest(&mut self) {
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

fn says(command: &[u8]) -> Says {
    if writes(command) { Says::Write } else { Says::Other }
}

/// Whether a command changes something: those of the flag `write` in COMMAND INFO that services use, scripts among them.
fn writes(command: &[u8]) -> bool {
    const WRITES: [&[u8]; 85] = [
        b"APPEND",
        b"BITFIELD",
        b"BITOP",
        b"BLMOVE",
        b"BLMPOP",
        b"BLPOP",
        b"BRPOP",
        b"BRPOPLPUSH",
        b"BZMPOP",
        b"BZPOPMAX",
        b"BZPOPMIN",
        b"COPY",
        b"DECR",
        b"DECRBY",
        b"DEL",
        b"EVAL",
        b"EVALSHA",
        b"EXPIRE",
        b"EXPIREAT",
        b"FCALL",
        b"FLUSHALL",
        b"FLUSHDB",
        b"GEOADD",
        b"GEOSEARCHSTORE",
        b"GETDEL",
        b"GETEX",
        b"GETSET",
        b"HDEL",
        b"HEXPIRE",
        b"HINCRBY",
        b"HINCRBYFLOAT",
        b"HMSET",
        b"HSET",
        b"HSETNX",
        b"INCR",
        b"INCRBY",
        b"INCRBYFLOAT",
        b"JSON.DEL",
        b"JSON.MERGE",
        b"JSON.SET",
        b"LINSERT",
        b"LMOVE",
        b"LMPOP",
        b"LPOP",
        b"LPUSH",
        b"LPUSHX",
        b"LREM",
        b"LSET",
        b"LTRIM",
        b"MOVE",
        b"MSET",
        b"MSETNX",
        b"PERSIST",
        b"PEXPIRE",
        b"PEXPIREAT",
        b"PFADD",
        b"PFMERGE",
        b"PSETEX",
        b"RENAME",
        b"RENAMENX",
        b"RESTORE",
        b"RPOP",
        b"RPOPLPUSH",
        b"RPUSH",
        b"RPUSHX",
        b"SADD",
        b"SDIFFSTORE",
        b"SET",
        b"SETBIT",
        b"SETEX",
        b"SETNX",
        b"SETRANGE",
        b"SINTERSTORE",
        b"SMOVE",
        b"SPOP",
        b"SREM",
        b"SUNIONSTORE",
        b"UNLINK",
        b"XACK",
        b"XADD",
        b"XDEL",
        b"XGROUP",
        b"XREADGROUP",
        b"XTRIM",
        b"ZADD",
    ];
    WRITES.contains(&command)
        || (command.starts_with(b"Z")
            && ["INCRBY", "REM", "POP", "STORE"]
                .iter()
                .any(|end| command.windows(end.len()).any(|part| part == end.as_bytes())))
}

/// The name of a command, in capitals.
fn command(bytes: &[u8]) -> Vec<u8> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let word = if bytes.first() == Some(&b'*') { lines.nth(2) } else { lines.next() };
    let word = word.unwrap_or_default().trim_ascii();
    word.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_ascii_uppercase()
}

/// Leads a read to keys that do not exist: of the same length, so that nothing else moves. Says whether it was a read.
pub(super) fn blank_keys(command: &mut [u8]) -> bool {
    let mut words = words(command);
    let Some(name) = words.next().map(|word| command[word].to_ascii_uppercase()) else { return false };
    let keys = match name.as_slice() {
        b"GET" | b"GETEX" | b"GETRANGE" | b"STRLEN" | b"EXISTS" | b"HGET" | b"HMGET" | b"HGETALL"
        | b"HVALS" | b"LRANGE" | b"SMEMBERS" | b"ZRANGE" | b"JSON.GET" => 1,
        b"MGET" => usize::MAX,
        _ => return false,
    };
    let keys: Vec<Range<usize>> = words.take(keys).collect();
    let found = !keys.is_empty();
    for key in keys {
        command[key].fill(0);
    }
    found
}

/// Where the words of a whole command are: what follows `$LENGTH`, once after another.
fn words(command: &[u8]) -> impl Iterator<Item = Range<usize>> + use<> {
    let mut found = Vec::new();
    let line = |at: usize| command[at..].windows(2).position(|pair| pair == b"\r\n").map(|end| at + end);
    let mut at = line(0).map_or(command.len(), |end| end + 2);
    while let Some(end) = command.get(at).filter(|byte| **byte == b'$').and_then(|_| line(at)) {
        let Some(length) = std::str::from_utf8(&command[at + 1..end]).ok().and_then(|text| text.parse().ok())
        else {
            break;
        };
        let word = end + 2..(end + 2usize).saturating_add(length);
        if word.end > command.len() {
            break;
        }
        at = word.end + 2;
        found.push(word);
    }
    found.into_iter()
}

/// What the server of one connection says.
#[derive(Default)]
pub(super) struct Replies {
    value: Value,
    /// Whether the present reply answers nothing: a push message.
    push: bool,
    /// The error that stands in place of the present reply.
    replaced: Option<String>,
}

impl Replies {
    /// Follows the server's replies; while an error of ours is due, gives what is to be passed in their place.
    pub(super) fn read(&mut self, mut bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_whole_in_parts_and_in_a_row() {
        let mut commands = Commands::default();
        let get = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        for end in 0..get.len() {
            assert_eq!(commands.head(&get[..end]), Head::Partial);
        }
        let two = [get.as_slice(), b"*1\r\n$4\r\nPING\r\n"].concat();
        let Head::Call { length, mark, answers: 1, .. } = commands.head(&two) else { panic!() };
        assert_eq!(length, get.len());
        let Head::Call { mark: ping, .. } = commands.head(&two[length..]) else { panic!() };
        assert_ne!(mark, ping);
    }

    #[test]
    fn lines_typed_by_hand_are_commands_and_what_can_be_none_is_passed() {
        let mut commands = Commands::default();
        assert!(matches!(commands.head(b"PING\nPING"), Head::Call { length: 5, .. }));
        assert!(matches!(commands.head(b"PING\r\n"), Head::Call { length: 6, .. }));
        assert_eq!(commands.head(b"\r\n"), Head::Pass(2), "nobody answers to an empty line");
        assert_eq!(commands.head(b"monitor\n"), Head::Stream);
        assert_eq!(commands.head(b"*0\r\n"), Head::Pass(4), "nor to no words");
        assert_eq!(commands.head(b"\x16\x03\x01"), Head::Raw);
    }

    #[test]
    fn a_long_command_is_called_once_and_its_rest_passes_or_is_dropped() {
        let value = "x".repeat(10);
        let words = format!("${}\r\n{value}\r\n", value.len()).repeat(20_000);
        let long = format!("*20001\r\n$4\r\nMSET\r\n{words}");
        for dropped in [false, true] {
            let mut commands = Commands::default();
            assert_eq!(commands.head(&long.as_bytes()[..1_000]), Head::Partial);
            let head = commands.head(&long.as_bytes()[..MAX_READ]);
            assert!(matches!(head, Head::Call { length: MAX_READ, says: Says::Write, .. }), "{head:?}");
            if dropped {
                commands.drop_rest();
            }
            let rest = [&long.as_bytes()[MAX_READ..], b"PING\r\n"].concat();
            let expected = long.len() - MAX_READ;
            let expected = if dropped { Head::Drop(expected) } else { Head::Pass(expected) };
            assert_eq!(commands.head(&rest), expected);
            assert!(matches!(commands.head(b"PING\r\n"), Head::Call { length: 6, says: Says::Other, .. }));
        }
    }

    #[test]
    fn the_reply_that_is_ours_is_replaced_however_it_is_cut() {
        for size in [1, 3, 1_000] {
            let (wire, mut replies) = (Wire::default(), Replies::default());
            wire.ask(3);
            wire.fail(-1, "READONLY no".into());
            let bytes = b">1\r\n+a\r\n-ERR mine\r\n-ERR unknown command\r\n+OK\r\n";
            let passed: Vec<u8> = bytes
                .chunks(size)
                .flat_map(|piece| replies.read(piece, &wire).unwrap_or_else(|| piece.to_vec()))
                .collect();
            let expected = ">1\r\n+a\r\n-ERR mine\r\n-READONLY no\r\n+OK\r\n";
            assert_eq!(String::from_utf8(passed).unwrap(), expected);
            assert!(wire.owes_nothing() && !wire.is_changing());
        }
    }

    #[test]
    fn only_keys_of_reads_are_blanked() {
        let cases: [(&[u8], &[u8]); 4] = [
            (b"*2\r\n$3\r\nget\r\n$2\r\nab\r\n", b"*2\r\n$3\r\nget\r\n$2\r\n\0\0\r\n"),
            (b"*3\r\n$4\r\nHGET\r\n$1\r\nk\r\n$1\r\nf\r\n", b"*3\r\n$4\r\nHGET\r\n$1\r\n\0\r\n$1\r\nf\r\n"),
            (b"*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n", b"*3\r\n$4\r\nMGET\r\n$1\r\n\0\r\n$1\r\n\0\r\n"),
            (b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ];
        for (command, expected) in cases {
            let mut blanked = command.to_vec();
            assert_eq!(blank_keys(&mut blanked), command != expected);
            assert_eq!(blanked, expected);
        }
        assert!(!blank_keys(&mut b"GET a\r\n".to_vec()), "typed by hand: passed as it is");
        assert!(!blank_keys(&mut b"*2\r\n$3\r\nGET\r\n$99\r\na\r\n".to_vec()));
    }

    #[test]
    fn replies_are_counted_nested_pushed_and_cut_anywhere() {
        let (wire, mut replies) = (Wire::default(), Replies::default());
        wire.ask(4);
        let bytes = b"+OK\r\n>2\r\n+a\r\n+b\r\n*2\r\n$3\r\nfoo\r\n%1\r\n+k\r\n:1\r\n$-1\r\n_\r\n";
        for byte in bytes {
            assert!(!wire.owes_nothing());
            replies.read(&[*byte], &wire);
        }
        assert!(wire.owes_nothing());
    }
}
