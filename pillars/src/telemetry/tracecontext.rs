use http::{HeaderMap, HeaderName};
use opentelemetry::Context;
use opentelemetry::propagation::{Injector, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::combined::combined;

/// W3C Trace Context. Writes as the SDK does; reads by the letter, since the SDK takes in capitals, short flags and the
/// first of two `traceparent` headers (sections 2.2 and 3.2 of the recommendation).
#[derive(Debug, Default)]
pub(super) struct TraceContext(TraceContextPropagator);

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Most members that a `tracestate` may have (section 3.3.1.1).
const MEMBERS: usize = 32;
/// Longest key and longest value of a member.
const LONGEST: usize = 256;
/// Longest list that goes on into spans and requests of ours: what everybody should pass on at least (section 3.3.1.5). Each
/// span has a copy of it, and thousands of them may wait for the collector.
const LENGTH: usize = 512;
/// A member above this goes first.
const LARGE: usize = 128;

impl TraceContext {
    pub(super) fn inject(&self, context: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(context, injector);
    }

    /// The remote parent, if there is exactly one.
    pub(super) fn extract(headers: &HeaderMap) -> Option<SpanContext> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (parent, None) = (parents.next()?, parents.next()) else {
            return None;
        };
        let (trace, span, flags) = parse_parent(parent.as_bytes())?;
        let state = combined(headers, &TRACESTATE).filter(|list| !list.is_empty());
        let state = state.and_then(|list| parse_state(&list)).unwrap_or_default();
        Some(SpanContext::new(trace, span, flags, true, state))
    }
}

/// `version-trace-parent-flags` in lower-case hexadecimal; later versions may go on after another dash.
fn parse_parent(text: &[u8]) -> Option<(TraceId, SpanId, TraceFlags)> {
    let (version, rest) = hex::<1>(text.trim_ascii())?;
    let (trace, rest) = hex::<16>(rest.strip_prefix(b"-")?)?;
    let (span, rest) = hex::<8>(rest.strip_prefix(b"-")?)?;
    let ([flags], rest) = hex::<1>(rest.strip_prefix(b"-")?)?;
    let ends_as_it_must = rest.is_empty() || version != [0] && rest[0] == b'-';
    let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
    let is_valid =
        ends_as_it_must && version != [0xff] && trace != TraceId::INVALID && span != SpanId::INVALID;
    is_valid.then(|| (trace, span, TraceFlags::new(flags) & TraceFlags::SAMPLED))
}

/// Reads so many bytes in lower-case hexadecimal; returns them and what follows.
fn hex<const BYTES: usize>(text: &[u8]) -> Option<([u8; BYTES], &[u8])> {
    let (digits, rest) = text.split_at_checked(2 * BYTES)?;
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some((bytes, rest))
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// A list with one malformed member cannot be trusted, and the parent stands without it.
fn parse_state(text: &str) -> Option<TraceState> {
    let members: Vec<_> = text.split(',').map(|member| member.trim_matches([' ', '\t'])).collect();
    let members: Vec<_> = members.into_iter().filter(|member| !member.is_empty()).collect();
    let parsed: Option<Vec<_>> = members.iter().map(|member| member.split_once('=')).collect();
    let mut parsed = parsed?;
    let mut keys: Vec<_> = parsed.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    let distinct = keys.array_windows().all(|[one, next]| one != next);
    let sound = parsed.len() <= MEMBERS
        && distinct
        && parsed.iter().all(|(key, value)| is_key(key) && is_value(value));
    if !sound {
        return None;
    }
    shorten(&mut parsed);
    TraceState::from_key_value(parsed).ok()
}

/// Leaves whole members out of a list that is too long, large ones first, as the same section asks; each time the last one, as
/// it is from the service that is farthest away.
fn shorten(members: &mut Vec<(&str, &str)>) {
    while length(members) > LENGTH {
        let large = members.iter().rposition(|member| length(&[*member]) > LARGE);
        members.remove(large.unwrap_or(members.len() - 1));
    }
}

/// As they go out: `key=value,key=value`.
fn length(members: &[(&str, &str)]) -> usize {
    let each: usize = members.iter().map(|(key, value)| key.len() + value.len() + 1).sum();
    each + members.len().saturating_sub(1)
}

fn is_key(key: &str) -> bool {
    let begins = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    begins && key.len() <= LONGEST && key.bytes().all(rest)
}

fn is_value(value: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=LONGEST).contains(&value.len()) && value.bytes().all(allowed) && !value.ends_with(' ')
}
