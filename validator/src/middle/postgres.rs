//! As much of Postgres' protocol 3 as it takes to follow a statement from Parse to Execute.
//!
//! Source: PostgreSQL documentation, "Frontend/Backend Protocol", message formats and flow.

mod words;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use self::words::says;
use super::call::Says;
use super::wire::{Encryption, Head, Wire};

/// A message of which more than its head must be read is looked at up to this length.
const MAX_READ: usize = 64 * 1024;

/// Names of statements and portals remembered per connection.
const MAX_NAMES: usize = 4_096;

const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;
const GSS_REQUEST: u32 = 80_877_104;

/// What the client of one connection says.
#[derive(Default)]
pub(super) struct Frontend {
    started: bool,
    /// Bytes of a long message that are still to pass.
    rest: usize,
    /// Whether they are left out: something else was sent in place of the message.
    dropping: bool,
    statements: HashMap<Vec<u8>, Statement>,
    portals: HashMap<Vec<u8>, Statement>,
    sync: Sync,
}

/// Whether the next Sync is answered. While a COPY takes data in, servers ignore the one that clients send behind Execute
/// ("Frontend/Backend Protocol", COPY operations).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Sync {
    /// It is.
    #[default]
    Answered,
    /// It is, and one has come since the last Execute: ignored, should it have begun a COPY.
    Follows,
    /// It stands for the one that was ignored, and has been counted.
    Counted,
}

/// What is remembered of a statement. Its text is never kept: it may hold values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Statement {
    mark: u64,
    says: Says,
}

impl Frontend {
    /// What stands at the begin of `bytes`.
    pub(super) fn head(&mut self, bytes: &[u8], wire: &Wire) -> Head {
        if self.rest > 0 {
            let passed = self.rest.min(bytes.len());
            self.rest -= passed;
            return match passed {
                0 => Head::Partial,
                _ if self.dropping => Head::Drop(passed),
                _ => Head::Pass(passed),
            };
        }
        self.dropping = false;
        if !self.started {
            return self.startup(bytes, wire);
        }
        let Some((kind, length)) = frame(bytes) else { return Head::Partial };
        let wanted = matches!(kind, b'P' | b'B' | b'E' | b'Q' | b'C');
        let have = bytes.len().min(length);
        if wanted && have < length.min(MAX_READ) {
            return Head::Partial;
        }
        self.rest = length - have;
        self.follow(kind, &bytes[5..have], have)
    }

    /// What a message means; of a long one the begin is there.
    fn follow(&mut self, kind: u8, body: &[u8], have: usize) -> Head {
        match kind {
            b'P' => self.parse(body),
            b'B' => self.bind(body),
            b'C' => self.close(body),
            b'E' => {
                self.sync = Sync::Answered;
                let Statement { mark, says } = self.portals.get(name(body).0).copied().unwrap_or_default();
                return Head::Call { length: have, mark, says, answers: 0 };
            }
            b'Q' => {
                self.sync = Sync::Answered;
                let Statement { mark, says } = Statement::of(name(body).0);
                return Head::Call { length: have, mark, says, answers: 1 };
            }
            b'S' if self.sync == Sync::Counted => self.sync = Sync::Answered,
            b'S' => {
                self.sync = Sync::Follows;
                return Head::Ask(have, 1);
            }
            b'F' => return Head::Ask(have, 1),
            // CopyDone, CopyFail.
            b'c' | b'f' if self.sync == Sync::Follows => self.sync = Sync::Counted,
            _ => {}
        }
        Head::Pass(have)
    }

    pub(super) fn drop_rest(&mut self) {
        self.dropping = self.rest > 0;
    }

    /// Before the startup message there is no type byte.
    fn startup(&mut self, bytes: &[u8], wire: &Wire) -> Head {
        let (Some(length), Some(code)) = (number(bytes, 0), number(bytes, 4)) else {
            return Head::Partial;
        };
        let length = length as usize;
        if !(8..=MAX_READ).contains(&length) {
            return Head::Raw;
        }
        if bytes.len() < length {
            return Head::Partial;
        }
        match code {
            SSL_REQUEST | GSS_REQUEST => {
                wire.set_encryption(Encryption::Asked);
                Head::Ask(length, 1)
            }
            CANCEL_REQUEST => Head::Stream,
            _ => {
                self.started = true;
                Head::Startup(length)
            }
        }
    }

