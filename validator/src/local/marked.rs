//! The processes of a run, known by a variable that all of them inherit: no list of numbers that others may have by now.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The variable; its value is the run's name.
pub(super) const MARK: &str = "GOLIVE_LOCAL_RUN";

/// How long a database may take for an end that gives its shared memory back.
const ORDERLY: u32 = 100;

/// Looks until everything has to be gone, at most.
const LOOKS: u32 = 250;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(20);

/// Ends every process of a run, whatever group it has moved to, and waits for it; says how many there were at first.
/// Blocks for at most [`LOOKS`] times [`PERIOD`].
#[expect(clippy::disallowed_methods, reason = "called on a thread that may block")]
pub(super) fn end_all(run: &str) -> usize {
    let first = of(run);
    for look in 0..LOOKS {
        let left = of(run);
        for process in &left {
            // One that is gone meanwhile needs no signal; one of another user is not ours to end.
            kill_process(process.pid, process.last_signal(look)).ok();
        }
        if left.is_empty() {
            break;
        }
        std::thread::sleep(PERIOD);
    }
    first.len()
}

struct Marked {
    pid: Pid,
    is_postgres: bool,
}

impl Marked {
    /// Postgres gives its shared memory back when it is told to quit, and only then.
    fn last_signal(&self, look: u32) -> Signal {
        if self.is_postgres && look < ORDERLY { Signal::QUIT } else { Signal::KILL }
    }
}

/// All processes that we may look at and that carry the mark.
fn of(run: &str) -> Vec<Marked> {
    let wanted = format!("{MARK}={run}");
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = entries.filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let variables = std::fs::read(entry.path().join("environ")).ok()?;
        variables.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes()).then_some(())?;
        let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        Some(Marked { pid, is_postgres: name.trim_end() == "postgres" })
    });
    marked.collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{MARK, end_all};

    fn sleeper(run: &str) -> std::process::Child {
        // The shell's child moves to a session of its own, as daemons do.
        let mut shell = Command::new("sh");
        shell.args(["-c", "setsid sleep 300 & sleep 300"]).env(MARK, run);
        shell.stdin(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn what_left_its_group_is_found_and_another_run_is_left_alone() {
        let (name, other) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
        let (mut one, mut two) = (sleeper(&name), sleeper(&other));
        while super::of(&name).len() < 3 || super::of(&other).len() < 3 {
            std::thread::yield_now();
        }
        assert_eq!(end_all(&name), 3);
        one.wait().unwrap();
        assert!(super::of(&name).is_empty());
        assert_eq!(two.try_wait().unwrap(), None, "it is of another run");
        assert_eq!(end_all(&other), 3);
        two.wait().unwrap();
    }
}
