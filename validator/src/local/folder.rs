//! The folder of a run, and what dead runs have left behind: a run lives as long as the lock in its folder is held.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::getuid;

use super::marked::{self, Ended};
use crate::config::MARK;
use crate::failure::Failure;

/// Of others: may pass, may not look. A database that runs as another user has its files below.
const PASS: u32 = 0o711;

/// Held while folders are made or removed, so that nobody takes a new one for a dead one.
const ALL: &str = "lock";

/// Held by the run itself.
const OWN: &str = "lock";

/// What the name of every run begins with.
const RUN: &str = "golive-";

/// Digits at the end of the name of every run.
const DIGITS: usize = 6;

/// Where all runs of this user have their folders.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

/// The folder of a run that lives; whoever has it may hold it until the process ends.
#[derive(Debug)]
pub struct RunFolder {
    root: Root,
    run: String,
    path: PathBuf,
    // Released by the kernel, however the process ends.
    _alive: File,
}

impl Root {
    /// In the machine's place for temporary files.
    ///
    /// # Errors
    /// Exit 3 when it cannot be made, or is somebody else's.
    pub fn usual() -> Result<Self, Failure> {
        Self::at(std::env::temp_dir().join(format!("golive-local-{}", getuid().as_raw())))
    }

    fn at(path: PathBuf) -> Result<Self, Failure> {
        let made = DirBuilder::new().recursive(true).mode(PASS).create(&path);
        let found = made.and_then(|()| fs::symlink_metadata(&path)).map_err(|e| cannot(&path, &e))?;
        if !found.is_dir() || found.uid() != getuid().as_raw() {
            return Err(Failure::environment(format!("{} is not a folder of yours", path.display()))
                .hint("set TMPDIR to a folder of your own"));
        }
        // The umask may have taken some of it.
        fs::set_permissions(&path, Permissions::from_mode(PASS)).map_err(|e| cannot(&path, &e))?;
        Ok(Self(path))
    }

    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// Exit 3 when it cannot be made.
    pub fn create(&self, run: &str) -> Result<RunFolder, Failure> {
        let path = self.0.join(run);
        let made = || {
            let _all = held(&self.0.join(ALL))?;
            DirBuilder::new().mode(PASS).create(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(PASS))?;
            held(&path.join(OWN))
        };
        let alive = made().map_err(|e| cannot(&path, &e))?;
        Ok(RunFolder { root: self.clone(), run: run.to_owned(), path, _alive: alive })
    }

    /// Waits until a run is dead, or gone. Its lock may outlive it for a moment: in a process that it was just about to
    /// start. Blocks.
    pub(super) fn wait_for_end(&self, run: &str) {
        // Without a lock there is nothing to wait for.
        File::open(self.0.join(run).join(OWN)).and_then(|lock| lock.lock()).ok();
    }

    /// Ends the processes and removes the folders of runs that are dead; says what there was. Blocks.
    ///
    /// # Errors
    /// Exit 3 when the folder cannot be read.
    pub fn sweep(&self) -> Result<Vec<String>, Failure> {
        let all = held(&self.0.join(ALL)).map_err(|e| cannot(&self.0, &e))?;
        let mut told = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(|e| cannot(&self.0, &e))?.flatten() {
            let (path, run) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            // What no run has made is somebody's, whatever it is.
            if !is_run(&run) || !path.is_dir() || !is_dead(&path) {
                continue;
            }
            let Ended { found, left } = marked::end_all(&run, &path);
            if !left.is_empty() {
                told.push(format!("{run}: {}", stays(&path, &left)));
                continue;
            }
            fs::remove_dir_all(&path).map_err(|e| cannot(&path, &e))?;
            told.push(format!("{run}: {found} processes ended, its folder removed"));
        }
        drop(all);
        Ok(told)
    }
}

impl RunFolder {
    /// Where files of the run go.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name that its processes are marked with.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// What every process of the run carries.
    pub fn mark(&self) -> (&'static str, &str) {
        (MARK, &self.run)
    }

