//! Whose a throw-away store is, and where its files are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, getuid};
use tokio::time::{Instant, sleep, timeout};

use super::super::process::{Process, Program};
use super::super::said::last_lines;
use super::super::{RunFolder, programs};
use super::{NAME, POSTGRES};
use crate::failure::Failure;

/// How long a store may need until it answers.
const START: Duration = Duration::from_mins(1);

/// How long its files, or the rows of a seed, may need.
const AT_MOST: Duration = Duration::from_mins(5);

/// How often it is asked until then.
const PERIOD: Duration = Duration::from_millis(50);

/// What a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has shared memory, and does not run as root.
    Postgres,
    /// It has neither.
    Redis,
}

impl Kind {
    /// Told to quit, a Postgres gives its shared memory back; killed, it does not.
    fn last_signal(self) -> Signal {
        match self {
            Self::Postgres => Signal::QUIT,
            Self::Redis => Signal::KILL,
        }
    }

    /// Whom it runs as, if not as us.
    fn user(self) -> Result<Option<(u32, u32)>, Failure> {
        match self {
            Self::Postgres if getuid().is_root() => account("postgres").map(Some),
            Self::Postgres | Self::Redis => Ok(None),
        }
    }
}

/// Whose files a store has: ours, or those of Debian's user where we are root, as which Postgres does not run.
pub(super) struct Owner {
    /// Where they are.
    pub(super) folder: PathBuf,
    variables: BTreeMap<String, String>,
    registry: PathBuf,
    last: Signal,
    user: Option<(u32, u32)>,
}

impl Owner {
    /// Makes the folder of the store for one dependency.
    ///
    /// # Errors
    /// Exit 2 where nobody is there to run it as, exit 3 when the folder cannot be made.
    pub(super) fn of(run: &RunFolder, dependency: &str, kind: Kind) -> Result<Self, Failure> {
        let folder = run.path().join(folder_name(dependency));
        let (mark, value) = run.mark();
        let user = kind.user()?;
        let made = std::fs::create_dir(&folder)
            .and_then(|()| std::fs::set_permissions(&folder, Permissions::from_mode(0o700)))
            .and_then(|()| user.map_or(Ok(()), |(user, group)| chown(&folder, Some(user), Some(group))));
        made.map_err(|e| Failure::environment(format!("{}: {e}", folder.display())))?;
        let (registry, variables) =
            (run.path().to_owned(), BTreeMap::from([(mark.to_owned(), value.to_owned())]));
        Ok(Self { folder, variables, registry, last: kind.last_signal(), user })
    }

