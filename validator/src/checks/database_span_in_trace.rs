//! The database call of a sampled request stands in its trace.

use crate::check::{Area, Check, Finding, Severity};
use crate::config::Protocol;
use crate::evidence::{RequestFact, Span};
use crate::timeline::{Timeline, Unmeasured};

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
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let databases = timeline.plan().dependencies.iter().filter(|d| d.protocol == Protocol::Postgres);
    if databases.count() == 0 {
        return Ok(Finding::skipped("the target file declares no database"));
    }
    timeline.read_collector()?;
    if timeline.load.traces.is_empty() {
        return Err(timeline.no_traces());
    }
    let sampled = timeline.load.sampled(timeline.copied()?);
    let has_database = |request: &RequestFact| {
        let spans = timeline.load.spans_of(request);
        let queries = || spans.iter().filter(|s| s.db_system.as_deref() == Some("postgresql"));
        timeline.load.servers_of(request).any(|server| queries().any(|s| descends(spans, s, &server.id)))
    };
    let without: Vec<usize> =
        sampled.iter().filter(|(_, request)| !has_database(request)).map(|(line, _)| *line).collect();
    let total = sampled.len();
    let summary = format!(
        "{} of {total} sampled requests have a Postgres span under their server span",
        total - without.len()
    );
    Ok(Finding::when(without.is_empty() && total > 0, summary.clone(), summary)
        .measured(format!("{} without", without.len()), "0")
        .lines(without))
}

fn descends(spans: &[&Span], span: &Span, ancestor: &str) -> bool {
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
