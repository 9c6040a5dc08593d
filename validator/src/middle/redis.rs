//! As much of RESP as it takes to tell commands and replies apart.
//!
//! Source: Redis documentation, "Redis serialization protocol specification" (RESP2 and RESP3).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::wire::{Head, Wire};

/// A command is read up to this length; a longer one passes as it comes.
const MAX_READ: usize = 64 * 1024;

/// What the client of one connection says.
#[derive(Default)]
pub(super) struct Commands {
    rest: usize,
}

impl Commands {
    pub(super) fn head(&mut self, bytes: &[u8], wire: &Wire) -> Head {
        if self.rest > 0 {
            let passed = self.rest.min(bytes.len());
            self.rest -= passed;
            return if passed == 0 { Head::Partial } else { Head::Pass(passed) };
        }
        match bytes.first() {
            None => return Head::Partial,
            Some(first) if !begins_command(*first) => return Head::Raw,
            Some(_) => {}
        }
        match length(bytes, 0) {
            Reading::Whole(length) => called(&bytes[..length], length, wire),
            // The value of a long SET: its head tells how much is to come.
            Reading::Partial(Some(length)) if bytes.len() >= MAX_READ => {
                self.rest = length - bytes.len();
                called(bytes, bytes.len(), wire)
            }
            Reading::Partial(_) if bytes.len() < MAX_READ => Head::Partial,
            _ => Head::Raw,
        }
    }
}

/// A command is an array of words, or a line typed by hand.
fn begins_command(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

fn called(bytes: &[u8], length: usize, wire: &Wire) -> Head {
    match command(bytes).as_slice() {
        b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"MONITOR" => return Head::Stream,
        // What was watched or queued is lost with the connection.
        b"MULTI" | b"WATCH" => wire.transaction(true),
        b"EXEC" | b"DISCARD" | b"UNWATCH" | b"RESET" => wire.transaction(false),
        _ => {}
    }
    // To an empty line there is no answer.
    let answers = i64::from(!bytes.trim_ascii().is_empty());
    let mut hasher = DefaultHasher::new();
    bytes[..length.min(1_024)].hash(&mut hasher);
    match answers {
        0 => Head::Pass(length),
        _ => Head::Call { length, mark: hasher.finish(), answers },
    }
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
    pending: Vec<u8>,
}

impl Replies {
    pub(super) fn read(&mut self, bytes: &[u8], wire: &Wire) {
        if wire.is_raw() {
            return;
        }
        self.pending.extend_from_slice(bytes);
        let mut done = 0;
        while let Reading::Whole(length) = length(&self.pending[done..], 0) {
            // A push message answers nothing.
            if self.pending[done] != b'>' {
                wire.answered(1);
            }
            done += length;
        }
        self.pending.drain(..done);
        if self.pending.len() > 64 * MAX_READ {
            wire.go_unread();
            self.pending = Vec::new();
        }
    }
}

/// How long the value at the begin is.
enum Reading {
    Whole(usize),
    /// Not all of it is there; perhaps its length is known.
    Partial(Option<usize>),
    Broken,
}

/// Values are nested at most this deep in what we read.
const MAX_DEPTH: usize = 16;

fn length(bytes: &[u8], depth: usize) -> Reading {
    let Some(line) = line(bytes) else { return Reading::Partial(None) };
    let count = || std::str::from_utf8(&bytes[1..line - 2]).ok().and_then(|text| text.parse::<i64>().ok());
    match bytes[0] {
        b'$' | b'=' | b'!' => match count() {
            Some(length) if length < 0 => Reading::Whole(line),
            Some(length) => {
                let whole = line + length as usize + 2;
                if bytes.len() >= whole { Reading::Whole(whole) } else { Reading::Partial(Some(whole)) }
            }
            None => Reading::Broken,
        },
        b'*' | b'~' | b'>' | b'%' | b'|' => {
            let per = if matches!(bytes[0], b'%' | b'|') { 2 } else { 1 };
            match count() {
                Some(items) if items <= 0 => Reading::Whole(line),
                Some(items) if depth < MAX_DEPTH => nested(bytes, line, items as usize * per, depth),
                _ => Reading::Broken,
            }
        }
        // Simple strings, errors, numbers, nulls, booleans; and commands typed by hand.
        _ => Reading::Whole(line),
    }
}

/// The length of the first line. One that is typed by hand may end without a carriage return.
fn line(bytes: &[u8]) -> Option<usize> {
    if matches!(bytes.first()?, b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|') {
        return bytes.windows(2).position(|pair| pair == b"\r\n").map(|end| end + 2);
    }
    bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1)
}

fn nested(bytes: &[u8], line: usize, items: usize, depth: usize) -> Reading {
    let mut at = line;
    for item in 0..items {
        match length(&bytes[at..], depth + 1) {
            Reading::Whole(length) => at += length,
            Reading::Partial(Some(length)) if item + 1 == items => {
                return Reading::Partial(Some(at + length));
            }
            Reading::Partial(_) => return Reading::Partial(None),
            Reading::Broken => return Reading::Broken,
        }
    }
    Reading::Whole(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_whole_in_parts_and_in_a_row() {
        let (mut commands, wire) = (Commands::default(), Wire::default());
        let get = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        for end in 0..get.len() {
            assert_eq!(commands.head(&get[..end], &wire), Head::Partial);
        }
        let two = [get.as_slice(), b"*1\r\n$4\r\nPING\r\n"].concat();
        let Head::Call { length, mark, answers: 1 } = commands.head(&two, &wire) else { panic!() };
        assert_eq!(length, get.len());
        let Head::Call { mark: ping, .. } = commands.head(&two[length..], &wire) else { panic!() };
        assert_ne!(mark, ping);
    }

    #[test]
    fn lines_typed_by_hand_are_commands_and_what_can_be_none_is_passed() {
        let (mut commands, wire) = (Commands::default(), Wire::default());
        assert!(matches!(commands.head(b"PING\nPING", &wire), Head::Call { length: 5, .. }));
        assert!(matches!(commands.head(b"PING\r\n", &wire), Head::Call { length: 6, .. }));
        assert_eq!(commands.head(b"\r\n", &wire), Head::Pass(2), "nobody answers to an empty line");
        assert_eq!(commands.head(b"monitor\n", &wire), Head::Stream);
        assert_eq!(commands.head(b"\x16\x03\x01", &wire), Head::Raw);
    }

    #[test]
    fn between_multi_and_exec_a_connection_is_not_idle() {
        let (mut commands, wire) = (Commands::default(), Wire::default());
        for (command, idle) in [("WATCH a", false), ("MULTI", false), ("SET a 1", false), ("EXEC", true)] {
            let bytes = format!("{command}\r\n");
            assert!(matches!(commands.head(bytes.as_bytes(), &wire), Head::Call { .. }));
            assert_eq!(wire.is_idle(), idle, "{command}");
        }
        commands.head(b"*1\r\n$5\r\nmulti\r\n", &wire);
        assert!(!wire.is_idle());
        commands.head(b"*1\r\n$7\r\ndiscard\r\n", &wire);
        assert!(wire.is_idle());
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
            assert!(!wire.is_idle());
            replies.read(&[*byte], &wire);
        }
        assert!(wire.is_idle());
    }
}
