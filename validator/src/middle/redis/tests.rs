use super::commands::MAX_READ;
use super::*;
use crate::middle::call::Says;
use crate::middle::miss::Miss;
use crate::middle::wire::{Head, Wire};

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

/// What a client reads, in pieces of a size, of what a server says to so many commands, of which these reads are to miss.
fn heard(size: usize, commands: i64, reads: &[(i64, Miss)], bytes: &[u8]) -> (String, u64) {
    let (wire, mut replies) = (Wire::default(), Replies::default());
    for number in 1..=commands {
        reads.iter().filter(|(read, _)| *read == number).for_each(|(_, miss)| wire.miss(*miss));
        wire.ask(1);
    }
    let pieces = bytes.chunks(size);
    let passed = pieces.flat_map(|piece| replies.read(piece, &wire).unwrap_or_else(|| piece.to_vec()));
    let passed = String::from_utf8(passed.collect()).unwrap();
    assert!(wire.owes_nothing() && !wire.is_changing(), "{passed}");
    (passed, wire.take_missed())
}

#[test]
fn what_a_read_finds_is_left_out_in_its_place_and_all_else_passes() {
    let reads =
        [(2, Miss::Nil), (3, Miss::Nil), (4, Miss::Nils(2)), (5, Miss::Nil), (7, Miss::EmptyCollection)];
    let bytes = b"+OK\r\n$5\r\n\r\nabc\r\n-NOPERM no\r\n*2\r\n$1\r\na\r\n$-1\r\n+QUEUED\r\n:1\r\n*1\r\n*1\r\n:1\r\n$1\r\nb\r\n";
    let expected = "+OK\r\n$-1\r\n-NOPERM no\r\n*2\r\n$-1\r\n$-1\r\n+QUEUED\r\n:1\r\n*0\r\n$1\r\nb\r\n";
    for size in [1, 3, 1_000] {
        assert_eq!(heard(size, 8, &reads, bytes), (expected.to_owned(), 3), "in pieces of {size}");
    }
}

#[test]
fn after_hello_a_miss_is_said_in_the_third_version() {
    let reads = [(2, Miss::Nil), (3, Miss::EmptyCollection)];
    let bytes = b"%1\r\n$5\r\nproto\r\n:3\r\n>2\r\n+a\r\n+b\r\n$1\r\na\r\n%1\r\n+f\r\n:1\r\n";
    let expected = "%1\r\n$5\r\nproto\r\n:3\r\n>2\r\n+a\r\n+b\r\n_\r\n%0\r\n";
    for size in [1, 3, 1_000] {
        assert_eq!(heard(size, 3, &reads, bytes), (expected.to_owned(), 2), "in pieces of {size}");
    }
}

#[test]
fn a_client_that_only_listens_from_now_on_gets_no_part_of_what_is_replaced() {
    let (wire, mut replies) = (Wire::default(), Replies::default());
    wire.miss(Miss::Nil);
    wire.ask(1);
    assert_eq!(replies.read(b"$5\r\nab", &wire).unwrap(), b"");
    wire.go_raw();
    assert_eq!(replies.read(b"cde\r\n+a\r\n", &wire).unwrap(), b"$-1\r\n+a\r\n");
    assert_eq!(replies.read(b"+b\r\n", &wire), None);
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
