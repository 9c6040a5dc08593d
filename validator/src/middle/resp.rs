//! One value of RESP after the other, in whatever pieces it comes; no byte is looked at twice.
//!
//! Source: Redis documentation, "Redis serialization protocol specification" (RESP2 and RESP3).

/// Values nested deeper than this are none that Redis sends.
const MAX_DEPTH: usize = 64;

/// Of a line so many bytes are kept: as many as the longest number has, and its type.
const MAX_LINE: usize = 24;

/// Where in a value we are.
#[derive(Debug, Default)]
pub(super) struct Value {
    line: Vec<u8>,
    /// Bytes that are still to come of a text whose length was told, with its line end.
    rest: u64,
    open: Vec<Open>,
    /// How many bytes were looked at, each counted as often as it was.
    #[cfg(test)]
    looked_at: usize,
}

/// A collection that is not whole yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    items: u64,
    /// Attributes stand before the value that they belong to, and are none themselves.
    attributes: bool,
}

/// What came of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The value ends after so many of them.
    Whole(usize),
    /// They all belong to it, and more is to come.
    Part,
    /// It is none.
    Broken,
}

impl Value {
    /// Whether nothing of it has come.
    pub(super) fn is_new(&self) -> bool {
        self.line.is_empty() && self.rest == 0 && self.open.is_empty()
    }

    /// Takes more bytes, which must not have been given before.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Read {
        let mut at = 0;
        while at < bytes.len() {
            let whole = if self.rest > 0 {
                let taken = self.rest.min((bytes.len() - at) as u64);
                self.rest -= taken;
                at += taken as usize;
                self.rest == 0 && self.ended()
            } else {
                match self.line(&bytes[at..]) {
                    Some((taken, Some(whole))) => {
                        at += taken;
                        whole
                    }
                    Some((taken, None)) => {
                        at += taken;
                        false
                    }
                    None => return Read::Broken,
                }
            };
            if whole {
                return Read::Whole(at);
            }
        }
        Read::Part
    }

    /// Takes what belongs to the present line: how many bytes, and, if they end it, whether they end the value.
    fn line(&mut self, bytes: &[u8]) -> Option<(usize, Option<bool>)> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        #[cfg(test)]
        {
            self.looked_at += taken;
        }
        let room = MAX_LINE.saturating_sub(self.line.len()).min(taken);
        self.line.extend_from_slice(&bytes[..room]);
        if end.is_none() {
            return Some((taken, None));
        }
        let line = std::mem::take(&mut self.line);
        self.begin(&line).map(|whole| (taken, Some(whole)))
    }

    /// The first line of a value is there: whether it is the last one too. Nothing if it is no line of a value.
    fn begin(&mut self, line: &[u8]) -> Option<bool> {
        let number = || std::str::from_utf8(&line[1..]).ok()?.trim_end().parse::<i64>().ok();
        let per = match line.first()? {
            b'$' | b'=' | b'!' => {
                // A length below zero is that of nothing.
                let Ok(length) = u64::try_from(number()?) else { return Some(self.ended()) };
                self.rest = length.checked_add(2)?;
                return Some(false);
            }
            b'*' | b'~' | b'>' => 1,
            b'%' | b'|' => 2,
            // Simple strings, errors, numbers, nulls, booleans; and commands typed by hand.
            _ => return Some(self.ended()),
        };
        let items = u64::try_from(number()?).unwrap_or_default().checked_mul(per)?;
        let attributes = line[0] == b'|';
        match items {
            0 if attributes => Some(false),
            0 => Some(self.ended()),
            _ if self.open.len() < MAX_DEPTH => {
                self.open.push(Open { items, attributes });
                Some(false)
            }
            _ => None,
        }
    }

    /// A value has ended: whether it was the outermost.
    fn ended(&mut self) -> bool {
        while let Some(open) = self.open.last_mut() {
            open.items -= 1;
            if open.items > 0 {
                return false;
            }
            let attributes = open.attributes;
            self.open.pop();
            if attributes {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the values are that these bytes hold, given in pieces of a size.
    fn lengths(bytes: &[u8], size: usize) -> Vec<usize> {
        let (mut value, mut lengths, mut length) = (Value::default(), Vec::new(), 0);
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                let (taken, whole) = match value.read(piece) {
                    Read::Whole(taken) => (taken, true),
                    Read::Part => (piece.len(), false),
                    Read::Broken => panic!("broken"),
                };
                length += taken;
                piece = &piece[taken..];
                if whole {
                    assert!(value.is_new());
                    lengths.push(std::mem::take(&mut length));
                }
            }
        }
        lengths
    }

    #[test]
    fn values_end_where_they_end_however_they_are_cut() {
        let values: [&[u8]; 9] = [
            b"+OK\r\n",
            b">2\r\n+a\r\n+b\r\n",
            b"*2\r\n$3\r\nfoo\r\n%1\r\n+k\r\n:1\r\n",
            b"$-1\r\n",
            b"*0\r\n",
            b"$4\r\n\r\n\r\n\r\n",
            b"|1\r\n+ttl\r\n:3\r\n*1\r\n|1\r\n+a\r\n+b\r\n$1\r\nx\r\n",
            b"_\r\n",
            b"-ERR a line that is longer than any number can be, by far\r\n",
        ];
        let expected: Vec<usize> = values.iter().map(|value| value.len()).collect();
        for size in [1, 2, 3, 7, 1_000] {
            assert_eq!(lengths(&values.concat(), size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_value_is_broken() {
        for broken in [b"$x\r\n".as_slice(), b"*9223372036854775808\r\n", &b"*1\r\n".repeat(MAX_DEPTH + 1)] {
            assert_eq!(Value::default().read(broken), Read::Broken);
        }
    }

    #[test]
    fn no_byte_is_looked_at_twice() {
        let items = 20_000;
        let bytes = [format!("*{items}\r\n").into_bytes(), b"$3\r\nfoo\r\n".repeat(items)].concat();
        let mut value = Value::default();
        for piece in bytes.chunks(10) {
            value.read(piece);
        }
        assert!(value.is_new());
        assert!(value.looked_at <= bytes.len(), "{} of {}", value.looked_at, bytes.len());
    }
}
