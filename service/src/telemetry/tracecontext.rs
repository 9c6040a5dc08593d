use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// W3C Trace Context. Writes as the SDK does; reads by the letter, since the SDK takes in capitals, short flags and the
/// first of two `traceparent` headers (sections 2.2 and 3.2 of the recommendation).
#[derive(Debug, Default)]
pub(super) struct TraceContext(TraceContextPropagator);

/// Most members that a `tracestate` may have (section 3.3.1.1).
const MEMBERS: usize = 32;
/// Longest key and longest value of a member.
const LONGEST: usize = 256;

impl TextMapPropagator for TraceContext {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let parents = extractor.get_all("traceparent").unwrap_or_default();
        let [parent] = parents[..] else {
            return context.clone();
        };
        let Some((trace, span, flags)) = parse_parent(parent) else {
            return context.clone();
        };
        let state = extractor.get_all("tracestate").unwrap_or_default();
        let state = parse_state(&state.join(",")).unwrap_or_default();
        context.with_remote_span_context(SpanContext::new(trace, span, flags, true, state))
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}

/// `version-trace-parent-flags` in lower-case hexadecimal; later versions may go on after another dash.
fn parse_parent(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let text = text.trim_matches([' ', '\t']);
    let mut parts = text.splitn(5, '-');
    let version = u8::try_from(hex(parts.next()?, 2)?).ok().filter(|version| *version != 0xff)?;
    let trace = TraceId::from(hex(parts.next()?, 32)?);
    let span = SpanId::from(u64::try_from(hex(parts.next()?, 16)?).ok()?);
    let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
    let ends_as_it_must = version > 0 || parts.next().is_none();
    let is_valid = ends_as_it_must && trace != TraceId::INVALID && span != SpanId::INVALID;
    is_valid.then(|| (trace, span, TraceFlags::new(flags) & TraceFlags::SAMPLED))
}

fn hex(text: &str, length: usize) -> Option<u128> {
    let digits = text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits { u128::from_str_radix(text, 16).ok() } else { None }
}

/// All of it or nothing: a list with one malformed member cannot be trusted, and the parent stands without it.
fn parse_state(text: &str) -> Option<TraceState> {
    let members: Vec<_> = text.split(',').map(|member| member.trim_matches([' ', '\t'])).collect();
    let members: Vec<_> = members.into_iter().filter(|member| !member.is_empty()).collect();
    let parsed: Option<Vec<_>> = members.iter().map(|member| member.split_once('=')).collect();
    let parsed = parsed?;
    let mut keys: Vec<_> = parsed.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    let distinct = keys.array_windows().all(|[one, next]| one != next);
    let sound = parsed.len() <= MEMBERS
        && distinct
        && parsed.iter().all(|(key, value)| is_key(key) && is_value(value));
    if sound { TraceState::from_key_value(parsed).ok() } else { None }
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
