//! A call to another service continues the trace.

use std::collections::HashSet;

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::{Dependency, Protocol};
use crate::evidence::{RequestFact, Span, SpanKind};
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T204",
    slug: "outgoing-call-carries-trace",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "Without traceparent on outgoing calls every trace ends at the first service, and the slow one behind it stays unknown.",
    how: "For each client span of a sampled request that is no database call, the middle agent before the HTTP dependency must have seen a request with the same trace id and this span as parent; every request it saw must carry a trace id.",
    remedy: "Inject traceparent (W3C Trace Context) into every outgoing request, from the client span's context.",
    rests_on: &[Kind::Load, Kind::Agent, Kind::Record, Kind::Content, Kind::Dependency, Kind::Target],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let Some(first) = called(timeline).next() else {
        return Err(Unmeasured::NotDeclared(
            "the target file declares no dependency with protocol http".into(),
        ));
    };
    called(timeline).try_for_each(|d| timeline.trust.was_read(&d.name))?;
    let collector = timeline.read_collector()?;
    if timeline.load.traces.is_empty() {
        return Err(timeline.no_traces());
    }
    let (begin, end) = timeline.copied()?;
    let seen = timeline.middle.outgoing.iter().filter(|(_, o)| (begin..=end).contains(&o.at));
    let bare = seen.filter(|(_, o)| o.trace_id.is_none()).map(|(line, o)| {
        let text = format!("{} called {} without any trace id", o.pod, o.dependency);
        Case::at(o.at, text, *line).of(&o.pod).before(&o.dependency)
    });
    let bare: Vec<Case> = bare.collect();
    let carried = timeline.middle.outgoing.iter();
    let wire: OnTheWire =
        carried.filter_map(|(_, o)| Some((o.trace_id.as_deref()?, o.parent_id.as_deref()?))).collect();
    let sampled = timeline.load.sampled((begin, end));
    let calls: Vec<_> = sampled
        .iter()
        .flat_map(|(line, r)| calls(timeline, &wire, r).map(move |sent| (*line, *r, sent)))
        .collect();
    if calls.is_empty() && bare.is_empty() {
        return Err(Unmeasured::NotSeen(format!("no sampled request made a call to {}", first.name)));
    }
    let lost = calls.iter().filter(|(_, _, sent)| !sent).map(|(line, request, _)| {
        let text = format!("a call made by {} did not carry its span", request.request);
        Case::over(request.during(), text, *line).before(collector)
    });
    let total = calls.len();
    Ok(Finding::unless(lost.chain(bare), format!("{total} of {total} outgoing calls carried their trace"))
        .counted(format!("outgoing calls did not carry their trace, {total} were made in sampled requests"))
        .tally("without their span or without any trace id", "0"))
}

/// Dependencies that are called over HTTP.
fn called<'a>(timeline: &'a Timeline) -> impl Iterator<Item = &'a Dependency> {
    timeline.plan().dependencies.iter().filter(|d| d.protocol == Protocol::Http)
}

/// Whether a span may be a call of a declared dependency: one that names no address, or the Service's.
fn is_to_declared(timeline: &Timeline, span: &Span) -> bool {
    let Some(address) = span.server.as_deref() else { return true };
    called(timeline).any(|d| d.upstream.is_called(address, &timeline.plan().target.namespace))
}

/// Trace id and parent span id of what was seen on the wire.
type OnTheWire<'a> = HashSet<(&'a str, &'a str)>;

/// Client spans of the target itself in a request's trace, and whether each was seen on the wire.
fn calls<'a>(
    timeline: &'a Timeline,
    wire: &'a OnTheWire,
    request: &'a RequestFact,
) -> impl Iterator<Item = bool> + 'a {
    let service = timeline.load.servers_of(request).first().map(|server| server.service.as_str());
    let spans = timeline.load.spans_of(request).iter();
    let clients = spans.filter(move |s| {
        let own = Some(s.service.as_str()) == service && is_to_declared(timeline, s);
        own && s.kind == SpanKind::Client && s.db_system.is_none()
    });
    let trace = request.trace_id.as_deref().unwrap_or_default();
    clients.map(move |span| wire.contains(&(trace, span.id.as_str())))
}
