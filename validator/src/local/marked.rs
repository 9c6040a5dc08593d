//! The processes of a run, also when whoever started them is gone: known by a variable that all of them inherit, and by
//! the groups that they were started in, since some write their title over their variables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use crate::config::MARK;

/// What the file of a group is called, before its number; in it stands where its first process was started, and when.
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
    // One that is gone already has left nothing to find.
    let Some(stat) = Stat::read(leader.as_raw_nonzero().get()) else { return Ok(()) };
    fs::write(file(registry, leader), format!("{} {}", numbers()?, stat.started))
}

/// Takes back what [`register`] has left, for a group that is empty: from now on its number may be anybody's.
pub(super) fn forget(registry: &Path, leader: Pid) {
    fs::remove_file(file(registry, leader)).ok(); // the whole folder may be gone
}

fn file(registry: &Path, leader: Pid) -> PathBuf {
    registry.join(format!("{GROUP}{}", leader.as_raw_nonzero()))
}

/// Whose numbers these are: since which boot, and in which namespace (pid_namespaces(7)).
fn numbers() -> io::Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let namespace = fs::read_link("/proc/self/ns/pid")?;
    Ok(format!("{} {}", boot.trim(), namespace.display()))
}

/// What became of the processes of a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// How many there were at first.
    pub(super) found: usize,
    /// The numbers of those that are there all the same.
    pub(super) left: Vec<i32>,
}

/// Ends every process of a run and waits for it, but for those of another user, which it may not end. Blocks for at most
/// [`LOOKS`] times [`PERIOD`].
#[expect(clippy::disallowed_methods, reason = "called on a thread that may block")]
pub(super) fn end_all(run: &str, registry: &Path) -> Ended {
    let numbers = numbers().unwrap_or_default();
    let there = || of(run, &groups(registry, &numbers));
    let found = there().len();
    let mut refused: BTreeMap<i32, u64> = BTreeMap::new();
    for look in 0..LOOKS {
        let mut left = there();
        // While its leader is there, a group is known: it goes last.
        left.sort_by_key(|process| process.leads);
        let is_refused = |process: &&Marked| process.end(look) == Err(Errno::PERM);
        let (others, ours): (Vec<&Marked>, Vec<&Marked>) = left.iter().partition(is_refused);
        refused.extend(others.iter().map(|process| (process.number(), process.started)));
        if ours.is_empty() {
            break;
        }
        std::thread::sleep(PERIOD);
    }
    // Those are remembered: without its leader nobody knows a group.
    refused.extend(there().iter().map(|process| (process.number(), process.started)));
    refused.retain(|number, started| is_there(*number, *started));
    Ended { found, left: refused.into_keys().collect() }
}

struct Marked {
    pid: Pid,
    started: u64,
    /// Whether it leads its group.
    leads: bool,
    is_postgres: bool,
}

impl Marked {
    /// One that is gone meanwhile, and whose number may be another's now, gets no signal; one of another user is not ours
    /// to end.
    fn end(&self, look: u32) -> Result<(), Errno> {
        let process = pidfd_open(self.pid, PidfdFlags::empty())?;
        // Whoever has the number now is the one that is held.
        if !is_there(self.number(), self.started) {
            return Err(Errno::SRCH);
        }
        pidfd_send_signal(process, self.last_signal(look))
    }

    fn number(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Postgres gives its shared memory back when it is told to quit, and only then.
    fn last_signal(&self, look: u32) -> Signal {
        if self.is_postgres && look < ORDERLY { Signal::QUIT } else { Signal::KILL }
    }
}

/// What the kernel says of a process (proc_pid_stat(5)).
struct Stat {
    name: String,
    is_dead: bool,
    parent: i32,
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
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

/// Whether the process with this number still is the one that was started then.
fn is_there(number: i32, started: u64) -> bool {
    Stat::read(number).is_some_and(|stat| !stat.is_dead && stat.started == started)
}

/// The groups that were left here, and whose leaders still are there, if only to be waited for. Without its leader a group
/// may be somebody else's: then the mark tells.
fn groups(registry: &Path, numbers: &str) -> Vec<i32> {
    let files = fs::read_dir(registry).into_iter().flatten().flatten();
    let groups = files.filter_map(|file| {
        let number: i32 = file.file_name().to_str()?.strip_prefix(GROUP)?.parse().ok()?;
        let text = fs::read_to_string(file.path()).ok()?;
        let (of, started) = text.rsplit_once(' ')?;
        let leader = Stat::read(number).filter(|_| of == numbers)?;
        (leader.started == started.parse::<u64>().ok()?).then_some(number)
    });
    groups.collect()
}

/// This process and all that it comes from: none of them is ever one that a run has left.
fn ancestry() -> BTreeSet<i32> {
    let own = getpid().as_raw_nonzero().get();
    std::iter::successors(Some(own), |number| Some(Stat::read(*number)?.parent)).collect()
}

/// All processes that carry the mark or are in one of these groups.
fn of(run: &str, groups: &[i32]) -> Vec<Marked> {
    let (wanted, ancestry) = (format!("{MARK}={run}"), ancestry());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = entries.filter_map(|entry| {
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = Stat::read(number).filter(|stat| !stat.is_dead && !ancestry.contains(&number))?;
        // Those of others cannot be read.
        let variables = fs::read(entry.path().join("environ")).unwrap_or_default();
        let carries = variables.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes());
        let (leads, is_postgres) = (stat.group == number, stat.name == "postgres");
        let process = Marked { pid: Pid::from_raw(number)?, started: stat.started, leads, is_postgres };
        (carries || groups.contains(&stat.group)).then_some(process)
    });
    marked.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};

