//! The target file declares a circuit breaker for every database.

use crate::check::{Area, Check, Finding, Severity};
use crate::config::Protocol;
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B001",
    slug: "breaker-declared",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "What is not declared cannot be proven, and a database without a breaker takes the service down with it.",
    how: "Reads spec.dependencies of the target file.",
    remedy: "Add breaker: { errorRate, window, minCalls, deadline, openFor, trials } to the dependency.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let databases: Vec<_> =
        timeline.plan().dependencies.iter().filter(|d| d.protocol == Protocol::Postgres).collect();
    if databases.is_empty() {
        return Finding::skipped("the target file declares no database");
    }
    let without: Vec<&str> =
        databases.iter().filter(|d| d.breaker.is_none()).map(|d| d.name.as_str()).collect();
    Finding::when(
        without.is_empty(),
        "declared for every database",
        format!("no breaker is declared for {}", without.join(", ")),
    )
}
