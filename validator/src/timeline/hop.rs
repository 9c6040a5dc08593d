//! A proxy between us and the target that starts a span of its own and writes it into traceparent: the target's span is
//! then its child, not that of our request.

use std::collections::BTreeSet;

use crate::evidence::{Millis, RequestFact, Span, SpanKind};

/// Whether the proxy's own spans are exported past our agent as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// They are: server spans follow each other.
    Seen,
    /// They are not: of every request the outermost server span has a parent that nobody has seen, each another one.
    Unseen,
}

impl Hop {
    /// In words for the report.
    pub fn told(self) -> &'static str {
        match self {
            Self::Seen => "one hop more: a proxy before the service starts a server span of its own",
            Self::Unseen => {
                "one hop more: a proxy before the service rewrites traceparent, and its own spans are not exported here"
            }
        }
    }

    /// Judged by the requests of the quiet phase, if there was one: while dependencies are broken, and pods end, traces are
    /// not whole. Now and then one is not in quiet either.
    pub(super) fn find(traced: &[Traced], quiet: Option<(Millis, Millis)>) -> Option<Self> {
        let (from, to) = quiet.unwrap_or((Millis::MIN, Millis::MAX));
        let mut parents = BTreeSet::new();
        let (mut traces, mut seen, mut unseen) = (0, 0, 0);
        for (request, spans) in traced.iter().filter(|(request, _)| (from..=to).contains(&request.due)) {
            let mine: Vec<&Span> = children(spans, request).collect();
            traces += 1;
            if mine.iter().any(|outer| inner(spans, outer).next().is_some()) {
                seen += 1;
            }
            if let ([], [outermost]) = (mine.as_slice(), orphans(spans).collect::<Vec<_>>().as_slice()) {
                unseen += 1;
                parents.insert(outermost.parent.as_deref());
            }
        }
        let most = |count: usize| traces >= FEWEST && count * 10 >= traces * 9;
        // One service that makes a parent up for some requests, or always the same one, is no proxy.
        match (most(seen), most(unseen) && parents.len() == unseen) {
            (true, _) => Some(Self::Seen),
            (false, true) => Some(Self::Unseen),
            (false, false) => None,
        }
    }
}

/// A request and the spans of its trace, of which there are some.
pub(super) type Traced<'v, 'a> = (&'a RequestFact, &'v [&'a Span]);

/// Traces that tell of a proxy at least; of fewer than ten every one must.
const FEWEST: usize = 2;

/// Server spans that answer a request: the children of the span that it says it comes from.
pub(super) fn children<'s, 'a>(
    spans: &'s [&'a Span],
    request: &'s RequestFact,
) -> impl Iterator<Item = &'a Span> + use<'s, 'a> {
    servers(spans).filter(|span| span.parent == request.parent_id)
}

/// Server spans whose parent is named, and is not in the trace.
pub(super) fn orphans<'s, 'a>(spans: &'s [&'a Span]) -> impl Iterator<Item = &'a Span> + use<'s, 'a> {
    servers(spans).filter(|span| span.parent.as_ref().is_some_and(|id| spans.iter().all(|s| s.id != *id)))
}

/// Server spans whose parent is this one.
pub(super) fn inner<'s, 'a>(
    spans: &'s [&'a Span],
    outer: &'s Span,
) -> impl Iterator<Item = &'a Span> + use<'s, 'a> {
    servers(spans).filter(|span| span.parent.as_ref() == Some(&outer.id))
}

/// Services that answer behind a proxy whose spans are seen.
pub(super) fn behind<'a>(traced: &[Traced<'_, 'a>]) -> BTreeSet<&'a str> {
    let each = traced.iter().flat_map(|(request, spans)| {
        children(spans, request).flat_map(|outer| inner(spans, outer)).collect::<Vec<_>>()
    });
    each.map(|span| span.service.as_str()).collect()
}

