//! The processes of a run, also when whoever started them is gone: known by a variable that all of them inherit, and by
//! the groups that they were started in, since some write their title over their variables.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The variable; its value is the run's name.
pub(super) const MARK: &str = "GOLIVE_LOCAL_RUN";

/// What the file of a group is called, before its number; in it stands when its first process was started.
const GROUP: &str = "group-";

/// How long a database may take for an end that gives its shared memory back.
const ORDERLY: u32 = 100;

/// Looks until everything has to be gone, at most.
const LOOKS: u32 = 1_000;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(20);

/// Leaves the number of a process that leads its group, and when it was started: a number is used again, but not with the
/// same start.
pub(super) fn register(registry: &Path, leader: Pid) -> io::Result<()> {
    let number = leader.as_raw_nonzero().get();
    // One that has ended already has left nothing to find.
    let started = Stat::read(number).map_or(0, |stat| stat.started);
    fs::write(registry.join(format!("{GROUP}{number}")), started.to_string())
}

/// Ends every process of a run and waits for it; says how many there were at first. Blocks for at most [`LOOKS`] times
/// [`PERIOD`].
#[expect(clippy::disallowed_methods, reason = "called on a thread that may block")]
pub(super) fn end_all(run: &str, registry: &Path) -> usize {
    let groups = groups(registry);
    let first = of(run, &groups);
    for look in 0..LOOKS {
        let left = of(run, &groups);
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

/// What the kernel says of a process (proc_pid_stat(5)).
struct Stat {
    name: String,
    is_dead: bool,
    group: i32,
    started: u64,
}

impl Stat {
    fn read(number: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // The name stands in parentheses, and may hold some.
        let (before, after) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        Some(Self {
            name: before.split_once('(')?.1.to_owned(),
            is_dead: matches!(*fields.first()?, "Z" | "X"),
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

/// The groups that were left here and are still the same: the number of a group is not given to another process while
/// somebody is in it.
fn groups(registry: &Path) -> Vec<i32> {
    let files = fs::read_dir(registry).into_iter().flatten().flatten();
    let groups = files.filter_map(|file| {
        let number: i32 = file.file_name().to_str()?.strip_prefix(GROUP)?.parse().ok()?;
        let started: u64 = fs::read_to_string(file.path()).ok()?.parse().ok()?;
        Stat::read(number).is_none_or(|leader| leader.started == started).then_some(number)
    });
    groups.collect()
}

/// All processes that carry the mark or are in one of these groups.
fn of(run: &str, groups: &[i32]) -> Vec<Marked> {
    let wanted = format!("{MARK}={run}");
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = entries.filter_map(|entry| {
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = Stat::read(number).filter(|stat| !stat.is_dead)?;
        // Those of others cannot be read.
        let variables = fs::read(entry.path().join("environ")).unwrap_or_default();
        let carries = variables.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes());
        let is_postgres = stat.name == "postgres";
        (carries || groups.contains(&stat.group))
            .then_some(Marked { pid: Pid::from_raw(number)?, is_postgres })
    });
    marked.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn started(shell: &mut Command) -> Child {
        shell.stdin(Stdio::null()).spawn().unwrap()
    }

    /// A shell whose child moves to a session of its own, as daemons do.
    fn daemon(run: &str) -> Child {
        started(Command::new("sh").args(["-c", "setsid sleep 300 & sleep 300"]).env(MARK, run))
    }

    fn until(what: impl Fn() -> bool) {
        while !what() {
            std::thread::yield_now();
        }
    }

    fn registry() -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("golive-test-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn what_left_its_group_is_found_and_another_run_is_left_alone() {
        let (name, other) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
        let (mut one, mut two, nothing) = (daemon(&name), daemon(&other), registry());
        until(|| of(&name, &[]).len() == 3 && of(&other, &[]).len() == 3);
        assert_eq!(end_all(&name, &nothing), 3);
        one.wait().unwrap();
        assert_eq!(two.try_wait().unwrap(), None, "it is of another run");
        assert_eq!(end_all(&other, &nothing), 3);
        two.wait().unwrap();
        fs::remove_dir_all(nothing).unwrap();
    }

    #[test]
    fn what_hides_its_variables_is_found_by_its_group_unless_the_number_is_somebody_elses_now() {
        let registry = registry();
        let mut hidden = started(Command::new("sleep").arg("300").process_group(0));
        let leader = Pid::from_child(&hidden);
        register(&registry, leader).unwrap();
        let mut other = started(Command::new("sleep").arg("300").process_group(0));
        let number = Pid::from_child(&other).as_raw_nonzero();
        fs::write(registry.join(format!("{GROUP}{number}")), "1").unwrap(); // started long before it
        assert_eq!(end_all("no-such-run", &registry), 1);
        hidden.wait().unwrap();
        assert_eq!(other.try_wait().unwrap(), None);
        other.kill().unwrap();
        other.wait().unwrap();
        fs::remove_dir_all(registry).unwrap();
    }
}
