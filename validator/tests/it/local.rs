//! `validator local`: what is left of a run, however it ends. The copies are this very program, with a test of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Serves until it is ended: what the copies of these tests run.
#[test]
#[ignore = "not a test: a service for the others"]
fn copy_of_a_service() {
    let Ok(port) = std::env::var("PORT") else { return };
    let port: u16 = port.parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        // What asks hears from us before it has to have said all.
        let (mut head, answer) =
            ([0; 4096], "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let told = stream.read(&mut head).and_then(|_| stream.write_all(answer.as_bytes()));
        drop((told, stream));
    }
}

/// A run of copies with stores of their own, in a folder of its own.
struct Run {
    validator: Child,
    folder: PathBuf,
}

impl Run {
    /// Begins one and waits until it sends load.
    fn begin(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("golive-it-{name}-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let mut validator = Command::new(env!("CARGO_BIN_EXE_validator"))
            .args([
                "local",
                "--get",
                "/",
                "--postgres",
                "DATABASE_URL",
                "--redis",
                "REDIS_URL",
                "--rate",
                "20",
                "--",
            ])
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "local::copy_of_a_service"])
            .env("TMPDIR", &folder)
            .current_dir(&folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(validator.stderr.take().unwrap());
        let lines: Vec<String> =
            told.lines().map(Result::unwrap).take_while(|line| !line.contains("baseline")).collect();
        let run = Self { validator, folder };
        assert!(run.processes().len() > 5, "{lines:?}");
        run
    }

    /// Processes of the run: all of them have its folder in their variables or on their command line, or work in it.
    fn processes(&self) -> Vec<String> {
        let folder = self.folder.to_str().unwrap().as_bytes();
        let holds = |path: PathBuf| {
            std::fs::read(path).is_ok_and(|text| text.windows(folder.len()).any(|part| part == folder))
        };
        let all = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let works = |path: &Path| path.join("cwd").read_link().is_ok_and(|cwd| cwd.starts_with(&self.folder));
        let ours =
            all.filter(|path| holds(path.join("environ")) || holds(path.join("cmdline")) || works(path));
        let name = |path: &Path| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        let others =
            ours.filter(|path| path.file_name().unwrap() != self.validator.id().to_string().as_str());
        others.map(|path| name(&path)).filter(|name| !name.is_empty()).collect()
    }

    fn left(&self) -> Vec<PathBuf> {
        let root = self.folder.join(format!("golive-local-{}", rustix::process::getuid().as_raw()));
        let entries = std::fs::read_dir(root).unwrap().flatten().map(|entry| entry.path());
        entries.filter(|path| path.is_dir()).collect()
    }

    /// Waits until nothing is left.
    fn ends(mut self) {
        self.validator.wait().unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while !(self.processes().is_empty() && self.left().is_empty()) {
            assert!(Instant::now() < deadline, "{:?} {:?}", self.processes(), self.left());
            std::thread::yield_now();
        }
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Drop for Run {
    /// A test that has failed leaves nobody under load.
    fn drop(&mut self) {
        self.validator.kill().ok(); // as a rule it has ended
        self.validator.wait().ok();
    }
}

/// A run of this command that never gets as far as load: its exit code, and what it said.
fn refused(command: &[&str]) -> (Option<i32>, String) {
    let folder = std::env::temp_dir().join(format!("golive-it-refused-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(["local", "--get", "/", "--"])
        .args(command)
        .env("TMPDIR", &folder)
        .current_dir(&folder)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_can_never_start_ends_the_run_at_once_and_says_why() {
    let begun = Instant::now();
    let (code, told) = refused(&["./no-such-service --flag"]);
    assert!(code == Some(2) && told.contains("`./no-such-service --flag` does not exist"), "{told}");
    assert!(told.contains("no shell"), "{told}");
    let (code, told) = refused(&["sh", "-c", "echo no configuration; exit 78"]);
    assert!(code == Some(3) && told.contains("with 78") && told.contains("no configuration"), "{told}");
    assert!(told.contains("assumed") && told.contains("GET /ready"), "what no file declares is told: {told}");
    assert!(begun.elapsed() < Duration::from_mins(2), "nothing is waited for");
}

#[test]
fn a_validator_that_is_killed_leaves_no_process_and_no_folder() {
    let mut run = Run::begin("killed");
    assert_eq!(run.left().len(), 1);
    run.validator.kill().unwrap();
    run.ends();
}

#[test]
fn a_signal_ends_a_run_with_130_and_leaves_nothing() {
    let mut run = Run::begin("interrupted");
    let pid = rustix::process::Pid::from_child(&run.validator);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(run.validator.wait().unwrap().code(), Some(130));
    assert!(run.processes().is_empty(), "{:?}", run.processes());
    run.ends();
}