    /// Makes the files of a Postgres that lets in who has the password: as it is, since it leaves this machine by no wire,
    /// and to prove that one knows it (SCRAM) costs either side as much as a hundred statements.
    pub(super) async fn cluster(&self, password: &str) -> Result<PathBuf, Failure> {
        let (initdb, data) = (programs::find("initdb", POSTGRES)?, self.folder.join("data"));
        let password = self.write("password", password.as_bytes())?;
        let name = format!("--username={NAME}");
        let options = ["--auth=password", &name, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        let options = options.into_iter().map(OsString::from);
        let files =
            ["--pwfile".into(), password.into_os_string(), "-D".into(), data.clone().into_os_string()];
        let command = [initdb.into_os_string()].into_iter().chain(options).chain(files);
        self.finish(self.program(command), "initdb").await?;
        Ok(data)
    }

    /// Writes a file for the owner alone.
    pub(super) fn write(&self, name: &str, text: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        made.and_then(|mut file| file.write_all(text))
            .and_then(|()| self.user.map_or(Ok(()), |(user, group)| chown(&path, Some(user), Some(group))))
            .map_err(|e| Failure::environment(format!("{}: {e}", path.display())))?;
        Ok(path)
    }

    fn program(&self, command: impl Iterator<Item = OsString>) -> Program {
        let (command, variables) = (command.collect(), self.variables.clone());
        Program {
            command,
            variables,
            // What psql, initdb and the server read of the caller is not about this Postgres.
            without: Some("PG"),
            output: self.folder.join("log"),
            registry: self.registry.clone(),
            last: self.last,
            user: self.user,
        }
    }

    /// Starts what stands on this command line.
    pub(super) fn start(&self, command: impl Iterator<Item = OsString>) -> Result<Process, Failure> {
        start(&self.program(command))
    }

    /// Runs something to its end.
    async fn finish(&self, program: Program, name: &str) -> Result<(), Failure> {
        let mut process = start(&program)?;
        let late = |_| self.said(&format!("{name} did not end within {} s", AT_MOST.as_secs()));
        let end = timeout(AT_MOST, process.ended()).await.map_err(late)?;
        if end.code == 0 { Ok(()) } else { Err(self.said(&format!("{name} ended with {}", end.code))) }
    }

    /// Waits until a server answers.
    pub(super) async fn until(
        &self,
        server: &mut Process,
        name: &str,
        mut what: impl AsyncFnMut() -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            tokio::select! {
                // Somebody else may answer on a port that ours did not get.
                there = what() => if there && timeout(PERIOD, server.ended()).await.is_err() { return Ok(()) },
                end = server.ended() => return Err(self.said(&format!("{name} ended with {}", end.code))),
            }
            sleep(PERIOD).await;
        }
        Err(self.said(&format!("{name} does not answer within {} s", START.as_secs())))
    }

    /// Runs the statements of a file.
    pub(super) async fn seed(&self, address: SocketAddr, password: &str, file: &Path) -> Result<(), Failure> {
        let wrong = |e: std::io::Error| Failure::usage(format!("cannot read {}: {e}", file.display()));
        // The user who runs it may not be allowed to read where the file is.
        let copy = self.write("seed.sql", &std::fs::read(file).map_err(wrong)?)?;
        let url = format!("postgres://{NAME}@{address}/postgres");
        let psql = programs::find("psql", POSTGRES)?;
        let options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &url, "-f"].map(OsString::from);
        let command = [psql.into_os_string()].into_iter().chain(options).chain([copy.into_os_string()]);
        let mut program = self.program(command);
        program.variables.insert("PGPASSWORD".to_owned(), password.to_owned());
        let told = self.finish(program, "psql").await;
        told.map_err(|failure| Failure::usage(format!("--seed {}: {failure}", file.display())))
    }

    fn said(&self, what: &str) -> Failure {
        Failure::environment(format!("{what}: {}", last_lines(&self.folder.join("log"))))
    }
}

/// What the folder of a store is called: no two names give one, none leads out of the run's folder, and no file of the run is
/// called so.
fn folder_name(dependency: &str) -> String {
    let mut name = "store-".to_owned();
    for byte in dependency.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(char::from(byte));
        } else {
            write!(name, "%{byte:02x}").unwrap_or_default(); // a text takes everything
        }
    }
    name
}

fn start(program: &Program) -> Result<Process, Failure> {
    Process::start(program)
        .map_err(|e| Failure::environment(format!("{}: {e}", program.command[0].display())))
}

/// Number and group of a user of this machine.
fn account(name: &str) -> Result<(u32, u32), Failure> {
    let all = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        (*fields.first()? == name).then_some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    all.lines().find_map(of).ok_or_else(|| {
        Failure::usage(format!("Postgres does not run as root, and there is no user `{name}`"))
            .hint(format!("run this as an ordinary user, or {}", programs::OWN))
    })
}

#[cfg(test)]
mod tests {
    use super::folder_name;

    #[test]
    fn a_folder_is_called_like_its_dependency_and_stays_where_it_belongs() {
        assert_eq!(folder_name("cache-2"), "store-cache-2");
        assert_eq!(folder_name("../a b"), "store-%2e%2e%2fa%20b");
        assert_ne!(folder_name("a.b"), folder_name("a%2eb"));
    }
}
