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

/// The pause before a copy that has failed for the second time is started again; before the first time there is none, and
/// it is doubled each further time (the kubelet's `CrashLoopBackOff`).
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A copy that ran for so long is well again: its next end is the first one.
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
        let mut pause = Duration::ZERO;
        loop {
            let since = Instant::now();
            match self.process().await {
                Over::Left(end) => {
                    self.record
                        .change(&self.name, |copy| (copy.phase, copy.ready) = (Phase::Ended(end), false));
                    break;
                }
                Over::Failed => {
                    pause = if since.elapsed() >= WELL { Duration::ZERO } else { pause };
                    self.record.change(&self.name, |copy| {
                        (copy.phase, copy.ready) = (Phase::Waiting("CrashLoopBackOff"), false);
                    });
                    if self.leave.run_until_cancelled(sleep(pause)).await.is_none() {
                        break;
                    }
                    self.record.change(&self.name, |copy| copy.restarts += 1);
                    pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use rustix::process::Signal;

    use super::*;
    use crate::evidence::{Fact, ObjectKind};
    use crate::local::copy::Copy;
    use crate::timeline::tests::header;

    /// A copy of a shell script, in a folder of its own.
    fn instance(script: &str, record: &Arc<Record>) -> (Instance, PathBuf) {
        let folder = std::env::temp_dir().join(format!("golive-test-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let command = ["sh", "-c", script].map(std::ffi::OsString::from).to_vec();
        let (variables, output) = (BTreeMap::new(), folder.join("log"));
        let program =
            Program { command, variables, output, registry: folder.clone(), last: Signal::KILL, user: None };
        let copy = Copy {
            uid: "u".into(),
            hash: "t".into(),
            ports: BTreeMap::new(),
            origins: Vec::new(),
            phase: Phase::Waiting("ContainerCreating"),
            ready: false,
            restarts: 0,
            leaving: None,
        };
        record.add("a", copy);
        let (grace, leave, record) = (Duration::from_mins(1), CancellationToken::new(), Arc::clone(record));
        let probes = Probes::default();
        (Instance { name: "a".into(), program, probes, grace, record, leave }, folder)
    }

    fn told(record: &Record, pointer: &str) -> Vec<String> {
        let of = |fact: &Fact| match fact {
            Fact::Object(pod) if pod.kind == ObjectKind::Pod => {
                pod.object.pointer(pointer).map(ToString::to_string)
            }
            _ => None,
        };
        record.collector().seen().iter().filter_map(of).collect()
    }

    #[tokio::test]
    async fn a_copy_that_is_told_to_go_ends_in_order_and_its_end_is_told() {
        let record = Record::new(header().plan.target, (60, 0));
        let (copy, folder) = instance("trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done", &record);
        let (leave, mut table) = (copy.leave.clone(), record.table());
        let living = tokio::spawn(copy.live());
        table.wait_for(|table| table["a"].ready).await.unwrap();
        while std::fs::read(folder.join("log")).is_ok_and(|said| said.is_empty()) {
            sleep(Duration::from_millis(5)).await;
        }
        leave.cancel();
        living.await.unwrap();
        assert!(table.borrow().is_empty());
        let codes = told(&record, "/status/containerStatuses/0/state/terminated/exitCode");
        assert_eq!(codes, ["0", "0"], "once as it ended, once as it was gone");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_copy_that_fails_is_started_again_at_once_and_then_after_a_pause() {
        let record = Record::new(header().plan.target, (60, 0));
        let (copy, folder) = instance("exit 1", &record);
        let mut table = record.table();
        let (leave, living) = (copy.leave.clone(), tokio::spawn(copy.live()));
        let crashes = |copy: &crate::steer::PodBrief| copy.waiting.as_deref() == Some("CrashLoopBackOff");
        while told(&record, "/status/containerStatuses/0/restartCount")
            .last()
            .is_none_or(|count| count != "1")
        {
            table.changed().await.unwrap();
        }
        table.wait_for(|table| crashes(&table["a"])).await.unwrap();
        leave.cancel(); // it would pause for 10 s now
        living.await.unwrap();
        assert!(table.borrow().is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
