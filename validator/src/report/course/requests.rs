//! Requests worth a look: those that were lost, and the slowest of each step, with their traces where there are any.

use super::Axis;
use crate::evidence::{Class, RequestFact, Span, SpanKind};
use crate::timeline::Timeline;

/// Lost requests that are shown, evenly spread over all of them: of those lost while nothing was broken,
const MAX_LOST: usize = 100;

/// and of those while something was.
const MAX_BROKEN: usize = 30;

/// Slowest traced requests of each step that are shown.
const SLOWEST: usize = 3;

/// Spans of one trace that are shown.
const MAX_SPANS: usize = 40;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestLine {
    /// When it was due.
    pub at_s: f64,
    /// How long it took, in ms.
    pub took_ms: f64,
    /// Method and path.
    pub request: String,
    /// Name of the class of client.
    pub class: &'static str,
    /// What became of it.
    pub outcome: String,
    /// Whether a user was let down.
    pub lost: bool,
    /// Whether nothing was broken on purpose from when it was due to the end of its answer.
    pub in_peace: bool,
    /// Its trace id, if it was sampled.
    pub trace_id: Option<String>,
    /// What the service told of it, outermost first.
    pub spans: Vec<SpanBar>,
    /// Line of the evidence.
    pub line: usize,
}

/// One span of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanBar {
    /// Its name.
    pub name: String,
    /// Whose it is, and what it is about.
    pub about: String,
    /// How deep it lies below the request.
    pub depth: usize,
    /// Its begin, in ms after the first span.
    pub from_ms: f64,
    /// Its length.
    pub took_ms: f64,
}

pub(super) fn worth_a_look(timeline: &Timeline, axis: Axis) -> Vec<RequestLine> {
    let through = |(_, r): &(usize, &RequestFact)| r.class != Class::Direct;
    let in_peace = |(_, r): &(usize, &RequestFact)| is_peaceful(timeline, r);
    let (lost, broken): (Vec<_>, Vec<_>) = timeline.load.lost().filter(through).partition(in_peace);
    let mut chosen: Vec<(usize, &RequestFact)> = spread(lost, MAX_LOST);
    chosen.extend(spread(broken, MAX_BROKEN));
    chosen.extend(slowest(timeline));
    chosen.sort_by_key(|(line, request)| (request.due, *line));
    chosen.dedup_by_key(|(line, _)| *line);
    chosen.into_iter().map(|(line, request)| told(timeline, request, line, axis)).collect()
}

/// At most so many of them, from the first to the last.
fn spread<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let every = all.len().div_ceil(most).max(1);
    all.into_iter().step_by(every).collect()
}

/// Whether it met no fault: one that was due before may have waited until it began.
fn is_peaceful(timeline: &Timeline, request: &RequestFact) -> bool {
    let (from, to) = request.during();
    let window = (from, to.max(from + 1));
    timeline.in_peace(window).any(|part| part == window)
}

/// The slowest requests of each step whose traces are known.
fn slowest<'a>(timeline: &Timeline<'a>) -> Vec<(usize, &'a RequestFact)> {
    let mut chosen = Vec::new();
    for step in &timeline.steps {
        let window = (step.begin, step.end.unwrap_or(step.begin));
        let mut sampled = timeline.load.sampled(window);
        sampled.sort_by(|(_, a), (_, b)| b.took_ms.total_cmp(&a.took_ms));
        let traced = sampled.into_iter().filter(|(_, r)| !timeline.load.spans_of(r).is_empty());
        chosen.extend(traced.take(SLOWEST));
    }
    chosen
}

fn told(timeline: &Timeline, request: &RequestFact, line: usize, axis: Axis) -> RequestLine {
    RequestLine {
        at_s: axis.s(request.due),
        took_ms: request.took_ms,
        request: request.request.clone(),
        class: request.class.name(),
        outcome: request.outcome.name(),
        lost: timeline.load.is_lost(request.template, request.outcome),
        in_peace: is_peaceful(timeline, request),
        trace_id: request.trace_id.clone(),
        spans: waterfall(timeline.load.spans_of(request)),
        line,
    }
}

/// Parents before their children, brothers by begin; what has no parent among them is a root.
fn waterfall(spans: &[&Span]) -> Vec<SpanBar> {
    let mut sorted: Vec<&Span> = spans.to_vec();
    sorted.sort_by_key(|span| span.start_us);
    let begin = sorted.first().map_or(0, |span| span.start_us);
    let known = |id: &str| sorted.iter().any(|span| span.id == id);
    let mut waiting: Vec<(usize, &Span)> = Vec::new();
    let root =
        |span: &&&Span| span.parent.as_deref().is_none_or(|parent| !known(parent) || parent == span.id);
    waiting.extend(sorted.iter().rev().filter(root).map(|span| (0, *span)));
    let mut bars = Vec::new();
    while let Some((depth, span)) = waiting.pop().filter(|_| bars.len() < MAX_SPANS) {
        bars.push(bar(span, depth, begin));
        let children =
            sorted.iter().rev().filter(|s| s.id != span.id && s.parent.as_deref() == Some(&span.id));
        waiting.extend(children.map(|child| (depth + 1, *child)));
    }
    bars
}

fn bar(span: &Span, depth: usize, begin_us: i64) -> SpanBar {
    let kind = match span.kind {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Other => "internal",
    };
    let version = span.version.as_deref().unwrap_or_default();
    let about = [span.db_system.as_deref(), span.peer.as_deref(), span.server.as_deref()];
    let about = about.into_iter().flatten().next().map(|to| format!(" to {to}")).unwrap_or_default();
    SpanBar {
        name: span.name.clone(),
        about: format!("{kind}{about}, {} {version}", span.service).trim_end().to_owned(),
        depth,
        from_ms: (span.start_us - begin_us) as f64 / 1000.0,
        took_ms: span.duration_us as f64 / 1000.0,
    }
}
