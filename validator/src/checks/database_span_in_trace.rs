//! The database call of a sampled request stands in its trace.

use std::collections::BTreeMap;

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Protocol;
use crate::evidence::{RequestFact, Span, Step};
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T202",
    slug: "database-span-in-trace",
    area: Area::Tracing,
    severity: Severity::Blocker,
    why: "A trace that ends at the service's door does not tell whether the database was slow.",
    how: "Judged are the request templates of which nine in ten traces of the quiet phase show a store: what is answered from memory touches none. In each trace of theirs a span with the db.system.name of a declared store should descend from the server span: of the database, or of the cache that answered in its place; where one lacks it nobody can tell from outside whether it was answered from memory, so that it warns. Of a database that was called so often that at least five sampled requests can be expected to have met a call, some span must be seen; cockroachdb counts as postgresql.",
    remedy: "Wrap database calls in client spans with db.system.name (OpenTelemetry semantic conventions for databases).",
    rests_on: &[Kind::Load, Kind::Agent, Kind::Record, Kind::Content, Kind::Dependency, Kind::Target],
    needs: Needs::Rolls,
    judge,
};

/// Values of db.system.name (semantic conventions for databases).
const POSTGRES: &str = "postgresql";
const REDIS: &str = "redis";

/// It speaks the protocol of Postgres, and names itself.
const COCKROACH: &str = "cockroachdb";

/// If fewer sampled requests than this can be expected to have met a call, that none shows one may be chance:
/// exp(-5) is less than 1 %.
const ENOUGH: f64 = 5.0;

/// Fewer calls than this for each request may all be made beside requests: by work that writes in batches, say.
const OF_REQUESTS: f64 = 0.5;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    if timeline.data_stores().next().is_none() {
        return Ok(Finding::skipped("the target file declares no data store"));
    }
    let collector = timeline.read_collector()?;
    if timeline.load.traces.is_empty() {
        return Err(timeline.no_traces());
    }
    let copied = timeline.copied()?;
    let sampled = timeline.load.sampled(copied);
    let stores: Vec<Vec<&str>> = sampled.iter().map(|(_, request)| asked(timeline, request)).collect();
    let main =
        if timeline.data_stores().any(|d| d.protocol == Protocol::Postgres) { POSTGRES } else { REDIS };
    let queried = stores.iter().filter(|systems| systems.contains(&main)).count();
    if queried == 0 {
        enough_calls(timeline, protocol(main), sampled.len())?;
    }
    let habits = habits(timeline);
    let asks = |template| habits.get(&template).is_some_and(Habit::always_asks);
    let judged: Vec<_> = sampled.iter().zip(&stores).filter(|((_, r), _)| asks(r.template)).collect();
    let bare = judged.iter().filter(|(_, systems)| systems.is_empty()).map(|((line, r), _)| {
        let text = format!("{} left no span of a store under its server span", r.request);
        Case::over(r.during(), text, *line).before(collector)
    });
    let cases: Vec<Case> = bare.collect();
    let (without, total) = (cases.len(), judged.len());
    let others = habits.iter().filter(|(_, habit)| !habit.always_asks());
    let details = others.map(|(template, habit)| {
        let (name, Habit { asked, traces }) = (timeline.request_name(*template), habit);
        format!("{name}: {asked} of {traces} traces of the quiet phase show a store: it may do without, not judged")
    });
    let pass = format!(
        "{total} of {total} sampled requests that read a store show it under their server span, {queried} show {main}"
    );
    let finding = if queried == 0 {
        let none = format!("calls came to {}, and no span of it was seen", protocol(main).name());
        let case = Case::over(copied, none, sampled.first().map_or(0, |(line, _)| *line));
        Finding::unless([case.before(collector)].into_iter().chain(cases), pass)
    } else {
        // One in ten may have been answered from the process's own memory: nobody can tell from outside.
        Finding::warn_of(cases, pass)
    };
    Ok(finding
        .measured(format!("{without} of {total} without a store's span, {queried} with {main}"), "0, some")
        .details(details))
}

/// Whether so many calls came to the stores of this protocol that some sampled request must have made one, if requests
/// make them at all: a job, a pool that tries its connections, makes calls as well.
fn enough_calls(timeline: &Timeline, protocol: Protocol, sampled: usize) -> Result<(), Unmeasured> {
    let copied = timeline.copied()?;
    let calls = timeline.calls_of(protocol, copied)?;
    let answered = timeline.load.all(copied).answered;
    let per_request = calls as f64 / answered.max(1) as f64;
    let expected = sampled as f64 * per_request.min(1.0);
    if per_request >= OF_REQUESTS && expected >= ENOUGH {
        return Ok(());
    }
    let name = protocol.name();
    let why = format!(
        "{calls} calls came to {name} for {answered} requests: none of {sampled} sampled ones need have made one"
    );
    Err(Unmeasured::NotSeen(why))
}

/// What the traces of one request template showed in the quiet phase.
#[derive(Default)]
struct Habit {
    /// Traces with a span of a store.
    asked: usize,
    /// All of them.
    traces: usize,
}

impl Habit {
    /// Whether each request of it reads a store. A few traces that all do are no chance; one that does not is answered
    /// from memory now and then.
    fn always_asks(&self) -> bool {
        self.traces >= 3 && self.asked * 10 >= self.traces * 9
    }
}

fn habits(timeline: &Timeline) -> BTreeMap<usize, Habit> {
    let mut habits: BTreeMap<usize, Habit> = BTreeMap::new();
    let quiet = timeline.span(Step::Quiet).unwrap_or_default();
    for (_, request) in timeline.load.sampled(quiet) {
        let habit = habits.entry(request.template).or_default();
        habit.traces += 1;
        habit.asked += usize::from(!asked(timeline, request).is_empty());
    }
    habits
}

/// The name under which a system is counted: whatever speaks the protocol of Postgres as Postgres.
fn main_name(system: &str) -> &str {
    if system == COCKROACH { POSTGRES } else { system }
}

fn protocol(system: &str) -> Protocol {
    if system == POSTGRES { Protocol::Postgres } else { Protocol::Redis }
}

/// The declared stores of which a span descends from the server span of a request.
fn asked<'a>(timeline: &'a Timeline, request: &RequestFact) -> Vec<&'a str> {
    let declared = |protocol| timeline.data_stores().any(|store| store.protocol == protocol);
    let spans = timeline.load.spans_of(request);
    let under = |span: &Span| {
        timeline.load.servers_of(request).iter().any(|server| descends(spans, span, &server.id))
    };
    let systems = [(POSTGRES, Protocol::Postgres), (REDIS, Protocol::Redis)].into_iter();
    let seen = systems.filter(|(system, protocol)| {
        let mine = |span: &&&Span| span.db_system.as_deref().map(main_name) == Some(*system);
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
