//! Throw-away data stores: a Postgres and a Redis for one run, gone with its folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, getuid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::port::Port;
use super::process::{Process, Program};
use super::{RunFolder, programs};
use crate::failure::Failure;

/// How long a store may need until it answers.
const START: Duration = Duration::from_mins(1);

/// How long its files, or the rows of a seed, may need.
const AT_MOST: Duration = Duration::from_mins(5);

/// How long one answer may need.
const ANSWER: Duration = Duration::from_secs(1);

/// How often it is asked until then.
const PERIOD: Duration = Duration::from_millis(50);

/// The user, and the database, of a throw-away Postgres.
const NAME: &str = "golive";

/// Debian's packages.
const POSTGRES: &str = "postgresql";
const REDIS: &str = "redis-server";

/// A running store; it ends with this value.
pub(super) struct Store {
    /// What a client connects with; its password is of this run alone.
    pub(super) url: String,
    _server: Process,
    _port: Port,
}

impl Store {
    /// Starts a Postgres with one empty database, and runs the statements of a file in it, if there is one.
    ///
    /// # Errors
    /// Exit 2 when its programs are missing or the file is wrong, exit 3 when it does not start.
    pub(super) async fn postgres(folder: &RunFolder, seed: Option<&Path>) -> Result<Self, Failure> {
        let server = programs::find("postgres", POSTGRES)?;
        let owner = Owner::of(folder, "postgres")?;
        let password = password();
        let data = owner.cluster(&password).await?;
        let held = Port::free()?;
        let address = SocketAddr::from(([127, 0, 0, 1], held.number));
        let port = format!("port={}", address.port());
        let settings = [
            port.as_str(),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // What is thrown away need not survive anything; copies of a roll may hold many connections side by side.
            "fsync=off",
            "max_connections=300",
        ];
        let settings = settings.into_iter().flat_map(|setting| ["-c".into(), OsString::from(setting)]);
        let command = [server.into(), "-D".into(), data.into_os_string()].into_iter().chain(settings);
        let mut process = owner.start(command)?;
        owner
            .until(&mut process, "postgres", async || answers(address, POSTGRES_STARTUP).await == Some(b'R'))
            .await?;
        if let Some(seed) = seed {
            owner.seed(address, &password, seed).await?;
        }
        let url = format!("postgres://{NAME}:{password}@{address}/postgres");
        Ok(Self { url, _server: process, _port: held })
    }

    /// Starts an empty Redis.
    ///
    /// # Errors
    /// Exit 2 when its program is missing, exit 3 when it does not start.
    pub(super) async fn redis(folder: &RunFolder) -> Result<Self, Failure> {
        let server = programs::find("redis-server", REDIS)?;
        let owner = Owner::of(folder, "redis")?;
        let (password, held) = (password(), Port::free()?);
        let address = SocketAddr::from(([127, 0, 0, 1], held.number));
        // In a file, since a command line is for everybody to read.
        let settings = format!(
            "port {}\nbind 127.0.0.1\nrequirepass {password}\nsave \"\"\nappendonly no\ndir \"{}\"\n",
            held.number,
            owner.folder.display()
        );
        let settings = owner.write("redis.conf", settings.as_bytes())?;
        let command = [server.into_os_string(), settings.into_os_string()];
        let mut process = owner.start(command.into_iter())?;
        let auth = format!("AUTH {password}\r\n");
        owner
            .until(&mut process, "redis-server", async || {
                answers(address, auth.as_bytes()).await == Some(b'+')
            })
            .await?;
        Ok(Self { url: format!("redis://:{password}@{address}"), _server: process, _port: held })
    }
}

/// Nobody else on this machine has it.
fn password() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A startup message of protocol 3.0 for our user: an `R` is the answer of a server that asks for its password.
const POSTGRES_STARTUP: &[u8] = b"\0\0\0\x27\0\x03\0\0user\0golive\0database\0postgres\0\0";

/// The first byte of the answer, if it comes at once.
async fn answers(address: SocketAddr, question: &[u8]) -> Option<u8> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(question).await.ok()?;
        stream.read_u8().await.ok()
    };
    timeout(ANSWER, asked).await.ok()?
}

/// Whose files a store has: ours, or those of Debian's user where we are root, as which Postgres does not run.
struct Owner {
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    registry: PathBuf,
    last: Signal,
    user: Option<(u32, u32)>,
}

