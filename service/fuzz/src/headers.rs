//! Headers of a request as a stranger sends them, through the propagators of the service. A line of the input is a
//! header: its first byte says which, the rest is the value. `service/fuzz/run.sh` builds and runs it.

#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_http::HeaderInjector;

// The files of the service themselves: of its whole library only these few crates are built, and nothing is public
// for the sake of this.
#[path = "../../../pillars/src/telemetry"]
mod telemetry {
    mod baggage;
    mod combined;
    mod propagation;
    mod tracecontext;

    use super::{Context, HeaderInjector, HeaderMap};
    use propagation::Propagators;

    pub(super) fn extract(headers: &HeaderMap) -> Context {
        Propagators::named(None).extract(headers)
    }

    pub(super) fn inject(context: &Context) -> HeaderMap {
        let mut headers = HeaderMap::new();
        Propagators::named(None).inject(context, &mut HeaderInjector(&mut headers));
        headers
    }
}

/// Section 3.3.1.1 of W3C Trace Context.
const STATE_MEMBERS: usize = 32;
/// Section 3.3.1.5: what everybody should pass on at least, and we at most.
const STATE_LENGTH: usize = 512;
/// The limits of W3C Baggage.
const BAGGAGE_MEMBERS: usize = 64;
const BAGGAGE_LENGTH: usize = 8_192;

fuzz_target!(|input: &[u8]| check(&headers(input)));

fn headers(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let name = match line.first() {
            Some(b't') => "traceparent",
            Some(b's') => "tracestate",
            Some(b'b') => "baggage",
            _ => continue,
        };
        // What is no value does not get past the server.
        if let Ok(value) = HeaderValue::from_bytes(&line[1..]) {
            headers.append(name, value);
        }
    }
    headers
}

fn check(received: &HeaderMap) {
    let taken = telemetry::extract(received);
    let sent = telemetry::inject(&taken);
    let again = telemetry::extract(&sent);
    check_parent(&parent(&taken), received, &sent);
    assert_eq!(parent(&taken), parent(&again), "{received:?} went out as {sent:?}");
    check_baggage(received, &sent);
}

fn parent(context: &Context) -> SpanContext {
    context.span().span_context().clone()
}

fn check_parent(parent: &SpanContext, received: &HeaderMap, sent: &HeaderMap) {
    if !parent.is_valid() {
        assert_eq!(*parent, SpanContext::NONE, "{received:?}");
        assert!(!sent.contains_key("traceparent"), "{sent:?}");
        return;
    }
    assert!(parent.is_remote());
    assert!(parent.trace_flags().to_u8() <= 1, "{received:?}");
    check_state(&parent.trace_state().header(), &members_of_state(received));
    // Section 3.2 once more, by other means than the parser's: one header, and what goes out has every digit of it.
    let values: Vec<_> = received.get_all("traceparent").iter().collect();
    let [value] = values[..] else { panic!("{values:?}") };
    // What a later version says after the flags may be anything.
    let value = String::from_utf8_lossy(value.as_bytes());
    let value = value.trim_matches([' ', '\t']);
    assert_eq!(value[3..52], sent["traceparent"].as_bytes()[3..52].escape_ascii().to_string());
    let flags = u8::from_str_radix(&value[53..55], 16).unwrap_or_else(|_| panic!("{value:?}"));
    assert_eq!(parent.is_sampled(), flags & 1 == 1, "{value:?}");
    let (version, rest) = (&value[..2], &value[55..]);
    assert!(version != "ff" && (rest.is_empty() || version != "00" && rest.starts_with('-')), "{value:?}");
}

/// All of it or nothing, but for a list that is too long: of that whole members are left, in their order.
fn check_state(state: &str, received: &str) {
    assert!(state.split(',').count() <= STATE_MEMBERS && state.len() <= STATE_LENGTH, "{state}");
    let mut members = received.split(',');
    let mut kept = state.split(',');
    let whole = kept.all(|kept| members.any(|member| member == kept));
    assert!(state.is_empty() || whole, "{state} of {received}");
    let too_long = received.len() > STATE_LENGTH;
    assert!(state.is_empty() || state == received || too_long, "{state} of {received}");
}

fn members_of_state(received: &HeaderMap) -> String {
    let texts = received.get_all("tracestate").iter().filter_map(|value| value.to_str().ok());
    let members = texts.flat_map(|text| text.split(',')).map(|member| member.trim_matches([' ', '\t']));
    members.filter(|member| !member.is_empty()).collect::<Vec<_>>().join(",")
}

/// All of it as it came, or nothing.
fn check_baggage(received: &HeaderMap, sent: &HeaderMap) {
    let Some(list) = sent.get("baggage") else { return };
    let list = list.to_str().expect("text");
    assert!(list.len() <= BAGGAGE_LENGTH && list.split(',').count() <= BAGGAGE_MEMBERS, "{received:?}");
    let lists = received.get_all("baggage").iter().map(|each| each.to_str().expect("text").trim());
    let lists: Vec<_> = lists.filter(|each| !each.is_empty()).collect();
    assert_eq!(list, lists.join(","));
}
