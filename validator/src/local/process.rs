//! One command as a process: no shell, a process group of its own, its output in a file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind};
use tokio::time::timeout;

use super::marked::{forget, register};

/// What is started.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// The program and its arguments, as they stand on a command line.
    pub(super) command: Vec<OsString>,
    /// Variables beside those of this process.
    pub(super) variables: BTreeMap<String, String>,
    /// What those of this process begin with that are left out.
    pub(super) without: Option<&'static str>,
    /// What it says goes to the end of this file.
    pub(super) output: PathBuf,
    /// A folder in which it leaves its number, so that it can be found when this process is gone.
    pub(super) registry: PathBuf,
    /// What its group gets when it is dropped: SIGKILL, but for what has to give something back.
    pub(super) last: Signal,
    /// User and group to run as; those of this process when absent.
    pub(super) user: Option<(u32, u32)>,
}

/// A running one. Dropping it ends the whole group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
    /// SIGCHLD, which comes whenever one of all children has ended.
    children: unix::Signal,
    registry: PathBuf,
    last: Signal,
}

/// How it ended, in the words of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Exit code; 128 and the number of the signal that ended it.
    pub(super) code: i32,
}

/// How long a process may take to be gone after SIGKILL; longer only where the kernel holds it, or it is another user's.
const GONE: Duration = Duration::from_secs(5);

/// What SIGKILL comes to.
const KILLED: End = End { code: 137 };

impl End {
    /// The reason that a kubelet would give.
    pub(super) fn reason(self) -> &'static str {
        if self.code == 0 { "Completed" } else { "Error" }
    }
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        let by_signal = status.signal().map_or(-1, |signal| 128 + signal);
        Self { code: status.code().unwrap_or(by_signal) }
    }
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// When the program cannot be found or started, or its output not written.
    pub(super) fn start(program: &Program) -> io::Result<Self> {
        let (name, arguments) = program.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let output = OpenOptions::new().create(true).append(true).mode(0o600).open(&program.output)?;
        let mut command = Command::new(name);
        for (inherited, _) in std::env::vars_os() {
            if program
                .without
                .is_some_and(|prefix| inherited.as_encoded_bytes().starts_with(prefix.as_bytes()))
            {
                command.env_remove(inherited);
            }
        }
        command.args(arguments).envs(&program.variables).process_group(0);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        if let Some((user, group)) = program.user {
            command.uid(user).gid(group).current_dir("/");
        }
        let children = unix::signal(SignalKind::child())?;
        let child = command.spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or(io::ErrorKind::NotFound)?;
        let process = Self { child, pid, children, registry: program.registry.clone(), last: program.last };
        register(&program.registry, pid)?;
        Ok(process)
    }

    /// Waits for its end; what it has started and left ends with it, as in a container.
    /// Cancel safe: it can be waited for again.
    pub(super) async fn ended(&mut self) -> End {
        // Until it is waited for, its number is its own, and that of its group.
        if self.child.id().is_some() {
            while !has_ended(self.pid) {
                self.children.recv().await;
            }
            kill_process_group(self.pid, Signal::KILL).ok(); // it may have been alone
            forget(&self.registry, self.pid);
        }
        self.child.wait().await.map_or(End { code: -1 }, End::from)
    }

    /// SIGTERM to the process itself, as the kubelet does; SIGKILL to all of it when the grace period is over.
    pub(super) async fn stop(&mut self, grace: Duration) -> End {
        self.signal(Signal::TERM);
        if let Ok(end) = timeout(grace, self.ended()).await {
            return end;
        }
        self.kill().await
    }

    /// Ends all of it at once. What is there all the same after some seconds is left to whoever cleans up.
    pub(super) async fn kill(&mut self) -> End {
        if self.child.id().is_some() {
            kill_process_group(self.pid, Signal::KILL).ok(); // it may just have ended
        }
        timeout(GONE, self.ended()).await.unwrap_or(KILLED)
    }

    /// A process that was waited for has no number any more.
    fn signal(&self, signal: Signal) {
        if self.child.id().is_some() {
            kill_process(self.pid, signal).ok(); // it may just have ended
        }
    }
}

/// Whether a child has ended, without waiting for it.
fn has_ended(child: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // What is no child any more was waited for by somebody else.
    waitid(WaitId::Pid(child), look).map_or(true, |status| status.is_some())
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            kill_process_group(self.pid, self.last).ok(); // it may just have ended
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a folder of its own.
    fn shell(script: &str) -> Program {
        let registry = std::env::temp_dir().join(format!("golive-test-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&registry).unwrap();
        let command = ["sh", "-c", script].map(OsString::from).to_vec();
        let variables = BTreeMap::from([("WORD".to_owned(), "said".to_owned())]);
        let (output, last) = (registry.join("log"), Signal::KILL);
        Program { command, variables, without: Some("HOM"), output, registry, last, user: None }
    }

    async fn said(program: &Program, wanted: &str) -> String {
        for _ in 0..12_000 {
            let text = std::fs::read_to_string(&program.output).unwrap_or_default();
            if text.contains(wanted) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it does not say {wanted}")
    }

    #[tokio::test]
    async fn its_output_is_kept_and_its_end_told_as_of_a_container() {
        let program = shell("echo $WORD; echo too >&2; exit 3");
        assert_eq!(Process::start(&program).unwrap().ended().await, End { code: 3 });
        assert_eq!(said(&program, "too").await, "said\ntoo\n");
        let killed = shell("kill -9 $$");
        assert_eq!(Process::start(&killed).unwrap().ended().await.code, 137);
        for program in [program, killed] {
            std::fs::remove_dir_all(program.registry).unwrap();
        }
    }

    #[tokio::test]
    async fn what_the_caller_has_set_for_others_is_left_out() {
        let program = shell("echo \"[$HOME]\" ${PATH:+there}");
        Process::start(&program).unwrap().ended().await;
        assert_eq!(said(&program, "there").await, "[] there\n");
        std::fs::remove_dir_all(program.registry).unwrap();
    }

    #[tokio::test]
    async fn a_number_that_is_free_again_is_no_group_of_the_run_any_more() {
        let program = shell("exit 0");
        let mut process = Process::start(&program).unwrap();
        let groups = || std::fs::read_dir(&program.registry).unwrap().flatten().filter(is_group).count();
        assert_eq!(groups(), 1);
        process.ended().await;
        assert_eq!(groups(), 0);
        std::fs::remove_dir_all(&program.registry).unwrap();
    }

    fn is_group(file: &std::fs::DirEntry) -> bool {
        file.file_name().to_string_lossy().starts_with("group-")
    }

    #[tokio::test]
    async fn sigterm_reaches_the_process_alone_and_sigkill_all_of_it() {
        let heeds = shell("trap 'echo heard; exit 0' TERM; echo up; while :; do sleep 0.05; done");
        let mut process = Process::start(&heeds).unwrap();
        said(&heeds, "up").await;
        assert_eq!(process.stop(Duration::from_mins(1)).await, End { code: 0 });
        let deaf = shell("trap '' TERM; sleep 300 & echo $! up; wait; wait");
        let mut process = Process::start(&deaf).unwrap();
        let child = said(&deaf, "up").await;
        let child = PathBuf::from("/proc").join(child.split(' ').next().unwrap());
        assert!(child.exists());
        assert_eq!(process.stop(Duration::from_millis(200)).await.code, 137);
        while std::fs::read_to_string(child.join("stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for program in [heeds, deaf] {
            std::fs::remove_dir_all(program.registry).unwrap();
        }
    }
}