impl Owner {
    fn of(run: &RunFolder, name: &str) -> Result<Self, Failure> {
        let folder = run.path().join(name);
        let (mark, value) = run.mark();
        let is_postgres = name == "postgres";
        let user = if getuid().is_root() && is_postgres { Some(account(name)?) } else { None };
        // Told to quit, a Postgres gives its shared memory back; killed, it does not.
        let last = if is_postgres { Signal::QUIT } else { Signal::KILL };
        let made = std::fs::create_dir(&folder)
            .and_then(|()| std::fs::set_permissions(&folder, Permissions::from_mode(0o700)))
            .and_then(|()| user.map_or(Ok(()), |(user, group)| chown(&folder, Some(user), Some(group))));
        made.map_err(|e| Failure::environment(format!("{}: {e}", folder.display())))?;
        let (registry, variables) =
            (run.path().to_owned(), BTreeMap::from([(mark.to_owned(), value.to_owned())]));
        Ok(Self { folder, variables, registry, last, user })
    }

    /// Makes the files of a Postgres that lets in who has the password: as it is, since it leaves this machine by no wire,
    /// and to prove that one knows it (SCRAM) costs either side as much as a hundred statements.
    async fn cluster(&self, password: &str) -> Result<PathBuf, Failure> {
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
    fn write(&self, name: &str, text: &[u8]) -> Result<PathBuf, Failure> {
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

    fn start(&self, command: impl Iterator<Item = OsString>) -> Result<Process, Failure> {
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
    async fn until(
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

    async fn seed(&self, address: SocketAddr, password: &str, file: &Path) -> Result<(), Failure> {
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
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let last = log.lines().rev().take(5).collect::<Vec<_>>();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Failure::environment(format!("{what}: {}", last.join(" / ")))
    }
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
            .hint("run this as an ordinary user, or name a database of your own by its URL")
    })
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, PgConnection};

    use super::*;
    use crate::local::Root;

    #[tokio::test]
    async fn stores_start_from_nothing_with_the_rows_of_the_seed_and_go_with_the_run() {
        let root = Root::usual().unwrap();
        let run = root.create(&format!("golive-store-{:06x}", fastrand::u32(0..0x0100_0000))).unwrap();
        let seed = run.path().join("given.sql");
        std::fs::write(&seed, "CREATE TABLE users (id int); INSERT INTO users VALUES (7);").unwrap();
        let (postgres, redis) = tokio::join!(Store::postgres(&run, Some(&seed)), Store::redis(&run));
        let (postgres, redis) = (postgres.unwrap(), redis.unwrap());
        let mut connection = PgConnection::connect(&postgres.url).await.unwrap();
        let found: i32 = sqlx::query_scalar("SELECT id FROM users").fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, 7);
        let address: SocketAddr = redis.url.rsplit_once('@').unwrap().1.parse().unwrap();
        assert_eq!(answers(address, b"DBSIZE\r\n").await, Some(b'-'), "without its password");
        let stranger = format!("postgres://{NAME}@{}", postgres.url.rsplit_once('@').unwrap().1);
        assert!(PgConnection::connect(&stranger).await.is_err(), "the same");
        let encoding: String =
            sqlx::query_scalar("SHOW server_encoding").fetch_one(&mut connection).await.unwrap();
        assert_eq!(encoding, "UTF8");
        let path = run.path().to_owned();
        let postmaster = std::fs::read_to_string(path.join("postgres/data/postmaster.pid")).unwrap();
        let postmaster = postmaster.lines().next().unwrap();
        assert_eq!(segments(postmaster), 1, "it has some shared memory");
        let url = postgres.url.clone();
        drop(postgres);
        tokio::task::spawn_blocking(|| run.remove()).await.unwrap().unwrap();
        assert!(!path.exists() && answers(address, b"PING\r\n").await.is_none());
        assert!(PgConnection::connect(&url).await.is_err());
        assert_eq!(segments(postmaster), 0, "it has given it back");
    }

    /// Segments of shared memory that a process has made and that are still there (proc_sysvipc_shm(5)).
    fn segments(pid: &str) -> usize {
        let all = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
        all.lines().filter(|line| line.split_whitespace().nth(4) == Some(pid)).count()
    }

    #[tokio::test]
    async fn a_seed_that_fails_is_told_with_what_the_database_said() {
        let root = Root::usual().unwrap();
        let run = root.create(&format!("golive-store-{:06x}", fastrand::u32(0..0x0100_0000))).unwrap();
        let seed = run.path().join("given.sql");
        std::fs::write(&seed, "CREATE TABLE users (id nonsense);").unwrap();
        let told = Store::postgres(&run, Some(&seed)).await.err().unwrap();
        assert!(told.to_string().contains("nonsense"), "{told}");
        assert_eq!(told.exit(), crate::exit::Exit::Usage);
        tokio::task::spawn_blocking(|| run.remove()).await.unwrap().unwrap();
    }
}
