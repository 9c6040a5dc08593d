//! Kept connections are told to close before they are closed.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Millis, Outcome, RequestFact};
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S203",
    slug: "close-announced-before-closing",
    area: Area::Shutdown,
    severity: Severity::Major,
    why: "A pool that reuses a connection at the moment the server closes it loses that request; Connection: close (RFC 9112, 9.6) tells it in time.",
    how: "Every kept connection that the server ended while a pod was stopping in the rolls must have carried an answer with Connection: close before; those that it ends by its own time-out for idle ones, which is learned, need not. Where no request was lost on a kept connection while nothing disturbed the run it is a warning. With a candidate of another image only the ends of its own pods, in the roll out, are judged.",
    remedy: "From SIGTERM on send Connection: close with every HTTP/1.1 answer, and keep reading idle connections until the drain ends.",
    rests_on: &[Kind::Load, Kind::Watch, Kind::Validator, Kind::Agent, Kind::Target, Kind::Clock],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let rolling = timeline.rolling_judged();
    if rolling.is_empty() {
        return Finding::inconclusive("no roll was made");
    }
    // A server may well end what nobody uses while no pod is told to stop.
    let stopping: Vec<_> = timeline
        .terminations_judged()
        .into_iter()
        .map(|(_, t)| t.at..=t.gone.unwrap_or(Millis::MAX))
        .collect();
    let in_roll = |at: Millis| rolling.iter().any(|(begin, end)| (*begin..=*end).contains(&at));
    let inside = |at: Millis| in_roll(at) && stopping.iter().any(|span| span.contains(&at));
    let connections = timeline.load.connections.iter();
    let ended: Vec<_> =
        connections.filter(|(_, c)| (c.by_server || c.announced) && inside(c.ended)).collect();
    if ended.is_empty() {
        return Finding::inconclusive("the server ended no kept connection during the rolls");
    }
    let silent = ended.iter().filter(|(_, c)| !c.announced && !c.timed_out).map(|(line, c)| {
        Case::at(c.ended, format!("a {} connection was closed without a word", c.class.name()), *line)
    });
    let total = ended.len();
    let pass =
        format!("{total} of {total} kept connections were told to close before their end, or timed out");
    let finding = if lost(timeline) { Finding::unless(silent, pass) } else { Finding::warn_of(silent, pass) };
    finding
        .counted(format!("of {total} kept connections were closed without being told to"))
        .tally("closed without a word", "0")
}

/// Whether a request was lost because its connection ended, with nothing else to blame.
fn lost(timeline: &Timeline) -> bool {
    let kept = timeline.load.requests.iter().filter(|(_, request)| request.class.keeps_connections());
    let mut ended = kept.filter(|(_, r)| matches!(r.outcome, Outcome::Reset | Outcome::Closed));
    let rolling = timeline.rolling_judged();
    let inside = |r: &RequestFact| rolling.iter().any(|(begin, end)| (*begin..=*end).contains(&r.due));
    ended.any(|(_, request)| inside(request) && !timeline.is_disturbed(request))
}
