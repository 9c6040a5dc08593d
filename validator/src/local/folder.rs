//! The folder of a run, and what dead runs have left behind: a run lives as long as the lock in its folder is held.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::getuid;

use super::marked;
use crate::failure::Failure;

/// Of others: may pass, may not look. A database that runs as another user has its files below.
const PASS: u32 = 0o711;

/// Held while folders are made or removed, so that nobody takes a new one for a dead one.
const ALL: &str = "lock";

/// Held by the run itself.
const OWN: &str = "lock";

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

    /// At a place of one's own.
    ///
    /// # Errors
    /// As [`Self::usual`].
    pub fn at(path: PathBuf) -> Result<Self, Failure> {
        let made = DirBuilder::new().recursive(true).mode(PASS).create(&path);
        let found = made.and_then(|()| fs::symlink_metadata(&path)).map_err(|e| cannot(&path, &e))?;
        if !found.is_dir() || found.uid() != getuid().as_raw() {
            return Err(Failure::environment(format!("{} is not a folder of yours", path.display()))
                .hint("set TMPDIR to a folder of your own"));
        }
        Ok(Self(path))
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.0
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
            if !path.is_dir() || !is_dead(&path) {
                continue;
            }
            let ended = marked::end_all(&run, &path);
            fs::remove_dir_all(&path).map_err(|e| cannot(&path, &e))?;
            told.push(format!("{run}: {ended} processes ended, its folder removed"));
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

    /// Where all runs have their folders.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The name that its processes are marked with.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// What every process of the run carries.
    pub fn mark(&self) -> (&'static str, &str) {
        (marked::MARK, &self.run)
    }

    /// Ends what still runs and removes everything. Blocks.
    ///
    /// # Errors
    /// Exit 3 when something cannot be removed.
    pub fn remove(self) -> Result<(), Failure> {
        let _all = held(&self.root.0.join(ALL)).map_err(|e| cannot(&self.path, &e))?;
        marked::end_all(&self.run, &self.path);
        fs::remove_dir_all(&self.path).map_err(|e| cannot(&self.path, &e))
    }
}

/// Opens a lock and waits until it is ours.
fn held(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Whether nobody holds its lock; a folder without one is half a removal.
fn is_dead(path: &Path) -> bool {
    File::open(path.join(OWN)).map_or(true, |lock| lock.try_lock().is_ok())
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::environment(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::Root;

    fn root() -> Root {
        Root::at(std::env::temp_dir().join(format!("golive-test-{}", uuid::Uuid::new_v4()))).unwrap()
    }

    #[test]
    fn a_dead_run_is_swept_with_its_processes_and_a_living_one_is_not() {
        let root = root();
        let name = || uuid::Uuid::new_v4().to_string();
        let (dead, alive) = (root.create(&name()).unwrap(), root.create(&name()).unwrap());
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
        std::fs::remove_dir_all(root.path()).unwrap();
    }
}