    fn parse(&mut self, body: &[u8]) {
        let (statement, rest) = name(body);
        remember(&mut self.statements, statement, Statement::of(name(rest).0));
    }

    fn bind(&mut self, body: &[u8]) {
        let (portal, rest) = name(body);
        let bound = self.statements.get(name(rest).0).copied().unwrap_or_default();
        remember(&mut self.portals, portal, bound);
    }

    fn close(&mut self, body: &[u8]) {
        match body.split_first() {
            Some((b'S', rest)) => drop(self.statements.remove(name(rest).0)),
            Some((b'P', rest)) => drop(self.portals.remove(name(rest).0)),
            _ => {}
        }
    }
}

/// What the server of one connection says: its readiness for the next query, and what is ours in place of it.
#[derive(Default)]
pub(super) struct Backend {
    /// Bytes of the present message that are still to come.
    rest: usize,
    /// The begin of a message whose head has not come whole.
    head: Vec<u8>,
    /// Whether the present message is left out: something of ours stands in its place.
    drop: bool,
}

impl Backend {
    /// Follows the server's messages; while something of ours is due, gives what is to be passed in their place.
    pub(super) fn read(&mut self, mut bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
        let mut passed = (wire.is_changing() || self.drop).then(|| Vec::with_capacity(bytes.len()));
        if wire.encryption() == Encryption::Asked && !bytes.is_empty() {
            let agreed = matches!(bytes[0], b'S' | b'G');
            wire.set_encryption(if agreed { Encryption::Agreed } else { Encryption::None });
            wire.answered(1);
            bytes = &bytes[1..];
        }
        if wire.is_raw() || wire.encryption() == Encryption::Agreed {
            return None;
        }
        while !bytes.is_empty() {
            let taken = match self.rest.min(bytes.len()) {
                0 => self.begin(bytes, wire, &mut passed),
                body => {
                    self.rest -= body;
                    body
                }
            };
            if let Some(passed) = passed.as_mut().filter(|_| !self.drop) {
                passed.extend_from_slice(&bytes[..taken]);
            }
            if self.rest == 0 && self.head.is_empty() {
                self.drop = false;
            }
            bytes = &bytes[taken..];
        }
        passed
    }

    /// Reads the head of the next message, of which a part may have come before; gives how many bytes it took.
    fn begin(&mut self, bytes: &[u8], wire: &Wire, passed: &mut Option<Vec<u8>>) -> usize {
        // Of ReadyForQuery the head is followed by the one byte that matters.
        let kind = self.head.first().or(bytes.first()).copied().unwrap_or_default();
        let wanted = if kind == b'Z' { 6 } else { 5 };
        let fresh = self.head.is_empty();
        let taken = (wanted - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..taken]);
        if self.head.len() < wanted {
            return taken;
        }
        let length = frame(&self.head).map_or(wanted, |(_, length)| length);
        if kind == b'Z' {
            // I: idle; T: in a transaction; E: in one that has failed (ReadyForQuery).
            wire.set_in_transaction(self.head.get(5).is_some_and(|status| *status != b'I'));
            wire.answered(1);
            wire.forget_changes();
        }
        // What came in one piece can be replaced; what was cut is passed as it is.
        if let Some(passed) = passed.as_mut().filter(|_| fresh)
            && let Some(ours) = instead(kind, bytes, wire)
        {
            passed.extend(ours);
            self.drop = true;
        }
        self.rest = length.saturating_sub(self.head.len());
        self.head.clear();
        taken
    }
}

/// What is to be passed in place of the message at the begin, if it is to be something else.
fn instead(kind: u8, bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
    match kind {
        b'E' => wire.failing().map(|code| error("ERROR", &code)),
        b'D' if wire.is_replica() => as_replica(bytes),
        _ => None,
    }
}

