//! What a command is, by its first word.

use super::super::call::Says;

/// The name of a command, in capitals.
pub(super) fn command(bytes: &[u8]) -> Vec<u8> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let word = if bytes.first() == Some(&b'*') { lines.nth(2) } else { lines.next() };
    let word = word.unwrap_or_default().trim_ascii();
    word.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_ascii_uppercase()
}

/// What a command means to the store.
pub(super) fn says(command: &[u8]) -> Says {
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
