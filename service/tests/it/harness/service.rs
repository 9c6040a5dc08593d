use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{Answer, Gate, Mode, eventually, free_port, get, postgres_port, redis_port, request, seconds};

/// The series of copies that reached Redis.
pub(crate) const WRITTEN: &str = r#"cache_writes_total{outcome="written"}"#;

/// A database and a Redis of its own for one test, each behind a gate.
pub(crate) struct World {
    pub(crate) postgres: Gate,
    pub(crate) redis: Gate,
    number: usize,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Mode::Forward, Mode::Forward).await
    }

    pub(crate) async fn with(postgres: Mode, redis: Mode) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let mut admin = Self::admin().await;
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE test_{number}"));
        sqlx::query(create).execute(&mut admin).await.unwrap();
        let postgres = Gate::before(postgres_port(), postgres).await;
        let redis = Gate::before(redis_port(), redis).await;
        Self { postgres, redis, number }
    }

    /// A direct connection to the server of all databases.
    pub(crate) async fn admin() -> sqlx::PgConnection {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", postgres_port());
        sqlx::PgConnection::connect(&url).await.unwrap()
    }

    /// A direct connection to the database, around the gate.
    pub(crate) async fn connect(&self) -> sqlx::PgConnection {
        sqlx::PgConnection::connect(&self.url()).await.unwrap()
    }

    /// The name of the database.
    #[allow(dead_code, reason = "not for the benchmarks")]
    pub(crate) fn database(&self) -> String {
        format!("test_{}", self.number)
    }

    /// The database, around the gate.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/test_{}", postgres_port(), self.number)
    }

    /// How many keys Redis holds, asked around the gate.
    #[allow(dead_code, reason = "not for the benchmarks")]
    pub(crate) async fn copies(&self) -> u64 {
        let answer = ask_redis(redis_port(), &format!("SELECT {}\r\nDBSIZE", self.number)).await;
        let size = answer.lines().find_map(|line| line.strip_prefix(':'));
        size.unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
    }

    /// The variables that lead a service here.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        self.variables(self.postgres.port, self.redis.port)
    }

    /// The same, around the gates.
    #[allow(dead_code, reason = "for the benchmarks")]
    pub(crate) fn direct(&self) -> Vec<(String, String)> {
        self.by_way_of(postgres_port())
    }

    /// The same, with something of the benchmark before Postgres.
    #[allow(dead_code, reason = "for the benchmarks")]
    pub(crate) fn by_way_of(&self, postgres: u16) -> Vec<(String, String)> {
        self.variables(postgres, redis_port())
    }

    fn variables(&self, postgres: u16, redis: u16) -> Vec<(String, String)> {
        let postgres = format!("postgres://postgres@127.0.0.1:{postgres}/test_{}", self.number);
        let redis = format!("redis://127.0.0.1:{redis}/{}", self.number);
        vec![("DATABASE_URL".to_owned(), postgres), ("REDIS_URL".to_owned(), redis)]
    }

    /// A service that is ready.
    pub(crate) async fn ready(&self, settings: &[(&str, &str)]) -> Service {
        let service = self.start(settings);
        service.until_ready().await;
        service
    }

    /// A service that has just been started.
    pub(crate) fn start(&self, settings: &[(&str, &str)]) -> Service {
        Service::start(self.environment(), settings)
    }
}

/// What this Redis says to the commands.
#[allow(dead_code, reason = "not for the benchmarks")]
pub(crate) async fn ask_redis(port: u16, commands: &str) -> String {
    let mut redis = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    redis.write_all(format!("{commands}\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    redis.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A running service; killed when dropped.
pub(crate) struct Service {
    pub(crate) port: u16,
    pub(crate) management: u16,
    pub(crate) child: Child,
    log: tempfile::NamedTempFile,
}

impl Service {
    pub(crate) fn start(environment: Vec<(String, String)>, settings: &[(&str, &str)]) -> Self {
        let flawed = settings.iter().any(|(name, _)| *name == "FLAW");
        let program = if flawed { env!("CARGO_BIN_EXE_users-flawed").into() } else { Self::program(None) };
        Self::run(Command::new(program), environment, settings)
    }

    /// One of the examples.
    pub(crate) fn example(name: &str, environment: Vec<(String, String)>, settings: &[(&str, &str)]) -> Self {
        Self::run(Command::new(Self::program(Some(name))), environment, settings)
    }

    /// The service itself, or one of the examples, which cargo builds beside it.
    pub(crate) fn program(example: Option<&str>) -> PathBuf {
        let service = Path::new(env!("CARGO_BIN_EXE_users"));
        example.map_or_else(|| service.to_owned(), |name| service.with_file_name("examples").join(name))
    }

    /// What `command` starts: one of the programs by way of another that takes its place.
    pub(crate) fn run(
        mut command: Command,
        environment: Vec<(String, String)>,
        settings: &[(&str, &str)],
    ) -> Self {
        let (port, management) = (free_port(), free_port());
        let log = tempfile::NamedTempFile::new().unwrap();
        let child = command
            .env_clear()
            .envs(environment)
            .env("PORT", port.to_string())
            .env("MANAGEMENT_PORT", management.to_string())
            .envs(settings.iter().copied())
            .stderr(Stdio::from(File::create(log.path()).unwrap()))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { port, management, child, log }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        get(self.port, path).await.unwrap_or_else(|| panic!("no answer; log:\n{}", self.log()))
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let answer = request(self.port, http::Method::POST, path, body, &[]).await;
        answer.unwrap_or_else(|| panic!("no answer; log:\n{}", self.log()))
    }

    /// `/ready` on the port of users, as the kubelet asks it; `None` while nothing listens.
    pub(crate) async fn readiness(&self) -> Option<Answer> {
        get(self.port, "/ready").await
    }

    pub(crate) async fn until_ready(&self) {
        eventually("ready", async || self.readiness().await.is_some_and(|answer| answer.status == 200)).await;
    }

    pub(crate) async fn until_unready(&self) {
        eventually("unready", async || self.readiness().await.is_some_and(|answer| answer.status == 503))
            .await;
    }

    pub(crate) async fn until_listening(&self) {
        eventually("listening", async || get(self.port, "/health").await.is_some()).await;
    }

    /// Reads user 1 until a copy is written: on a busy machine one may come too late for that.
    pub(crate) async fn until_copied(&self) {
        eventually("a copy", async || {
            assert_eq!(self.get("/api/users/1").await.status, 200);
            // Not at once again: each of these counts as a success of the circuit.
            tokio::time::sleep(Duration::from_millis(300)).await;
            self.metric(WRITTEN).await > 0
        })
        .await;
    }

    pub(crate) async fn metrics(&self) -> String {
        get(self.management, "/metrics").await.expect("metrics").text()
    }

    /// The value of one series, labels included in its name.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let metrics = self.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().expect("still running").to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; returns how it ended and how long that took.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        let status = tokio::time::timeout(seconds(40), self.child.wait()).await.expect("ends").unwrap();
        (status, since.elapsed())
    }

    /// Resident memory.
    pub(crate) fn resident_mib(&self) -> f64 {
        let id = self.child.id().expect("still running");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }
}
