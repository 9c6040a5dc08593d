use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

/// The servers are told to die with the thread that starts them, so that one lives as long as the process.
fn keep_running(start: fn() -> (Child, u16)) -> u16 {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut server, port) = start();
        sender.send(port).unwrap();
        server.wait()
    });
    receiver.recv().expect("a backend did not start")
}

fn start_postgres() -> (Child, u16) {
    let directory = own_directory();
    if is_root() {
        assert!(run(Command::new("chown").arg("postgres").arg(&directory)), "no user postgres");
    }
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
    let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("postgres starts");
    // It listens a moment before it lets anybody in.
    let ready =
        || run(Command::new(find("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]));
    wait_for(ready, "postgres is not ready");
    (server, port)
}

/// Not below the target directory, into which the user postgres may not be allowed to look. Nobody is left to remove
/// it at the end of the process, so the next run does.
fn own_directory() -> PathBuf {
    const PREFIX: &str = "golive-postgres-";
    let parent = std::env::temp_dir();
    for entry in std::fs::read_dir(&parent).unwrap().flatten() {
        let owner = entry.file_name().to_string_lossy().strip_prefix(PREFIX).map(str::to_owned);
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            // Somebody else's is not ours to remove.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let directory = parent.join(format!("{PREFIX}{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    directory
}

fn start_redis() -> (Child, u16) {
    let port = free_port();
    let mut server = Command::new("setpriv");
    server.args(["--pdeathsig", "KILL", "redis-server", "--port", &port.to_string()]);
    server.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--databases", "1000"]);
    let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-server starts");
    wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok(), "redis does not listen");
    (server, port)
}

/// Postgres refuses to run as root, and Debian keeps its programs out of PATH.
fn as_owner(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
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
