//! As much of HTTP/1.1 as it takes to tell requests, their trace context and the ends of bodies apart (RFC 9112).

use std::hash::{DefaultHasher, Hash, Hasher};

use super::export::Export;
use super::wire::{Context, Head, Wire};

/// Heads longer than this are not looked into.
const MAX_HEAD: usize = 64 * 1024;

/// Header fields of a head that is looked into.
const MAX_FIELDS: usize = 100;

/// What the client of one connection says.
#[derive(Default)]
pub(super) struct Requests {
    body: Body,
    /// The body of an export of spans, while it comes.
    copy: Option<Export>,
    /// Exports that have come whole.
    pub(super) exports: Vec<Export>,
}

impl Requests {
    pub(super) fn head(&mut self, bytes: &[u8], wire: &Wire) -> Head {
        if self.body != Body::None {
            return self.body_part(bytes);
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Head::Partial,
            _ => return Head::Raw, // HTTP/2, or nothing that we know
        };
        let (method, path) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        wire.requested(method == "HEAD");
        self.body = Body::of(request.headers, false);
        self.copy = Export::of(method, path, request.headers).filter(|_| self.body != Body::None);
        let mut hasher = DefaultHasher::new();
        (method, path).hash(&mut hasher);
        let context = field(request.headers, "traceparent").and_then(traceparent);
        Head::Request { length, mark: hasher.finish(), context }
    }

    fn body_part(&mut self, bytes: &[u8]) -> Head {
        if bytes.is_empty() {
            return Head::Partial;
        }
        let mut copied = self.copy.take();
        let Some(length) = self.body.take(bytes, |part| {
            if let Some(copy) = &mut copied {
                copy.extend(part);
            }
        }) else {
            return Head::Raw;
        };
        if self.body == Body::None {
            self.exports.extend(copied);
        } else {
            self.copy = copied;
        }
        Head::Pass(length)
    }
}

/// What the server of one connection says: only when an answer is complete.
#[derive(Default)]
pub(super) struct Responses {
    body: Body,
    pending: Vec<u8>,
}

impl Responses {
    pub(super) fn read(&mut self, bytes: &[u8], wire: &Wire) {
        if wire.is_raw() {
            return;
        }
        self.pending.extend_from_slice(bytes);
        while !self.pending.is_empty() {
            let Some(length) = self.step(wire) else { return };
            self.pending.drain(..length);
        }
    }

    /// One head or one part of a body; nothing when more must come.
    fn step(&mut self, wire: &Wire) -> Option<usize> {
        if self.body == Body::None {
            return self.head(wire);
        }
        let Some(length) = self.body.take(&self.pending, |_| {}) else {
            wire.go_unread();
            return None;
        };
        if self.body == Body::None {
            wire.answered(1);
        }
        Some(length)
    }

    fn head(&mut self, wire: &Wire) -> Option<usize> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(&self.pending) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.pending.len() < MAX_HEAD => return None,
            _ => {
                wire.go_unread();
                return None;
            }
        };
        let code = response.code.unwrap_or_default();
        // 1xx is no answer yet: the request is still without one.
        let to_head = code >= 200 && wire.answer_is_bodiless();
        let bodiless = to_head || code < 200 || code == 204 || code == 304;
        self.body = if bodiless { Body::None } else { Body::of(response.headers, true) };
        let to_http_2 = || field(response.headers, "upgrade").is_some_and(|to| to.contains("h2c"));
        // 101 turns the connection into something else: a stream, or HTTP/2 with calls.
        match (code, &self.body) {
            (101, _) if to_http_2() => wire.go_unread(),
            (101, _) => wire.go_raw(),
            (200.., Body::None) => wire.answered(1),
            _ => {}
        }
        Some(length)
    }
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Body {
    #[default]
    None,
    Length(u64),
    Chunked(Chunk),
    UntilClose,
}

/// Where in a chunked body we are (RFC 9112, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// In the line with the size: its value so far, and whether an extension has begun.
    Size(u64, bool),
    Data(u64),
    /// In the line end after the data.
    AfterData,
    /// In a trailer line: bytes of it so far.
    Trailer(usize),
}

impl Body {
    fn of(fields: &[httparse::Header], until_close: bool) -> Self {
        if field(fields, "transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked"))
        {
            return Self::Chunked(Chunk::Size(0, false));
        }
        match field(fields, "content-length").map(|value| value.trim().parse()) {
            Some(Ok(0)) => Self::None,
            Some(Ok(length)) => Self::Length(length),
            None if until_close => Self::UntilClose,
            _ => Self::None,
        }
    }

    /// Takes what belongs to the body and hands its data on; nothing when it is broken.
    fn take(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> Option<usize> {
        match self {
            Self::None => Some(0),
            Self::UntilClose => Some(bytes.len()),
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                data(&bytes[..taken]);
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::None;
                }
                Some(taken)
            }
            Self::Chunked(chunk) => {
                let (taken, next) = chunked(*chunk, bytes, &mut data)?;
                *self = next.map_or(Self::None, Self::Chunked);
                Some(taken)
            }
        }
    }
}

