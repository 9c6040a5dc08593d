//! What a read of a cache is answered where nothing is.

/// An answer of RESP that says so, whatever the version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    Nil,
    /// So many of them.
    Nils(usize),
    EmptyText,
    Zero,
    EmptyCollection,
}

impl Miss {
    /// In place of an answer that begins so; nothing where that answers no read: an error of the server's own (NOPERM, MOVED)
    /// is what the service would meet without us, and in a transaction the answer is only QUEUED.
    pub(super) fn in_place_of(self, kind: u8, resp3: bool) -> Option<String> {
        let nil = if resp3 { "_\r\n" } else { "$-1\r\n" };
        match (self, kind) {
            (Self::Nil, b'$' | b'_') => Some(nil.to_owned()),
            (Self::Nils(count), b'*') => Some(format!("*{count}\r\n{}", nil.repeat(count))),
            (Self::EmptyText, b'$') => Some("$0\r\n\r\n".to_owned()),
            (Self::Zero, b':') => Some(":0\r\n".to_owned()),
            (Self::EmptyCollection, b'*' | b'%' | b'~') => Some(format!("{}0\r\n", char::from(kind))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_is_said_in_the_version_that_is_spoken_and_stands_for_no_other_answer() {
        let cases = [
            (Miss::Nil, b'$', "$-1\r\n", "_\r\n"),
            (Miss::Nil, b'_', "$-1\r\n", "_\r\n"),
            (Miss::Nils(2), b'*', "*2\r\n$-1\r\n$-1\r\n", "*2\r\n_\r\n_\r\n"),
            (Miss::EmptyText, b'$', "$0\r\n\r\n", "$0\r\n\r\n"),
            (Miss::Zero, b':', ":0\r\n", ":0\r\n"),
            (Miss::EmptyCollection, b'*', "*0\r\n", "*0\r\n"),
            (Miss::EmptyCollection, b'%', "%0\r\n", "%0\r\n"),
            (Miss::EmptyCollection, b'~', "~0\r\n", "~0\r\n"),
        ];
        for (miss, kind, second, third) in cases {
            assert_eq!(miss.in_place_of(kind, false).as_deref(), Some(second));
            assert_eq!(miss.in_place_of(kind, true).as_deref(), Some(third));
            for other in [b'-', b'!', b'+', b'|'] {
                assert_eq!(miss.in_place_of(other, true), None, "{miss:?}");
            }
        }
        assert_eq!(Miss::Nil.in_place_of(b':', false), None);
    }
}
