//! The keys that a command reads.

use std::ops::Range;

/// Leads a read to keys that do not exist: of the same length, so that nothing else moves. Says whether it was a read.
pub(in crate::middle) fn blank_keys(command: &mut [u8]) -> bool {
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