/// A row of one column in which a primary says that it is one, as a replica says it. Nothing if it is another row, or is
/// not there as a whole.
fn as_replica(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_, length) = frame(bytes)?;
    let value: &[u8] = match bytes.get(..length)?.get(11..)? {
        b"off" => b"on",
        b"f" => b"t",
        // The same in binary.
        [0] => &[1],
        _ => return None,
    };
    let mut row = vec![b'D'];
    row.extend((value.len() as u32 + 10).to_be_bytes());
    row.extend(1_u16.to_be_bytes());
    row.extend((value.len() as u32).to_be_bytes());
    row.extend(value);
    Some(row)
}

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

impl Statement {
    /// Texts are told apart by a hash.
    fn of(text: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        text.trim_ascii().hash(&mut hasher);
        Self { mark: hasher.finish(), says: says(text) }
    }
}

fn remember(names: &mut HashMap<Vec<u8>, Statement>, name: &[u8], statement: Statement) {
    if names.len() < MAX_NAMES || names.contains_key(name) {
        names.insert(name.to_vec(), statement);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn started(wire: &Wire) -> Frontend {
        let mut frontend = Frontend::default();
        let mut startup = 16_u32.to_be_bytes().to_vec();
        startup.extend(196_608_u32.to_be_bytes());
        startup.extend(*b"user\0\0\0\0");
        assert_eq!(frontend.head(&startup, wire), Head::Startup(16));
        frontend
    }

    #[test]
    fn a_statement_keeps_its_mark_from_parse_to_execute() {
        let wire = Wire::default();
        let mut frontend = started(&wire);
        let calls = |frontend: &mut Frontend, text: &str| {
            let parse = message(b'P', format!("s1\0{text}\0\0\0").as_bytes());
            assert_eq!(frontend.head(&parse, &wire), Head::Pass(parse.len()));
            let bind = message(b'B', b"\0s1\0\0\0\0\0\0\0");
            assert_eq!(frontend.head(&bind, &wire), Head::Pass(bind.len()));
            match frontend.head(&message(b'E', b"\0\0\0\0\0"), &wire) {
                Head::Call { mark, .. } => mark,
                other => panic!("{other:?}"),
            }
        };
        let first = calls(&mut frontend, "SELECT 1");
        assert_eq!(first, calls(&mut frontend, " SELECT 1 "));
        assert_ne!(first, calls(&mut frontend, "SELECT 2"));
        assert_eq!(first, Statement::of(b"SELECT 1").mark);
    }

    #[test]
    fn a_row_is_said_as_a_replica_says_it_only_in_the_answer_that_it_belongs_to() {
        let row = |value: &[u8]| {
            let length = (value.len() as u32).to_be_bytes();
            message(b'D', &[&[0, 1], length.as_slice(), value].concat())
        };
        let (wire, mut backend) = (Wire::default(), Backend::default());
        wire.answer_as_replica();
        wire.ask(1);
        assert_eq!(backend.read(&row(b"off"), &wire), Some(row(b"on")));
        assert_eq!(backend.read(&row(b"f"), &wire), Some(row(b"t")));
        assert_eq!(backend.read(&row(&[0]), &wire), Some(row(&[1])));
        assert_eq!(backend.read(&row(b"on"), &wire), Some(row(b"on")));
        backend.read(&message(b'Z', b"I"), &wire);
        assert!(!wire.is_changing());
        assert_eq!(backend.read(&row(b"off"), &wire), None);
    }

    #[test]
    fn what_is_sent_behind_the_begin_of_a_transaction_belongs_to_it_before_that_is_answered() {
        let (wire, mut backend) = (Wire::default(), Backend::default());
        wire.begin_transaction();
        wire.ask(1);
        assert!(wire.is_in_transaction());
        backend.read(&message(b'Z', b"I"), &wire);
        assert!(!wire.is_in_transaction(), "the server did not begin it");
    }

    #[test]
    fn messages_may_come_byte_by_byte_and_longer_than_is_read() {
        let wire = Wire::default();
        let mut frontend = started(&wire);
        let query = message(b'Q', b"SELECT 1\0");
        for end in 0..query.len() {
            assert_eq!(frontend.head(&query[..end], &wire), Head::Partial);
        }
        assert!(
            matches!(frontend.head(&query, &wire), Head::Call { length, answers: 1, .. } if length == query.len())
        );
        let copy = message(b'd', &vec![7; 200_000]);
        assert_eq!(frontend.head(&copy[..1_000], &wire), Head::Pass(1_000));
        assert_eq!(frontend.head(&copy[1_000..], &wire), Head::Pass(copy.len() - 1_000));
        assert_eq!(frontend.head(&message(b'S', b""), &wire), Head::Ask(5, 1));
    }

    #[test]
    fn the_sync_behind_an_execute_that_begins_a_copy_is_not_answered() {
        let wire = Wire::default();
        let mut frontend = started(&wire);
        let mut asks = |kinds: &[u8]| {
            let heads = kinds.iter().map(|kind| frontend.head(&message(*kind, b"\0\0\0\0\0"), &wire));
            heads.filter(|head| matches!(head, Head::Ask(..))).count()
        };
        assert_eq!(asks(b"ESddcS"), 1, "tokio-postgres: COPY FROM STDIN");
        assert_eq!(asks(b"ESES"), 2, "statements after it");
        assert_eq!(asks(b"ESfS"), 1, "given up");
        assert_eq!(asks(b"EHdcS"), 1, "with a Flush in place of the first Sync");
    }

    #[test]
    fn a_question_for_encryption_is_answered_by_one_byte() {
        let wire = Wire::default();
        let mut question = 8_u32.to_be_bytes().to_vec();
        question.extend(SSL_REQUEST.to_be_bytes());
        let Head::Ask(8, answers) = Frontend::default().head(&question, &wire) else { panic!() };
        wire.ask(answers);
        assert!(!wire.owes_nothing());
        Backend::default().read(b"N", &wire);
        assert!(wire.owes_nothing());
    }

    #[test]
    fn a_code_meets_no_error_but_that_of_its_own_statement() {
        let (wire, mut backend) = (Wire::default(), Backend::default());
        wire.fail(1, "53300".into());
        wire.ask(1); // its Sync
        wire.ask(1); // that of the next statements
        backend.read(&message(b'Z', b"I"), &wire);
        assert!(!wire.is_changing(), "the server had skipped it");
        wire.fail(1, "53300".into());
        assert_eq!(backend.read(&message(b'E', b"SERROR\0\0"), &wire), Some(message(b'E', b"SERROR\0\0")));
        backend.read(&message(b'Z', b"I"), &wire);
        let failed = backend.read(&message(b'E', b"SERROR\0\0"), &wire).unwrap();
        assert!(failed.windows(5).any(|code| code == b"53300"));
    }

    #[test]
    fn the_rest_of_a_replaced_message_is_dropped() {
        let wire = Wire::default();
        let mut frontend = started(&wire);
        let query = message(b'Q', &vec![b' '; 200_000]);
        assert!(matches!(frontend.head(&query[..MAX_READ], &wire), Head::Call { length: MAX_READ, .. }));
        frontend.drop_rest();
        assert_eq!(frontend.head(&query[MAX_READ..100_000], &wire), Head::Drop(100_000 - MAX_READ));
        assert_eq!(frontend.head(&query[100_000..], &wire), Head::Drop(query.len() - 100_000));
        assert_eq!(frontend.head(&message(b'S', b""), &wire), Head::Ask(5, 1));
    }

    #[test]
    fn each_readiness_for_a_query_is_an_answer_however_it_is_cut() {
        let (wire, mut backend) = (Wire::default(), Backend::default());
        wire.ask(2);
        for byte in message(b'Z', b"I") {
            backend.read(&[byte], &wire);
        }
        assert!(!wire.owes_nothing());
        let mut bytes = message(b'D', &[b'Z'; 30]);
        bytes.extend(message(b'Z', b"T"));
        backend.read(&bytes, &wire);
        assert!(wire.owes_nothing());
    }
}