fn chunked(mut chunk: Chunk, bytes: &[u8], data: &mut impl FnMut(&[u8])) -> Option<(usize, Option<Chunk>)> {
    let mut at = 0;
    while at < bytes.len() {
        if let Chunk::Data(left) = chunk {
            let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
            data(&bytes[at..at + taken]);
            at += taken;
            let left = left - taken as u64;
            chunk = if left == 0 { Chunk::AfterData } else { Chunk::Data(left) };
            continue;
        }
        at += 1;
        if chunk == Chunk::Trailer(0) && bytes[at - 1] == b'\n' {
            return Some((at, None));
        }
        chunk = chunk.after(bytes[at - 1])?;
    }
    Some((at, Some(chunk)))
}

impl Chunk {
    /// Where we are after one more byte that is no data; nothing when the size is none.
    fn after(self, byte: u8) -> Option<Self> {
        Some(match self {
            Self::Size(0, _) if byte == b'\n' => Self::Trailer(0),
            Self::Size(size, _) if byte == b'\n' => Self::Data(size),
            Self::Size(size, extension) => match (byte as char).to_digit(16) {
                Some(digit) if !extension => {
                    Self::Size(size.checked_mul(16)?.checked_add(digit.into())?, false)
                }
                _ => Self::Size(size, true),
            },
            Self::AfterData if byte == b'\n' => Self::Size(0, false),
            Self::Trailer(length) => match byte {
                b'\n' => Self::Trailer(0),
                b'\r' => Self::Trailer(length),
                _ => Self::Trailer(length + 1),
            },
            Self::Data(_) | Self::AfterData => self,
        })
    }
}

pub(super) fn field<'v>(fields: &[httparse::Header<'v>], name: &str) -> Option<&'v str> {
    let found = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(found.value).ok()
}

/// A `traceparent` of version 00 (W3C Trace Context).
fn traceparent(value: &str) -> Option<Context> {
    let mut parts = value.trim().split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = parts.next().and_then(|flags| u8::from_str_radix(flags, 16).ok()).unwrap_or_default();
    let hex = |text: &str, length| {
        text.len() == length
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            && text.bytes().any(|b| b != b'0')
    };
    (version == "00" && hex(trace, 32) && hex(parent, 16)).then(|| Context {
        trace_id: trace.to_owned(),
        parent_id: parent.to_owned(),
        sampled: flags & 1 == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_copied_whole_in_any_parts() {
        let plain = b"POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf\r\ncontent-length: 5\r\n\r\nhello";
        let chunked = b"POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\ntrailer: 1\r\n\r\n";
        for text in [plain.as_slice(), chunked.as_slice()] {
            for size in [1, 7, text.len()] {
                let (mut requests, mut buffer, wire) = (Requests::default(), Vec::new(), Wire::default());
                let mut heads = 0;
                for part in text.repeat(2).chunks(size) {
                    buffer.extend_from_slice(part);
                    loop {
                        match requests.head(&buffer, &wire) {
                            Head::Pass(length) => drop(buffer.drain(..length)),
                            Head::Request { length, .. } => {
                                heads += 1;
                                buffer.drain(..length);
                            }
                            Head::Partial => break,
                            other => panic!("{other:?}"),
                        }
                    }
                }
                assert_eq!((heads, requests.exports.len()), (2, 2));
                assert!(requests.exports.iter().all(|export| export.body() == b"hello"));
            }
        }
    }

    #[test]
    fn a_trace_context_is_taken_only_when_it_is_valid() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert!(traceparent(&format!("00-{trace}-b7ad6b7169203331-01")).is_some());
        assert!(traceparent(&format!("00-{trace}-0000000000000000-01")).is_none());
        assert!(traceparent(&format!("ff-{trace}-b7ad6b7169203331-01")).is_none());
        assert!(traceparent("nonsense").is_none());
    }

    #[test]
    fn the_length_in_an_answer_to_head_announces_no_body() {
        let (wire, mut requests, mut responses) =
            (Wire::default(), Requests::default(), Responses::default());
        for request in ["HEAD / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
            assert!(matches!(requests.head(request.as_bytes(), &wire), Head::Request { .. }));
            wire.ask(1);
        }
        responses.read(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", &wire);
        assert!(!wire.is_idle(), "the second one is not answered");
        responses.read(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", &wire);
        assert!(wire.is_idle() && !wire.is_raw());
    }

    #[test]
    fn answers_with_and_without_bodies_are_counted() {
        let (wire, mut responses) = (Wire::default(), Responses::default());
        wire.ask(3);
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
        for byte in text.as_bytes() {
            assert!(!wire.is_idle());
            responses.read(&[*byte], &wire);
        }
        assert!(wire.is_idle());
    }
}
