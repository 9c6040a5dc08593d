//! Throw-away data stores: a Postgres and a Redis for one run, gone with its folder.

mod owner;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::owner::{Kind, Owner};
use super::port::Port;
use super::process::Process;
use super::{RunFolder, programs};
use crate::failure::Failure;

/// How long one answer may need.
const ANSWER: Duration = Duration::from_secs(1);

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
    /// Starts a Postgres with one empty database for the dependency of this name, and runs the statements of a file in it, if
    /// there is one.
    ///
    /// # Errors
    /// Exit 2 when its programs are missing or the file is wrong, exit 3 when it does not start.
    pub(super) async fn postgres(
        folder: &RunFolder,
        name: &str,
        seed: Option<&Path>,
    ) -> Result<Self, Failure> {
        let server = programs::find("postgres", POSTGRES)?;
        let owner = Owner::of(folder, name, Kind::Postgres)?;
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

    /// Starts an empty Redis for the dependency of this name.
    ///
    /// # Errors
    /// Exit 2 when its program is missing, exit 3 when it does not start.
    pub(super) async fn redis(folder: &RunFolder, name: &str) -> Result<Self, Failure> {
        let server = programs::find("redis-server", REDIS)?;
        let owner = Owner::of(folder, name, Kind::Redis)?;
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
        let (postgres, redis) =
            tokio::join!(Store::postgres(&run, "main", Some(&seed)), Store::redis(&run, "redis"));
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
        let postmaster = std::fs::read_to_string(path.join("store-main/data/postmaster.pid")).unwrap();
        let postmaster = postmaster.lines().next().unwrap();
        assert_eq!(segments(postmaster), 1, "it has some shared memory");
        let url = postgres.url.clone();
        drop(postgres);
        tokio::task::spawn_blocking(|| run.remove()).await.unwrap().unwrap();
        assert!(!path.exists() && answers(address, b"PING\r\n").await.is_none());
        assert!(PgConnection::connect(&url).await.is_err());
        assert_eq!(segments(postmaster), 0, "it has given it back");
    }

    #[tokio::test]
    async fn two_stores_of_a_kind_have_folders_of_their_own_whatever_they_are_called() {
        let root = Root::usual().unwrap();
        let run = root.create(&format!("golive-store-{:06x}", fastrand::u32(0..0x0100_0000))).unwrap();
        let (one, two) = tokio::join!(Store::redis(&run, "cache"), Store::redis(&run, "../cache"));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one.url, two.url);
        for store in [&one, &two] {
            let address: SocketAddr = store.url.rsplit_once('@').unwrap().1.parse().unwrap();
            assert_eq!(answers(address, b"PING\r\n").await, Some(b'-'), "it wants its password");
        }
        drop((one, two));
        tokio::task::spawn_blocking(|| run.remove()).await.unwrap().unwrap();
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
        let told = Store::postgres(&run, "main", Some(&seed)).await.err().unwrap();
        assert!(told.to_string().contains("nonsense"), "{told}");
        assert_eq!(told.exit(), crate::exit::Exit::Usage);
        tokio::task::spawn_blocking(|| run.remove()).await.unwrap().unwrap();
    }
}
