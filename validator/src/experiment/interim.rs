//! What a run has shown before its roll out: whether the candidate may stay.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::context::RunContext;
use crate::checks::ALL;
use crate::evidence::{Evidence, Fact, Header};
use crate::judge::judge;
use crate::report::Report;
use crate::steer::Stays;

/// How long it may take to fetch and judge what was seen; without it the old template stays.
const AT_MOST: Duration = Duration::from_mins(1);

/// The template for the roll out: the candidate's, unless something that gates has failed so far, or not all of it was to be
/// tried. What needs the roll out is inconclusive until then, and does not count. Gives what failed.
pub(super) async fn stays(context: &RunContext<'_>, header: Header) -> (Stays, String) {
    let judged = async {
        let mut facts: Vec<Fact> = context.target.facts.clone();
        facts.extend(context.step_log.facts().into_iter().chain(context.pulse.facts()));
        facts.extend(context.agents.evidence().await.map_err(|failure| failure.to_string())?);
        facts.extend(context.middle.evidence().await);
        facts.extend(context.collector.seen());
        // It takes some CPU: the watches and the Lease go on meanwhile.
        let judged = spawn_blocking(move || judge(&Evidence::new(header, facts), ALL)).await;
        judged.map_err(|error| error.to_string())
    };
    match timeout(AT_MOST, judged).await {
        Ok(Ok(report)) => by(&report),
        Ok(Err(error)) => (Stays::Old, format!("what was seen so far could not be fetched: {error}")),
        Err(_) => (Stays::Old, "what was seen so far could not be judged within 60 s".to_owned()),
    }
}

fn by(report: &Report) -> (Stays, String) {
    let in_part = || report.checks.iter().find(|line| line.is_left_out());
    match (report.checks.iter().find(|line| line.is_gating_failure()), in_part()) {
        (Some(line), _) => (Stays::Old, format!("{}: {}", line.id, line.finding.summary)),
        (None, Some(line)) => (Stays::Old, format!("it was tried in part, without {}", line.id)),
        (None, None) => (Stays::Candidate, "nothing has failed so far".to_owned()),
    }
}
