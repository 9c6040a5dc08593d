//! The life of one copy: started, probed, started again when it fails, told to go, gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::copy::Phase;
use super::kubelet;
use super::process::{End, Process, Program};
use super::record::Record;
use crate::moment::now;
use crate::steer::Probes;

/// The first pause before a copy that has failed is started again; doubled each time (the kubelet's `CrashLoopBackOff`).
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A copy that ran for so long is well again: the next pause is the first one.
const WELL: Duration = Duration::from_mins(10);

/// One copy and how it is to be treated.
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) program: Program,
    /// At the ports of this copy.
    pub(super) probes: Probes,
    pub(super) grace: Duration,
    pub(super) record: Arc<Record>,
    /// Tells it to go.
    pub(super) leave: CancellationToken,
}

/// Why a process is over.
enum Over {
    /// It ended, or its liveness probe failed too often.
    Failed,
    /// It was told to go.
    Left(End),
}

impl Instance {
    /// Lives until it is told to go, and is gone then. Dropping it ends its process at once.
    pub(super) async fn live(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let since = Instant::now();
            match self.process().await {
                Over::Left(end) => {
                    self.record
                        .change(&self.name, |copy| (copy.phase, copy.ready) = (Phase::Ended(end), false));
                    break;
                }
                Over::Failed => {
                    pause = if since.elapsed() >= WELL { FIRST_PAUSE } else { pause };
                    self.record.change(&self.name, |copy| {
                        (copy.phase, copy.ready) = (Phase::Waiting("CrashLoopBackOff"), false);
                    });
                    if self.leave.run_until_cancelled(sleep(pause)).await.is_none() {
                        break;
                    }
                    self.record.change(&self.name, |copy| copy.restarts += 1);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        self.record.remove(&self.name);
    }

    /// One process, from its start to its end.
    async fn process(&self) -> Over {
        let mut process = match Process::start(&self.program) {
            Ok(process) => process,
            Err(error) => {
                tracing::warn!(%error, copy = self.name, "it cannot be started");
                return Over::Failed;
            }
        };
        self.record.change(&self.name, |copy| copy.phase = Phase::Running(now()));
        tokio::select! {
            _ = process.ended() => return Over::Failed,
            () = kubelet::dead(super::HOST, self.probes.liveness.as_ref()) => {
                process.stop(self.grace).await;
                return Over::Failed;
            }
            () = self.readiness() => {}
            () = self.leave.cancelled() => {}
        }
        // Its readiness is asked to the end: what still answers may be sent users when nothing else is left.
        tokio::select! {
            end = process.stop(self.grace) => Over::Left(end),
            () = self.readiness() => Over::Failed, // it is asked for ever
        }
    }

    async fn readiness(&self) {
        let tell = |ready| self.record.change(&self.name, |copy| copy.ready = ready);
        kubelet::ask_for_ever(super::HOST, self.probes.readiness.as_ref(), tell).await;
    }
}
