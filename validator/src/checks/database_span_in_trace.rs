//! The database call of a sampled request stands in its trace.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Protocol;
use crate::evidence::{RequestFact, Span};
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T202",
    slug: "database-span-in-trace",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "A trace that ends at the service's door does not tell whether the database was slow.",
    how: "In each trace of a sampled request, a span with the db.system.name of a declared store must descend from the server span: of the database, or of the cache that answered in its place. Of a database that was called at all, some span must be seen.",
    remedy: "Wrap database calls in client spans with db.system.name (OpenTelemetry semantic conventions for databases).",
    rests_on: &[Kind::Load, Kind::Agent, Kind::Record, Kind::Content, Kind::Dependency, Kind::Target],
    judge,
};

/// Values of db.system.name (semantic conventions for databases).
const POSTGRES: &str = "postgresql";
const REDIS: &str = "redis";

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
    let copied = timeline.copied()?;
    let sampled = timeline.load.sampled(copied);
    let stores: Vec<Vec<&str>> = sampled.iter().map(|(_, request)| asked(timeline, request)).collect();
    let total = sampled.len();
    let queried = stores.iter().filter(|systems| systems.contains(&POSTGRES)).count();
    if queried == 0 && !timeline.was_called(Protocol::Postgres, copied)? {
        return Err(Unmeasured::NotSeen("no statement came to a database, with a span or without".into()));
    }
    let bare = sampled.iter().zip(&stores).filter(|(_, systems)| systems.is_empty());
    let bare = bare.map(|((line, r), _)| {
        Case::over(r.during(), format!("{} left no span of a store under its server span", r.request), *line)
    });
    let mut cases: Vec<Case> = bare.collect();
    let without = cases.len();
    if queried == 0 {
        let none = "statements came to the database, and no Postgres span was seen";
        cases.insert(0, Case::over(copied, none, sampled.first().map_or(0, |(line, _)| *line)));
    }
    let pass = format!(
        "{total} of {total} sampled requests have a store's span under their server span, {queried} a Postgres span"
    );
    Ok(Finding::unless(cases, pass)
        .measured(format!("{without} of {total} without a store's span, {queried} with Postgres"), "0, some"))
}

/// The declared stores of which a span descends from the server span of a request.
fn asked<'a>(timeline: &'a Timeline, request: &RequestFact) -> Vec<&'a str> {
    let declared = |protocol| timeline.data_stores().any(|store| store.protocol == protocol);
    let spans = timeline.load.spans_of(request);
    let under =
        |span: &Span| timeline.load.servers_of(request).any(|server| descends(spans, span, &server.id));
    let systems = [(POSTGRES, Protocol::Postgres), (REDIS, Protocol::Redis)].into_iter();
    let seen = systems.filter(|(system, protocol)| {
        let mine = |span: &&&Span| span.db_system.as_deref() == Some(*system);
        declared(*protocol) && spans.iter().filter(mine).any(|span| under(span))
    });
    seen.map(|(system, _)| system).collect()
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
