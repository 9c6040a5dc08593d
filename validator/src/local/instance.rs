//! The life of one copy: started, probed, started again when it fails, told to go, gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::copy::Phase;
use super::kubelet;
use super::port::Port;
use super::process::{End, Process, Program};
use super::record::Record;
use crate::moment::now;
use crate::steer::Probes;

/// What a container runtime gives for a program that cannot be started.
const NOT_STARTED: End = End { code: 128 };

/// Why a copy waits that ended again, in the kubelet's word.
pub(super) const BACK_OFF: &str = "CrashLoopBackOff";

/// The pause before a copy that has ended for the second time is started again; before the first time there is none, and
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
    /// Held for as long as its process may be started again.
    pub(super) _held: Vec<Port>,
    /// At the ports of this copy.
    pub(super) probes: Probes,
    pub(super) grace: Duration,
    pub(super) record: Arc<Record>,
    /// Tells it to go.
    pub(super) leave: CancellationToken,
}

/// Why a process is over.
enum Over {
    /// It ended, if only because its liveness probe failed too often.
    Failed(End),
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
                Over::Failed(end) => {
                    let pause_now = if since.elapsed() >= WELL { Duration::ZERO } else { pause };
                    if !self.again(end, pause_now).await {
                        break;
                    }
                    pause = (pause_now * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                }
            }
        }
        self.record.remove(&self.name);
    }

    /// Waits until it is to be started again after this end; not when it is told to go meanwhile.
    async fn again(&self, end: End, pause: Duration) -> bool {
        self.record.change(&self.name, |copy| {
            (copy.ready, copy.last) = (false, Some(end));
            if pause.is_zero() {
                copy.restarts += 1;
            } else {
                copy.phase = Phase::Waiting(BACK_OFF);
            }
        });
        if pause.is_zero() {
            return true;
        }
        let paused = self.leave.run_until_cancelled(sleep(pause)).await.is_some();
        if paused {
            self.record.change(&self.name, |copy| copy.restarts += 1);
        }
        paused
    }

    /// One process, from its start to its end. Its readiness is asked all the time: what still answers may be sent users
    /// when nothing else is left.
    async fn process(&self) -> Over {
        let mut process = match Process::start(&self.program) {
            Ok(process) => process,
            Err(error) => {
                tracing::warn!(%error, copy = self.name, "it cannot be started");
                return Over::Failed(NOT_STARTED);
            }
        };
        self.record.change(&self.name, |copy| copy.phase = Phase::Running(now()));
        let end = tokio::select! {
            end = self.end(&mut process) => end,
            () = self.readiness() => return Over::Failed(NOT_STARTED), // it is asked for ever
        };
        if self.leave.is_cancelled() { Over::Left(end) } else { Over::Failed(end) }
    }

    async fn end(&self, process: &mut Process) -> End {
        tokio::select! {
            end = process.ended() => return end,
            () = kubelet::dead(super::HOST, self.probes.liveness.as_ref()) => {}
            () = self.leave.cancelled() => {}
        }
        process.stop(self.grace).await
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
    use crate::evidence::{Evidence, Fact, ObjectKind};
    use crate::local::copy::Copy;
    use crate::steer::Collector;
    use crate::timeline::Timeline;
    use crate::timeline::tests::header;

    /// A copy of a shell script, in a folder of its own.
    fn instance(script: &str, record: &Arc<Record>) -> (Instance, PathBuf) {
        let folder = std::env::temp_dir().join(format!("golive-test-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let command = ["sh", "-c", script].map(std::ffi::OsString::from).to_vec();
        let (variables, output) = (BTreeMap::new(), folder.join("log"));
        let (registry, last) = (folder.clone(), Signal::KILL);
        let program = Program { command, variables, without: None, output, registry, last, user: None };
        let copy = Copy {
            uid: "u".into(),
            hash: "t".into(),
            ports: BTreeMap::new(),
            origins: Vec::new(),
            phase: Phase::Waiting("ContainerCreating"),
            ready: false,
            restarts: 0,
            last: None,
            leaving: None,
        };
        record.add("a", copy);
        let (grace, leave, record) = (Duration::from_mins(1), CancellationToken::new(), Arc::clone(record));
        let probes = Probes::default();
        (Instance { name: "a".into(), program, _held: Vec::new(), probes, grace, record, leave }, folder)
    }

    fn told(collector: &Collector, pointer: &str) -> Vec<String> {
        let of = |fact: &Fact| match fact {
            Fact::Object(pod) if pod.kind == ObjectKind::Pod => {
                pod.object.pointer(pointer).map(ToString::to_string)
            }
            _ => None,
        };
        collector.seen().iter().filter_map(of).collect()
    }

    /// Waits until a value was told.
    async fn until(collector: &Collector, pointer: &str, value: &str) {
        for _ in 0..12_000 {
            if told(collector, pointer).iter().any(|told| told == value) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("{pointer} is never {value}: {:?}", told(collector, pointer))
    }

    const RESTARTS: &str = "/status/containerStatuses/0/restartCount";

    #[tokio::test]
    async fn a_copy_that_is_told_to_go_ends_in_order_and_its_end_is_told() {
        let record = Record::new(header().plan.target, (60, 0));
        let collector = record.collector();
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
        let codes = told(&collector, "/status/containerStatuses/0/state/terminated/exitCode");
        assert_eq!(codes, ["0", "0"], "once as it ended, once as it was gone");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_copy_that_ends_once_is_started_again_at_once_and_its_code_is_told() {
        let record = Record::new(header().plan.target, (60, 0));
        let collector = record.collector();
        let script = "[ -e $0 ] && exec sleep 300; echo > $0; exit 7";
        let (mut copy, folder) = instance(script, &record);
        copy.program.command.push(folder.join("ended").into_os_string());
        let (leave, living) = (copy.leave.clone(), tokio::spawn(copy.live()));
        until(&collector, RESTARTS, "1").await;
        until(&collector, "/status/containerStatuses/0/lastState/terminated/exitCode", "7").await;
        let waits = told(&collector, "/status/containerStatuses/0/state/waiting/reason");
        assert_eq!(waits, ["\"ContainerCreating\""], "it was in no back-off");
        leave.cancel();
        living.await.unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_copy_that_ends_again_pauses_and_can_be_told_to_go_meanwhile() {
        let record = Record::new(header().plan.target, (60, 0));
        let collector = record.collector();
        let (copy, folder) = instance("exit 1", &record);
        let (leave, living) = (copy.leave.clone(), tokio::spawn(copy.live()));
        until(&collector, "/status/containerStatuses/0/state/waiting/reason", "\"CrashLoopBackOff\"").await;
        assert_eq!(told(&collector, RESTARTS).last().unwrap(), "1", "the first time there was no pause");
        leave.cancel(); // it would pause for 10 s now
        living.await.unwrap();
        assert!(record.table().borrow().is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_was_before_the_first_look_is_in_no_fact() {
        let record = Record::new(header().plan.target, (60, 0));
        record.template("t");
        let early = record.collector();
        let (mut copy, folder) = instance("[ -e $0 ] && exec sleep 300; echo > $0; exit 7", &record);
        copy.program.command.push(folder.join("ended").into_os_string());
        let (leave, living) = (copy.leave.clone(), tokio::spawn(copy.live()));
        until(&early, RESTARTS, "1").await;
        let collector = record.collector();
        assert_eq!(told(&collector, RESTARTS)[0], "1", "it is known that there was one");
        let facts = collector.seen();
        let evidence = Evidence::new(header(), facts);
        let timeline = Timeline::new(&evidence);
        assert!(!timeline.pods.is_empty() && timeline.pods.iter().all(|pod| pod.restarts.is_empty()));
        leave.cancel();
        living.await.unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}
