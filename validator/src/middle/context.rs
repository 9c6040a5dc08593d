//! The trace context that a request carries (W3C Trace Context).

use http::header::HeaderMap;

/// The trace context of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) trace_id: String,
    pub(super) parent_id: String,
    pub(super) sampled: bool,
}

/// The only valid `traceparent` of a request, if there is one.
pub(super) fn context(fields: &HeaderMap) -> Option<Context> {
    traceparent(fields.get("traceparent")?.to_str().ok()?)
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
    fn a_trace_context_is_taken_only_when_it_is_valid() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert!(traceparent(&format!("00-{trace}-b7ad6b7169203331-01")).is_some());
        assert!(traceparent(&format!("00-{trace}-0000000000000000-01")).is_none());
        assert!(traceparent(&format!("ff-{trace}-b7ad6b7169203331-01")).is_none());
        assert!(traceparent("nonsense").is_none());
    }
}
