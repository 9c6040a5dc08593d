use super::frontend::{MAX_READ, SSL_REQUEST, Statement};
use super::*;
use crate::middle::wire::{Head, Wire};

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
