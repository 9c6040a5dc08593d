use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_http::HeaderInjector;

use super::Propagators;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn extracted(headers: &[(&'static str, &str)]) -> SpanContext {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Propagators::named(None).extract(&map).span().span_context().clone()
}

fn is_taken(traceparent: &str) -> bool {
    extracted(&[("traceparent", traceparent)]).is_valid()
}

/// The cases of the test suite of W3C Trace Context, level 1 and 2, that concern one `traceparent`.
#[test]
fn a_malformed_traceparent_starts_a_new_trace() {
    let zeros = |count| "0".repeat(count);
    for malformed in [
        String::new(),
        "00".to_owned(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-001"),
        format!("00-{TRACE}-{SPAN}-.0"),
        format!("00-{TRACE}-{SPAN}-0."),
        format!("00-{TRACE}-{SPAN}-0G"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01-what"),
        format!("00-{TRACE}-{SPAN}-01."),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("000-{TRACE}-{SPAN}-01"),
        format!(".0-{TRACE}-{SPAN}-01"),
        format!("cc-{TRACE}-{SPAN}-01.what"),
        format!("00-{}-{SPAN}-01", zeros(32)),
        format!("00-{TRACE}-{}-01", zeros(16)),
        format!("00-{}-{SPAN}-01", &TRACE[1..]),
        format!("00-{TRACE}0-{SPAN}-01"),
        format!("00-{}.-{SPAN}-01", &TRACE[1..]),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{}-01", &SPAN[1..]),
        format!("00-{TRACE}-{SPAN}0-01"),
        format!("00-{TRACE}-{}.-01", &SPAN[1..]),
        format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00 {TRACE} {SPAN} 01"),
        format!("{TRACE}-{SPAN}-01"),
    ] {
        assert!(!is_taken(&malformed), "{malformed}");
    }
}

#[test]
fn a_wellformed_traceparent_is_taken_also_of_a_later_version() {
    for (version, flags, sampled) in
        [("00", "00", false), ("00", "01", true), ("00", "03", true), ("cc", "01", true)]
    {
        let context = extracted(&[("traceparent", &format!("{version}-{TRACE}-{SPAN}-{flags}"))]);
        assert_eq!(
            (context.trace_id().to_string(), context.span_id().to_string()),
            (TRACE.into(), SPAN.into())
        );
        assert_eq!(context.is_sampled(), sampled, "{version} {flags}");
        assert!(context.is_remote());
    }
    assert!(is_taken(&format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like")));
}

fn state(text: &str) -> String {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    extracted(&[("traceparent", &parent), ("tracestate", text)]).trace_state().header()
}

#[test]
fn tracestate_is_kept_and_a_malformed_one_is_left_out() {
    assert_eq!(state("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"), "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
    for malformed in ["foo", "=1", "foo 1=1", "FOO=1,b=2", "foo=1=2"] {
        assert_eq!(state(malformed), "", "{malformed}");
    }
}

#[test]
fn a_tracestate_above_512_characters_loses_whole_members_large_ones_first() {
    let member = |name: &str, length: usize| format!("{name}={}", "v".repeat(length - name.len() - 1));
    let small: Vec<_> = (10..20).map(|number| member(&number.to_string(), 64)).collect();
    let (one, other) = (member("one", 204), member("other", 204));
    // Seven members of 64 characters and six commas.
    let kept = small[..7].join(",");
    assert_eq!(state(&kept), kept);
    assert_eq!(state(&small.join(",")), kept);
    assert_eq!(state(&format!("{},{one},{}", small[0], small[1..7].join(","))), kept);
    let ends = [&one, &small[0], &small[1], &other].map(String::as_str).join(",");
    assert_eq!(state(&ends), format!("{one},{},{}", small[0], small[1]));
    let longest = format!("{}={}", "k".repeat(255), "v".repeat(256));
    assert_eq!(state(&longest), longest);
    assert_eq!(state(&format!("k{longest}")), "");
}

#[test]
fn baggage_goes_out_as_it_came_or_not_at_all() {
    let sent = |lists: &[&str]| {
        let mut map = HeaderMap::new();
        for list in lists {
            map.append("baggage", HeaderValue::from_str(list).unwrap());
        }
        let propagators = Propagators::named(None);
        let mut out = HeaderMap::new();
        propagators.inject(&propagators.extract(&map), &mut HeaderInjector(&mut out));
        out.get("baggage").map(|list| list.to_str().unwrap().to_owned())
    };
    assert_eq!(sent(&["a=b;x%2Cc=d", "e=%2541"]).as_deref(), Some("a=b;x%2Cc=d,e=%2541"));
    assert_eq!(sent(&["a=b,".repeat(65).as_str()]), None, "too many members");
    assert_eq!(sent(&[&format!("a={}", "b".repeat(8_192))]), None, "too long");
    assert_eq!(sent(&[" "]), None);
}

#[test]
fn two_traceparents_are_none_readable_or_not() {
    let mut map = HeaderMap::new();
    map.append("traceparent", HeaderValue::from_str(&format!("00-{TRACE}-{SPAN}-01")).unwrap());
    map.append("traceparent", HeaderValue::from_bytes(b"\xff").unwrap());
    assert!(!Propagators::named(None).extract(&map).span().span_context().is_valid());

    let (one, two) = (format!("00-{TRACE}-{SPAN}-01"), format!("00-{TRACE}-{SPAN}-00"));
    assert!(!extracted(&[("traceparent", &one), ("traceparent", &two)]).is_valid());
}

#[test]
fn names_are_looked_up_once_and_unknown_ones_are_left_out() {
    for (list, count) in
        [("", 2), ("baggage, tracecontext,baggage", 2), ("none", 0), ("jaeger", 0), ("tracecontext", 1)]
    {
        assert_eq!(Propagators::named(Some(list)).0.len(), count, "{list}");
    }
}

/// Headers that were valid once, with a few bytes changed: no panic, and what is taken in goes out the same.
#[test]
fn three_hundred_thousand_damaged_headers_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(7);
    let damage = |random: &mut fastrand::Rng, text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..random.usize(..4) {
            let at = random.usize(..bytes.len().max(1));
            if bytes.is_empty() {
                break;
            }
            match random.u8(..4) {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, random.u8(b' '..=b'~')),
                2 => bytes.truncate(at + 1),
                _ => bytes[at] = random.u8(..),
            }
        }
        bytes
    };
    let propagators = Propagators::named(None);
    let mut taken = 0;
    for _ in 0..300_000 {
        let mut map = HeaderMap::new();
        for (name, text) in [
            ("traceparent", format!("00-{TRACE}-{SPAN}-01").as_str()),
            ("tracestate", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
            ("baggage", "tenant=blue,user=a%20b;ttl=1"),
        ] {
            if let Ok(value) = HeaderValue::from_bytes(&damage(&mut random, text)) {
                map.append(name, value);
            }
        }
        let context = propagators.extract(&map);
        if context.span().span_context().is_valid() {
            let mut out = HeaderMap::new();
            propagators.inject(&context, &mut HeaderInjector(&mut out));
            let (sent, received) =
                (out["traceparent"].to_str().unwrap(), map["traceparent"].to_str().unwrap());
            // A later version goes on as version 00, and of the flags only the sampled one.
            assert_eq!(sent[2..53], received.trim()[2..53], "{received}");
            taken += 1;
        }
    }
    assert!((60_000..200_000).contains(&taken), "{taken} taken");
}
