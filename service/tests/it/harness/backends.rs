use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use super::free_port;

/// One Postgres for all tests; each takes a database of its own.
pub(crate) fn postgres_port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| keep_running(start_postgres))
}

/// One Redis for all tests; each takes a database of its own.
pub(crate) fn redis_port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| keep_running(start_redis))
}

/// A Redis that no other test uses.
#[allow(dead_code, reason = "not for the benchmarks")]
pub(crate) fn another_redis() -> u16 {
    keep_running(start_redis)
}

/// A Postgres that no other test uses.
#[allow(dead_code, reason = "not for the benchmarks")]
pub(crate) fn another_postgres() -> u16 {
    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    keep_running(move || serve_postgres(&own_directory(&format!("postgres-{number}")), &[]))
}

/// A Redis and a Postgres that speak TLS, with certificates of an authority of their own.
#[allow(dead_code, reason = "not for the benchmarks")]
pub(crate) struct Encrypted {
    pub(crate) postgres: u16,
    pub(crate) redis: u16,
    /// The certificate of the authority, as PEM.
    pub(crate) authority: PathBuf,
    /// Where their certificate and its key are.
    pub(crate) directory: PathBuf,
}

/// The same for all tests; the names that they certify are 127.0.0.1 alone.
#[allow(dead_code, reason = "not for the benchmarks")]
pub(crate) fn encrypted() -> &'static Encrypted {
    static ENCRYPTED: OnceLock<Encrypted> = OnceLock::new();
    ENCRYPTED.get_or_init(|| {
        let directory = own_directory("tls");
        certify(&directory);
        let (postgres, redis) = (directory.clone(), directory.clone());
        Encrypted {
            postgres: keep_running(move || start_encrypted_postgres(&postgres)),
            redis: keep_running(move || start_encrypted_redis(&redis)),
            authority: directory.join("ca.pem"),
            directory,
        }
    })
}

/// A pooler in transaction mode before the Postgres of all tests, with two sessions for everybody.
#[allow(dead_code, reason = "not for the benchmarks")]
pub(crate) fn pgbouncer() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    let postgres = postgres_port();
    *PORT.get_or_init(|| keep_running(move || start_pgbouncer(postgres)))
}

/// The servers are told to die with the thread that starts them, so that one lives as long as the process.
fn keep_running(start: impl FnOnce() -> (Child, u16) + Send + 'static) -> u16 {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut server, port) = start();
        sender.send(port).unwrap();
        server.wait()
    });
    receiver.recv().expect("a backend did not start")
}

fn start_postgres() -> (Child, u16) {
    serve_postgres(&own_directory("postgres"), &[])
}

fn serve_postgres(directory: &Path, settings: &[String]) -> (Child, u16) {
    let data = directory.join("data");
    let mut initdb = as_owner("initdb");
    initdb.args(["--auth=trust", "--username=postgres", "--no-sync", "--pgdata"]).arg(&data);
    assert!(run(&mut initdb), "initdb failed");
    let port = free_port();
    let mut server = as_owner("postgres");
    server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    for setting in
        ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=300"]
    {
        server.args(["-c", setting]);
    }
    for setting in settings {
        server.args(["-c", setting]);
    }
    let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("postgres starts");
    // It listens a moment before it lets anybody in.
    let ready =
        || run(Command::new(find("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]));
    wait_for(ready, "postgres is not ready");
    (server, port)
}

/// Not below the target directory, into which the user postgres may not be allowed to look. Nobody is left to remove
/// it at the end of the process, so the next run does.
/// The owner is who runs Postgres.
fn own_directory(of: &str) -> PathBuf {
    const PREFIX: &str = "golive-tests-";
    let parent = std::env::temp_dir();
    for entry in std::fs::read_dir(&parent).unwrap().flatten() {
        let owner = entry.file_name().to_string_lossy().strip_prefix(PREFIX).map(str::to_owned);
        let owner = owner.and_then(|name| name.split('-').next().map(str::to_owned));
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            // Somebody else's is not ours to remove.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let directory = parent.join(format!("{PREFIX}{}-{of}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    if is_root() {
        assert!(run(Command::new("chown").arg("postgres").arg(&directory)), "no user postgres");
    }
    directory
}

/// An authority, and a certificate of it for 127.0.0.1.
fn certify(directory: &Path) {
    let openssl = |arguments: &str| {
        let mut command = as_owner("openssl");
        assert!(run(command.current_dir(directory).args(arguments.split(' '))), "openssl {arguments}");
    };
    std::fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=server"));
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

fn start_encrypted_postgres(directory: &Path) -> (Child, u16) {
    let file = |name: &str| directory.join(name).display().to_string();
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", file("server.pem")),
        format!("ssl_key_file={}", file("server.key")),
    ];
    serve_postgres(directory, &settings)
}

fn start_encrypted_redis(directory: &Path) -> (Child, u16) {
    let port = free_port();
    let file = |name: &str| directory.join(name).display().to_string();
    let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let tls = [
        ["--port", "0"],
        ["--tls-port", &port.to_string()],
        ["--tls-cert-file", &certificate],
        ["--tls-key-file", &key],
        ["--tls-ca-cert-file", &authority],
        ["--tls-auth-clients", "no"],
    ];
    (serve_redis(port, tls.as_flattened()), port)
}

fn start_pgbouncer(postgres: u16) -> (Child, u16) {
    let (directory, port) = (own_directory("pgbouncer"), free_port());
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={postgres} user=postgres\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n"
    );
    let file = directory.join("pgbouncer.ini");
    std::fs::write(&file, settings).unwrap();
    let mut server = as_owner("pgbouncer");
    let server =
        server.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pgbouncer starts");
    wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok(), "pgbouncer does not listen");
    (server, port)
}

fn start_redis() -> (Child, u16) {
    let port = free_port();
    (serve_redis(port, &["--port", &port.to_string()]), port)
}

fn serve_redis(port: u16, settings: &[&str]) -> Child {
    let mut server = as_owner("redis-server");
    server.args(settings);
    server.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--databases", "1000"]);
    let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-server starts");
    wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok(), "redis does not listen");
    server
}

/// Postgres refuses to run as root, and Debian keeps its programs out of PATH.
fn as_owner(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    // Postgres ends at once by QUIT, and waits for its clients by TERM. The others have no handler for QUIT, which a shell makes
    // whatever it starts in the background ignore.
    let last = if program == "postgres" { "QUIT" } else { "TERM" };
    command.args(["--pdeathsig", last]);
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
    }
    command.arg(find(program)).current_dir("/");
    command
}

fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    std::env::split_paths(&path)
        .chain(debian)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{program} is missing: run service/tests/backends.sh"))
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(Path::new("/proc/self")).unwrap()) == 0
}

fn run(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own")]
fn wait_for(condition: impl Fn() -> bool, otherwise: &str) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{otherwise}");
}
