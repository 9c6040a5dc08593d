//! What one request costs the whole process in instructions, which are the same whatever else the machine does: the
//! service with tracing off and at each share of sampled requests, and plain axum + sqlx with the same query.
//!
//! `service/benches/valgrind.sh` and `cargo build --release --examples` first: callgrind counts, the peer is an example.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../tests/it/harness/mod.rs"]
mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use harness::{Collector, Service, World, postgres_port, seconds, until};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// One after the other on one connection. At 1 % the spans of a turn are one whole batch of the exporter.
const REQUESTS: usize = 1_600;
const WARM_UP: usize = REQUESTS / 2;
/// Between two requests, and before each answer of Postgres: whatever there is to do is done by then, so that a request
/// takes the same steps every time, however fast the machine is. Under callgrind a request runs for about 2 ms.
const PAUSE: Duration = Duration::from_millis(3);
const TURNS: usize = 2;
/// The server's and the statement's.
const SPANS: usize = 2;
/// The SDK sends up to 512 spans at a time; fewer cost more.
const BATCH: usize = REQUESTS / 100 * SPANS;
/// Long enough for what is done once in a while to stay out of the turns.
const NEVER: &str = "1h";

type Client = SendRequest<Empty<Bytes>>;

/// One program, and how it is traced.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    subject: Subject,
    /// Of tracing off.
    limit: Option<f64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Subject {
    Plain,
    /// `OTEL_SDK_DISABLED`.
    Off,
    /// One request of so many is traced, exactly: those that bring `sampled=01`; none brings 00.
    OneOf(usize),
    Unsampled,
    /// By the ratio.
    All,
}

/// The first is what the others are compared with.
const SETTINGS: [Setting; 6] = [
    Setting { name: "every pillar, tracing off", subject: Subject::Off, limit: None },
    Setting { name: "plain axum + sqlx", subject: Subject::Plain, limit: None },
    Setting { name: "every pillar, 0 % sampled", subject: Subject::Unsampled, limit: None },
    Setting { name: "every pillar, 1 % sampled", subject: Subject::OneOf(100), limit: Some(1.01) },
    Setting { name: "every pillar, 5 % sampled", subject: Subject::OneOf(20), limit: Some(1.02) },
    Setting { name: "every pillar, 100 % sampled", subject: Subject::All, limit: Some(1.10) },
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        drop(world.ready(&[("SEED_USERS", "100")]).await);
        println!("| setting | instructions per request | of tracing off | limit | turns differ by | background, taken off |");
        println!("|---|---|---|---|---|---|");
        let mut off = None;
        for setting in &SETTINGS {
            let count = count(setting.subject, &world).await;
            print(setting, &count, *off.get_or_insert(count.mean()));
        }
    });
}

/// What one setting measured.
struct Count {
    /// Instructions per request of each turn.
    turns: [f64; TURNS],
    /// Share of a turn that is spent without any request as well, by the second; taken off.
    background: f64,
}

impl Count {
    fn mean(&self) -> f64 {
        self.turns.iter().sum::<f64>() / TURNS as f64
    }

    fn spread(&self) -> f64 {
        let least = self.turns.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.turns.iter().copied().fold(0.0, f64::max);
        (most - least) / self.mean()
    }
}

async fn count(subject: Subject, world: &World) -> Count {
    let collector = Collector::start().await;
    let counted = Counted::start(subject, world, &collector).await;
    let mut client = connect(counted.service.port).await;
    turn(subject, &mut client, &collector, WARM_UP).await;
    let idle = counted.during(async || tokio::time::sleep(seconds(4)).await).await;
    let mut turns = [0.0; TURNS];
    let mut background = 0.0;
    for count in &mut turns {
        let busy = counted.during(async || turn(subject, &mut client, &collector, REQUESTS).await).await;
        let besides = idle.instructions / idle.seconds * busy.seconds;
        *count = (busy.instructions - besides) / REQUESTS as f64;
        background = besides / busy.instructions;
    }
    Count { turns, background }
}

/// Sends `requests`, and waits until the batches that they filled are exported.
async fn turn(subject: Subject, client: &mut Client, collector: &Collector, requests: usize) {
    let before = collector.all().len();
    let sampled = match subject {
        Subject::Plain | Subject::Off | Subject::Unsampled => 0,
        Subject::OneOf(many) => requests / many,
        Subject::All => requests,
    };
    for number in 0..requests {
        tokio::time::sleep(PAUSE).await;
        ask(client, number, subject).await;
    }
    let expected = before + sampled * SPANS / BATCH * BATCH;
    until("whole batches of spans", seconds(120), async || collector.all().len() >= expected).await;
}