    use rustix::process::kill_process_group;

    use super::*;

    fn started(shell: &mut Command) -> Child {
        shell.stdin(Stdio::null()).spawn().unwrap()
    }

    /// A shell whose child moves to a session of its own, as daemons do.
    fn daemon(run: &str) -> Child {
        started(Command::new("sh").args(["-c", "setsid sleep 300 & sleep 300"]).env(MARK, run))
    }

    fn until(what: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_mins(1);
        while !what() {
            assert!(std::time::Instant::now() < deadline);
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
        assert_eq!(end_all(&name, &nothing), Ended { found: 3, left: Vec::new() });
        one.wait().unwrap();
        assert_eq!(two.try_wait().unwrap(), None, "it is of another run");
        assert_eq!(end_all(&other, &nothing).found, 3);
        two.wait().unwrap();
        fs::remove_dir_all(nothing).unwrap();
    }

    #[test]
    fn what_hides_its_variables_is_found_by_its_group_while_its_leader_is_there() {
        let registry = registry();
        let mut hidden = started(Command::new("sh").args(["-c", "sleep 300 & sleep 300"]).process_group(0));
        let leader = Pid::from_child(&hidden);
        register(&registry, leader).unwrap();
        until(|| of("no-such-run", &[leader.as_raw_nonzero().get()]).len() == 3);
        assert_eq!(end_all("no-such-run", &registry), Ended { found: 3, left: Vec::new() });
        hidden.wait().unwrap();
        fs::remove_dir_all(registry).unwrap();
    }

    #[test]
    fn a_group_whose_number_may_be_somebody_elses_now_is_left_alone() {
        let registry = registry();
        let sleeper = || started(Command::new("sleep").arg("300").process_group(0));
        let (mut later, mut elsewhere, mut forgotten) = (sleeper(), sleeper(), sleeper());
        let mut shell =
            started(Command::new("sh").args(["-c", "sleep 300 & :"]).process_group(0).stdout(Stdio::null()));
        let [later_pid, elsewhere_pid, forgotten_pid, orphaned] =
            [&later, &elsewhere, &forgotten, &shell].map(Pid::from_child);
        let start = |pid: Pid| Stat::read(pid.as_raw_nonzero().get()).unwrap().started;
        let here = numbers().unwrap();
        fs::write(file(&registry, later_pid), format!("{here} {}", start(later_pid) - 1)).unwrap();
        fs::write(file(&registry, elsewhere_pid), format!("other-boot {}", start(elsewhere_pid))).unwrap();
        register(&registry, forgotten_pid).unwrap();
        forget(&registry, forgotten_pid);
        register(&registry, orphaned).unwrap();
        shell.wait().unwrap();
        assert_eq!(end_all("no-such-run", &registry), Ended { found: 0, left: Vec::new() });
        kill_process_group(orphaned, Signal::KILL).unwrap();
        for stranger in [&mut later, &mut elsewhere, &mut forgotten] {
            assert_eq!(stranger.try_wait().unwrap(), None);
            stranger.kill().unwrap();
            stranger.wait().unwrap();
        }
        fs::remove_dir_all(registry).unwrap();
    }

    #[test]
    fn whoever_looks_and_what_it_comes_from_are_none_of_a_run() {
        let own = getpid().as_raw_nonzero().get();
        let group = Stat::read(own).unwrap().group;
        let ancestry = ancestry();
        assert!(ancestry.len() > 2 && ancestry.contains(&own), "{ancestry:?}");
        let found = of("no-such-run", &[group]);
        assert!(found.iter().all(|process| !ancestry.contains(&process.pid.as_raw_nonzero().get())));
    }
}