    /// Ends what still runs and removes everything. Blocks.
    ///
    /// # Errors
    /// Exit 3 when something cannot be removed, or a process cannot be ended: then the folder stays.
    pub fn remove(self) -> Result<(), Failure> {
        let _all = held(&self.root.0.join(ALL)).map_err(|e| cannot(&self.path, &e))?;
        let left = marked::end_all(&self.run, &self.path).left;
        if !left.is_empty() {
            return Err(Failure::environment(stays(&self.path, &left)));
        }
        fs::remove_dir_all(&self.path).map_err(|e| cannot(&self.path, &e))
    }
}

/// Opens a lock and waits until it is ours.
fn held(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Whether a folder is called as those of runs are.
fn is_run(name: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let parts = name.strip_prefix(RUN).and_then(|rest| rest.rsplit_once('-'));
    parts.is_some_and(|(_, digits)| digits.len() == DIGITS && digits.bytes().all(digit))
}

/// Whether nobody holds its lock; a folder without one is half a removal. What cannot be told is not dead.
fn is_dead(path: &Path) -> bool {
    match File::open(path.join(OWN)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// What there is to do where processes are left.
fn stays(path: &Path, left: &[i32]) -> String {
    let pids: Vec<String> = left.iter().map(ToString::to_string).collect();
    let pids = pids.join(" ");
    format!(
        "processes {pids} could not be ended, as those of another user or of a device that does not answer; {} stays; as root: kill -9 {pids}; the next run removes the folder",
        path.display()
    )
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::environment(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use std::path::Path;

    use super::{Root, stays};

    fn root() -> Root {
        Root::at(std::env::temp_dir().join(format!("golive-test-{}", uuid::Uuid::new_v4()))).unwrap()
    }

    #[test]
    fn a_dead_run_is_swept_with_its_processes_and_a_living_one_is_not() {
        let root = root();
        let (dead, alive) =
            (root.create("golive-a-00000a").unwrap(), root.create("golive-b-00000b").unwrap());
        let sleeper = |(mark, run): (&str, &str)| {
            Command::new("sleep").arg("300").env(mark, run).stdin(Stdio::null()).spawn().unwrap()
        };
        let (mut left, mut working) = (sleeper(dead.mark()), sleeper(alive.mark()));
        assert!(root.sweep().unwrap().is_empty(), "both live");
        let path = dead.path().to_owned();
        drop(dead); // as a process does that is killed
        // A process that another test is just about to start holds the lock a moment longer.
        root.wait_for_end(path.file_name().unwrap().to_str().unwrap());
        let told = root.sweep().unwrap();
        assert!(told.len() == 1 && told[0].contains("1 processes"), "{told:?}");
        assert!(!path.exists() && alive.path().exists());
        left.wait().unwrap();
        assert_eq!(working.try_wait().unwrap(), None);
        alive.remove().unwrap();
        working.wait().unwrap();
        std::fs::remove_dir_all(root.0).unwrap();
    }

    #[test]
    fn who_is_left_is_told_with_what_to_do() {
        let told = stays(Path::new("/tmp/golive-a-00000a"), &[7, 12]);
        assert!(told.contains("/tmp/golive-a-00000a stays") && told.contains("kill -9 7 12"), "{told}");
    }

    #[test]
    fn what_no_run_has_made_and_what_cannot_be_read_is_left_alone() {
        let root = root();
        for name in ["documents", "golive-notes", "golive-notes-2026", "golive-a-00000A"] {
            std::fs::create_dir(root.0.join(name)).unwrap();
        }
        // A link to itself cannot be opened, and is no sign that somebody is dead.
        let unreadable = root.0.join("golive-a-00000b");
        std::fs::create_dir(&unreadable).unwrap();
        std::os::unix::fs::symlink("lock", unreadable.join("lock")).unwrap();
        std::fs::create_dir(root.0.join("golive-a-00000c")).unwrap(); // half a removal
        let told = root.sweep().unwrap();
        assert!(told.len() == 1 && told[0].contains("golive-a-00000c"), "{told:?}");
        assert_eq!(std::fs::read_dir(&root.0).unwrap().count(), 6, "and the lock");
        std::fs::remove_dir_all(root.0).unwrap();
    }
}
