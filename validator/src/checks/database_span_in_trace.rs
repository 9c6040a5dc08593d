//! The database call of a sampled request stands in its trace.

use crate::check::{Area, Check, Finding, Severity};
use crate::config::Protocol;
use crate::evidence::{Span, SpanKind};
use crate::timeline::Timeline;

use super::sampled_requests_traced::spans_of;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T202",
    slug: "database-span-in-trace",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "A trace that ends at the service's door does not tell whether the database was slow.",
    how: "In each trace of a sampled request, a client span with db.system.name must descend from the server span.",
    remedy: "Wrap database calls in client spans with db.system.name (OpenTelemetry semantic conventions for databases).",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let databases = timeline.plan().dependencies.iter().filter(|d| d.protocol == Protocol::Postgres);
    if databases.count() == 0 {
        return Finding::skipped("the target file declares no database");
    }
    if timeline.load.traces.is_empty() {
        return Finding::inconclusive("no trace store could be asked");
    }
    let mut total = 0;
    let mut without = Vec::new();
    for (line, request) in timeline.load.sampled() {
        let spans = spans_of(timeline, request.trace_id.as_deref());
        total += 1;
        let server = spans.iter().find(|s| s.kind == SpanKind::Server && s.parent == request.parent_id);
        let has_database = |server: &Span| {
            spans
                .iter()
                .any(|s| s.db_system.as_deref() == Some("postgresql") && descends(spans, s, &server.id))
        };
        if !server.is_some_and(has_database) {
            without.push(*line);
        }
    }
    let summary = format!(
        "{} of {total} sampled requests have a Postgres span under their server span",
        total - without.len()
    );
    Finding::when(without.is_empty() && total > 0, summary.clone(), summary)
        .measured(format!("{} without", without.len()), "0")
        .lines(without)
}

fn descends(spans: &[Span], span: &Span, ancestor: &str) -> bool {
    let mut parent = span.parent.as_deref();
    // A trace of n spans has no path longer than n: a loop of broken parents ends here.
    for _ in 0..spans.len() {
        match parent {
            Some(id) if id == ancestor => return true,
            Some(id) => {
                parent = spans.iter().find(|s| s.id == id).and_then(|s| s.parent.as_deref());
            }
            None => return false,
        }
    }
    false
}