fn servers<'s, 'a>(spans: &'s [&'a Span]) -> impl Iterator<Item = &'a Span> + use<'s, 'a> {
    spans.iter().copied().filter(|span| span.kind == SpanKind::Server)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Hop;
    use crate::evidence::{Evidence, Fact};
    use crate::timeline::Timeline;
    use crate::timeline::tests::header;

    /// The hop that shows in traces of three requests, each with these spans: id, kind, parent.
    fn hop(spans: impl Fn(usize) -> Vec<(String, &'static str, String)>) -> Option<Hop> {
        let evidence = traces(3, spans);
        let timeline = Timeline::new(&evidence);
        let answers = timeline.load.requests.iter().map(|(_, r)| timeline.load.servers_of(r).len());
        assert!(timeline.load.hop.is_none() || answers.eq([1, 1, 1]));
        timeline.load.hop
    }

    fn traces(count: usize, spans: impl Fn(usize) -> Vec<(String, &'static str, String)>) -> Evidence {
        let mut facts = Vec::new();
        for number in 0..count {
            let id = format!("t{number}");
            let request = json!({
                "fact": "request", "due": 0, "sent": 0, "took_ms": 1.0, "agent": "a", "node": "n", "class": "new",
                "request": "GET /", "outcome": { "answered": 200 }, "trace_id": id, "parent_id": format!("our{number}"),
            });
            let spans: Vec<Value> = spans(number)
                .into_iter()
                .map(|(id, kind, parent)| json!({ "id": id, "kind": kind, "parent": parent, "name": "n", "service": "s", "start_us": 0, "duration_us": 1 }))
                .collect();
            facts.push(serde_json::from_value(request).unwrap());
            facts.push(Fact::Trace(
                serde_json::from_value(json!({ "at": 0, "trace_id": id, "spans": spans })).unwrap(),
            ));
        }
        Evidence::new(header(), facts)
    }

    fn span(id: &str, kind: &'static str, parent: &str) -> (String, &'static str, String) {
        (id.to_owned(), kind, parent.to_owned())
    }

    #[test]
    fn a_proxy_is_told_whether_its_spans_are_seen_or_not() {
        let seen = |n: usize| vec![span("p", "server", &format!("our{n}")), span("s", "server", "p")];
        assert_eq!(hop(seen), Some(Hop::Seen));
        let unseen = |n: usize| vec![span("s", "server", &format!("proxy{n}")), span("q", "client", "s")];
        assert_eq!(hop(unseen), Some(Hop::Unseen));
    }

    #[test]
    fn one_partial_trace_and_one_request_past_the_proxy_do_not_undo_it() {
        let unseen = |n: usize| match n {
            7 => vec![span("q", "client", "s")],
            8 => vec![span("s", "server", "our8")],
            n => vec![span("s", "server", &format!("proxy{n}")), span("q", "client", "s")],
        };
        let evidence = traces(20, unseen);
        let load = Timeline::new(&evidence).load;
        assert_eq!(load.hop, Some(Hop::Unseen));
        let answers: Vec<usize> = load.requests.iter().map(|(_, r)| load.servers_of(r).len()).collect();
        assert_eq!((answers[7], answers[8], answers.iter().sum()), (0, 1, 19));
    }

    #[test]
    fn the_span_of_a_proxy_is_no_answer_of_the_service_behind_it() {
        let seen = |n: usize| match n {
            7 => vec![span("p", "server", "our7")],
            8 => vec![span("s", "server", "our8")],
            n => vec![span("p", "server", &format!("our{n}")), span("s", "server", "p")],
        };
        let mut evidence = traces(20, seen);
        for fact in &mut evidence.facts {
            if let Fact::Trace(trace) = fact {
                trace.spans.iter_mut().filter(|s| s.id == "p").for_each(|s| s.service = "edge".into());
            }
        }
        let load = Timeline::new(&evidence).load;
        assert_eq!(load.hop, Some(Hop::Seen));
        let answers = |n: usize| load.servers_of(load.requests[n].1).iter().map(|s| s.id.as_str()).collect();
        let (none, past): (Vec<&str>, Vec<&str>) = (answers(7), answers(8));
        assert!(none.is_empty(), "the proxy sent its spans, the service did not");
        assert_eq!((past, answers(0)), (vec!["s"], vec!["s"]), "a request past the proxy has its own");
    }

    #[test]
    fn what_traces_look_like_outside_of_the_quiet_phase_tells_nothing() {
        let plain =
            |n: usize| vec![span("s", "server", &format!("{}{n}", if n < 10 { "odd" } else { "our" }))];
        let mut evidence = traces(20, plain);
        for (number, fact) in evidence.facts.iter_mut().enumerate() {
            if let Fact::Request(request) = fact {
                request.due = number as i64 / 2 * 1_000;
            }
        }
        let step = |edge, at| json!({ "fact": "step", "at": at, "step": "quiet", "edge": edge });
        let steps = [step("begin", 9_500), step("end", 30_000)].map(|s| serde_json::from_value(s).unwrap());
        evidence.facts.extend(steps);
        let evidence = Evidence::new(evidence.header, evidence.facts);
        assert_eq!(Timeline::new(&evidence).load.hop, None);
        let seen = |n: usize| match n {
            7 => vec![span("p", "server", "our7"), span("s", "server", "p")],
            n => vec![span("s", "server", &format!("our{n}"))],
        };
        assert_eq!(Timeline::new(&traces(20, seen)).load.hop, None, "the service called itself once");
    }

    #[test]
    fn a_service_without_a_proxy_and_one_that_makes_parents_up_have_none() {
        let plain = |n: usize| {
            vec![span("s", "server", &format!("our{n}")), span("o", "server", "q"), span("q", "client", "s")]
        };
        assert_eq!(hop(plain), None);
        assert_eq!(hop(|_| vec![span("s", "server", "0123456789abcdef")]), None);
        let some =
            |n: usize| vec![span("s", "server", &if n == 0 { "our0".to_owned() } else { format!("odd{n}") })];
        assert_eq!(hop(some), None);
    }
}