/// Postgres, whose every answer comes late.
async fn slow_postgres() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", postgres_port())).await.unwrap();
            let (mut asks, answered) = client.into_split();
            let (answers, mut asked) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut asks, &mut asked).await });
            tokio::spawn(delay(answers, answered));
        }
    });
    port
}

async fn delay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(PAUSE).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn connect(port: u16) -> Client {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(client: &mut Client, number: usize, subject: Subject) {
    let mut request = Request::get(format!("/api/users/{}", number % 100 + 1)).header("host", "users");
    if matches!(subject, Subject::OneOf(many) if number.is_multiple_of(many)) {
        request = request.header("traceparent", format!("00-{:032x}-{:016x}-01", number + 1, number + 1));
    }
    client.ready().await.unwrap();
    let response = client.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200, "{:?}", response.headers());
    response.into_body().collect().await.unwrap();
}

struct Spent {
    instructions: f64,
    seconds: f64,
}

/// A program under callgrind.
struct Counted {
    service: Service,
    directory: tempfile::TempDir,
}

impl Counted {
    async fn start(subject: Subject, world: &World, collector: &Collector) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Two cores, so that each program has two workers on any machine. The process stays the same one throughout.
        let mut command = tokio::process::Command::new("taskset");
        command.args(["-c", "0,1", "valgrind", "--tool=callgrind", "--quiet"]);
        command.arg(format!("--callgrind-out-file={}", directory.path().join(OUT).display()));
        command.arg(format!("--vgdb-prefix={}", directory.path().join(PIPE).display()));
        command.arg(Service::program((subject == Subject::Plain).then_some("plain")));
        let environment = world.by_way_of(slow_postgres().await);
        let settings = settings(subject, &collector.url);
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let service = Service::run(command, environment, &settings);
        let answers =
            async || harness::get(service.port, "/api/users/1").await.is_some_and(|a| a.status == 200);
        until("an answer (is valgrind missing? service/benches/valgrind.sh)", seconds(60), answers).await;
        Self { service, directory }
    }

    async fn during(&self, work: impl AsyncFnOnce()) -> Spent {
        self.taken();
        let since = Instant::now();
        work().await;
        let seconds = since.elapsed().as_secs_f64();
        Spent { instructions: self.taken() as f64, seconds }
    }

    /// Instructions since the start or the last call.
    fn taken(&self) -> u64 {
        let id = self.service.child.id().unwrap();
        let mut dump = Command::new("vgdb");
        dump.arg(format!("--vgdb-prefix={}", self.directory.path().join(PIPE).display()));
        let dumped = dump.arg(format!("--pid={id}")).arg("dump").output().unwrap();
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let newest = newest(self.directory.path());
        let text = std::fs::read_to_string(&newest).unwrap();
        let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: ")).unwrap();
        total.trim().parse().unwrap()
    }
}

const OUT: &str = "out";
/// Beyond any copy.
const FOR_ALL: usize = 1 << 40;
const PIPE: &str = "vgdb";

fn newest(directory: &Path) -> PathBuf {
    let number = |path: &PathBuf| path.extension()?.to_str()?.parse::<u32>().ok();
    let dumps = std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path());
    dumps.filter(|path| path.file_stem().is_some_and(|stem| stem == OUT)).max_by_key(number).unwrap()
}

fn settings(subject: Subject, collector: &str) -> Vec<(&'static str, String)> {
    let ratio = if subject == Subject::All { "1" } else { "0" };
    vec![
        ("OTEL_SDK_DISABLED", (subject == Subject::Off).to_string()),
        ("OTEL_ENDPOINT", collector.to_owned()),
        ("SAMPLE_RATIO", ratio.to_owned()),
        ("REMOTE_SAMPLED_PER_SECOND", "1000000".to_owned()),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH.to_string()),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000".to_owned()),
        ("HEALTH_INTERVAL", NEVER.to_owned()),
        ("CACHE_REFRESH", NEVER.to_owned()),
        // Callgrind takes each byte that `rep movsb` copies for an instruction; glibc has another way.
        (
            "GLIBC_TUNABLES",
            format!(
                "glibc.cpu.x86_rep_movsb_threshold={FOR_ALL}:glibc.cpu.x86_rep_stosb_threshold={FOR_ALL}"
            ),
        ),
    ]
}

fn print(setting: &Setting, count: &Count, off: f64) {
    println!(
        "| {} | {:.0} | {:.4} | {} | {:.2} % | {:.2} % |",
        setting.name,
        count.mean(),
        count.mean() / off,
        setting.limit.map_or_else(String::new, |limit| format!("{limit:.2}")),
        count.spread() * 100.0,
        count.background * 100.0,
    );
}
