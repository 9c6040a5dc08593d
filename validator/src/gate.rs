//! A whole gate: prepare, experiment, judge, leave. It knows no command line and no terminal, so that whoever has a target and
//! somewhere to put a report can use it.

mod in_cluster;
mod on_machine;

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::checks::ALL;
use crate::events::Events;
use crate::evidence::Evidence;
use crate::failure::Failure;
use crate::judge::judge;
use crate::report::Report;

pub use in_cluster::{ClusterRun, planned};
pub use on_machine::MachineRun;

/// Longest part of a run's name: with what stands around it and is added to it, it stays below 63 characters.
const MAX_PART: usize = 40;

/// How long whoever hears of the steps may take for the last of them.
const READ: Duration = Duration::from_secs(2);

/// Where the results of a gate go.
pub trait Sink {
    /// Keeps the evidence, and says where; it is called before anything else of the end can fail.
    ///
    /// # Errors
    /// Exit 3 when it cannot be kept: then there is no verdict either.
    fn keep(&self, evidence: &Evidence) -> Result<String, Failure>;

    /// Delivers the report. What does not arrive changes no verdict: the sink itself tells of it.
    fn deliver(&self, report: &Report) -> impl Future<Output = ()>;
}

/// What every gate works with.
pub struct Gate<'a, S> {
    /// Ends it early: what leads to agents goes back, and everything is cleaned up, before it returns.
    pub cancel: CancellationToken,
    /// What it is doing.
    pub events: Events,
    /// Where its results go.
    pub sink: &'a S,
}

impl<S: Sink> Gate<'_, S> {
    /// Works until it is cancelled; exit 130 then.
    ///
    /// # Cancel safety
    /// That of the work, which is dropped where it stands.
    async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.cancel.run_until_cancelled(work).await.unwrap_or_else(|| Err(Failure::interrupted()))
    }

    /// Keeps the evidence before anything else can fail, then judges it.
    fn judged(&self, evidence: &Evidence, failure: Option<Failure>) -> Result<Report, Failure> {
        let kept = self.sink.keep(evidence)?;
        self.events.tell(format!("evidence: {kept}"));
        if let Some(failure) = failure {
            // Half a run is evidence, but no verdict: `validator judge` shows how far it came.
            return Err(failure);
        }
        Ok(judge(evidence, ALL))
    }

    /// Delivers a report, when nothing is left to be put back: whoever reads it may take his time.
    async fn delivered(&self, report: &Report) {
        timeout(READ, self.events.settle()).await.ok(); // somebody who does not read on gets it all the same
        self.sink.deliver(report).await;
    }
}

/// A new name for whoever runs a gate; what he creates is labelled with it, so it fits a label.
pub fn run_name(part: &str) -> String {
    let part: String = part.chars().take(MAX_PART).collect();
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    format!("golive-{}-{}", part.trim_end_matches(['-', '.']), &suffix[..6])
}

#[cfg(test)]
mod tests {
    use super::run_name;

    #[test]
    fn run_names_fit_a_label_and_stay_apart() {
        let long = run_name(&"a".repeat(253));
        assert!(long.len() < 60, "{long}");
        assert_ne!(run_name("users"), run_name("users"));
        assert!(run_name("users").starts_with("golive-users-"));
    }
}
