//! Mutations for the checks of tracing.

use golive_validator::check::Outcome;
use golive_validator::evidence::{self, Edge, Evidence, Fact, SpanKind, Step, Trouble};

use super::Mutation;
use super::change::{
    blind, direct_request, drop_spans, each_span, edge, fault, from_memory, one_of_four_unserved, seconds,
    spans_of_redis, unserved,
};

pub(super) const TRACING: &[Mutation] = &[
    ("GL-T201", Outcome::Fail, |e| drop_spans(e, |span| span.kind == SpanKind::Server)),
    ("GL-T202", Outcome::Fail, |e| drop_spans(e, |span| span.db_system.as_deref() == Some("postgresql"))),
    ("GL-T203", Outcome::Fail, |e| drop_spans(e, |span| span.kind == SpanKind::Server)),
    // A pod that gets more of what is sampled than it takes from callers loses some of it long before its end.
    ("GL-T203", Outcome::Pass, |e| unserved(e, 17_000, 11_000)),
    ("GL-T203", Outcome::Fail, |e| unserved(e, 3_000, 2_000)),
    ("GL-T203", Outcome::Inconclusive, one_of_four_unserved),
    ("GL-T203", Outcome::Inconclusive, |e| e.facts.retain(|fact| !matches!(fact, Fact::Trace(_)))),
    ("GL-T101", Outcome::Fail, |e| each_span(e, |span| span.version = None)),
    // Another one than the image is tagged with; and one that says more than the tag.
    ("GL-T101", Outcome::Fail, |e| versions(e, "0.0.9")),
    ("GL-T101", Outcome::Pass, |e| versions(e, "0.1.0+4e8dcd1")),
    ("GL-T101", Outcome::Pass, |e| versions(e, "4e8dcd1")),
    ("GL-T207", Outcome::Fail, |e| {
        each_span(e, |span| span.credentials.push("http.request.header.authorization".into()));
    }),
    ("GL-T207", Outcome::Inconclusive, |e| e.facts.retain(|fact| !matches!(fact, Fact::Trace(_)))),
    ("GL-T204", Outcome::Fail, |e| e.facts.retain(|fact| !matches!(fact, Fact::Outgoing(_)))),
    ("GL-T205", Outcome::Fail, |e| {
        each_span(e, |span| {
            if span.db_system.is_some() {
                span.parent = Some("0123456789abcdef".into());
            }
        });
    }),
    ("GL-T206", Outcome::Fail, |e| {
        let away = fault(e, |f| f.dependency == "traces");
        let mine = seconds(e, (away.began, away.ended)).filter(|s| s.pod.as_ref() == Some(&away.pod));
        mine.for_each(|s| (0..s.due).for_each(|_| s.times.record(400.0)));
    }),
    ("GL-T206", Outcome::Fail, |e| {
        // Only what is sampled waits for the collector.
        let away = fault(e, |f| f.dependency == "traces");
        let mine = seconds(e, (away.began, away.ended)).filter(|s| s.pod.as_ref() == Some(&away.pod));
        mine.take(8).for_each(|s| s.times.record(1_000.0));
    }),
    ("GL-T206", Outcome::Fail, |e| {
        // The same, where hardly any request is sampled.
        let away = fault(e, |f| f.dependency == "traces");
        let like = direct_request(e, &away);
        e.facts.extend((0..12).map(|_| Fact::Request(like.clone())));
    }),
    ("GL-T206", Outcome::Fail, |e| {
        // Who cannot export fails the request, at once.
        let away = fault(e, |f| f.dependency == "traces");
        let mine = seconds(e, (away.began, away.ended)).filter(|s| s.pod.as_ref() == Some(&away.pod));
        mine.take(3).for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(500), s.due)]);
    }),
    ("GL-T206", Outcome::Pass, |e| {
        // The machine stopped for a fifth of a second.
        let away = fault(e, |f| f.dependency == "traces");
        let mut mine = seconds(e, (away.began, away.ended)).filter(|s| s.pod.as_ref() == Some(&away.pod));
        let second = mine.next().unwrap();
        (0..2).for_each(|_| second.times.record(200.0));
    }),
    ("GL-T201", Outcome::Inconclusive, |e| {
        // The agent could not be asked for what it had seen.
        blind(e, "traces", Trouble::Lost("connection refused".into()), edge(e, Step::Baseline, Edge::Begin));
    }),
    ("GL-T202", Outcome::Inconclusive, |e| {
        // Its pod was replaced after the tail: what it had copied is gone.
        blind(e, "traces", Trouble::Lost("its pod is gone".into()), edge(e, Step::Quiet, Edge::Begin));
    }),
    ("GL-T202", Outcome::Inconclusive, |e| {
        // A job asks the database now and then; requests do not.
        drop_spans(e, |span| span.db_system.as_deref() == Some("postgresql"));
        for fact in &mut e.facts {
            if let Fact::Call(call) = fact {
                call.calls = [u32::from(call.at % 30_000 < 1_000), 0, 0, 0, 0, 0, 0, 0, 0, 0];
            }
        }
    }),
    ("GL-T202", Outcome::Inconclusive, |e| {
        // What requests bring is written in batches, in a trace of its own.
        drop_spans(e, |span| span.db_system.as_deref() == Some("postgresql"));
        for fact in &mut e.facts {
            if let Fact::Call(call) = fact {
                call.calls = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            }
        }
    }),
    ("GL-T202", Outcome::Pass, |e| {
        for fact in &mut e.facts {
            if let Fact::Trace(trace) = fact {
                let stores = trace.spans.iter_mut().filter(|span| span.db_system.is_some());
                stores.for_each(|span| span.db_system = Some("cockroachdb".into()));
            }
        }
    }),
    ("GL-T202", Outcome::Pass, |e| spans_of_redis(e, |number| number % 2 == 0)),
    ("GL-T202", Outcome::Fail, |e| spans_of_redis(e, |_| true)),
    // A page that never touches a store, beside pages that do.
    ("GL-T202", Outcome::Pass, |e| from_memory(e, 2)),
    // One in twenty without a store's span: missing, or answered from memory.
    ("GL-T202", Outcome::Warn, |e| from_memory(e, 20)),
    ("GL-T202", Outcome::Skipped, |e| {
        e.header.plan.dependencies.retain(|d| !d.protocol.is_store());
    }),
];

/// What every span says of the version that made it.
fn versions(evidence: &mut Evidence, version: &str) {
    each_span(evidence, |span| span.version = Some(version.into()));
}
