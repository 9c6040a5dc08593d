//! What a statement asks for, as far as its words tell.

use crate::middle::call::Says;

/// What a server that is read-only refuses (PostgreSQL documentation, "SET TRANSACTION"), by the first word of a statement.
const WRITES: [&[u8]; 17] = [
    b"INSERT",
    b"UPDATE",
    b"DELETE",
    b"MERGE",
    b"COPY",
    b"CREATE",
    b"ALTER",
    b"DROP",
    b"TRUNCATE",
    b"GRANT",
    b"REVOKE",
    b"COMMENT",
    b"REINDEX",
    b"VACUUM",
    b"CLUSTER",
    b"REFRESH",
    b"IMPORT",
];

/// And by one inside of a statement that reads otherwise.
const WRITES_INSIDE: [&[u8]; 5] = [b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"NEXTVAL"];

/// What a statement asks for: by its first word, or by those inside.
pub(super) fn says(text: &[u8]) -> Says {
    let text = without_comment(text);
    let words =
        text.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').filter(|word| !word.is_empty());
    let mut words = words.map(<[u8]>::to_ascii_uppercase);
    let Some(first) = words.next() else { return Says::Other };
    match first.as_slice() {
        b"BEGIN" | b"START" => Says::Begin,
        b"SHOW" | b"SELECT" | b"WITH" => says_inside(&words.collect::<Vec<_>>()),
        first if WRITES.contains(&first) => Says::Write,
        _ => Says::Other,
    }
}

fn says_inside(words: &[Vec<u8>]) -> Says {
    if asks_role(words) {
        Says::WhichRole
    } else if words.iter().any(|word| WRITES_INSIDE.contains(&word.as_slice())) {
        Says::Write
    } else {
        Says::Other
    }
}

/// Whether it asks for what tells a primary from a replica, and for the plain answer.
fn asks_role(words: &[Vec<u8>]) -> bool {
    const ROLE: [&[u8]; 3] = [b"PG_IS_IN_RECOVERY", b"TRANSACTION_READ_ONLY", b"IN_HOT_STANDBY"];
    let has = |known: &[&[u8]]| words.iter().any(|word| known.contains(&word.as_slice()));
    has(&ROLE) && !has(&[b"NOT", b"CASE", b"FROM"])
}

/// A text behind the comments that stand before it.
fn without_comment(mut text: &[u8]) -> &[u8] {
    loop {
        text = text.trim_ascii_start();
        let end: &[u8] = match text {
            [b'/', b'*', ..] => b"*/",
            [b'-', b'-', ..] => b"\n",
            _ => return text,
        };
        let Some(at) = text.windows(end.len()).position(|part| part == end) else { return &[] };
        text = &text[at + end.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_read_only_server_refuses_is_known_by_its_words() {
        for text in [
            "insert into a values (1)",
            "/* trace */ -- more\n UPDATE a SET b = 1",
            "WITH x AS (DELETE FROM a RETURNING b) SELECT * FROM x",
            "SELECT * FROM a FOR UPDATE",
            "SELECT nextval('a')",
        ] {
            assert_eq!(says(text.as_bytes()), Says::Write, "{text}");
        }
        for text in ["SELECT updated_at FROM a", "COMMIT", "SHOW x", "", "/* no end", "SET x = 'insert'"] {
            assert_eq!(says(text.as_bytes()), Says::Other, "{text}");
        }
    }

    #[test]
    fn who_asks_for_the_role_of_the_server_and_who_begins_a_transaction_is_known() {
        for text in [
            "SHOW transaction_read_only",
            "select pg_catalog.pg_is_in_recovery()",
            "SELECT current_setting('transaction_read_only')",
        ] {
            assert_eq!(says(text.as_bytes()), Says::WhichRole, "{text}");
        }
        assert_eq!(says(b"SELECT NOT pg_is_in_recovery()"), Says::Other);
        assert_eq!(says(b"begin read only"), Says::Begin);
        assert_eq!(says(b"START TRANSACTION"), Says::Begin);
    }
}
