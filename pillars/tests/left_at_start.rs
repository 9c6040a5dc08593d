//! SIGTERM before the application is there.

use std::future::pending;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use golive_pillars::service::{App, Error, Service};
use golive_pillars::telemetry::Config;

#[test]
fn a_signal_is_heard_while_the_application_waits_for_a_database_that_hangs() {
    let work_is_done = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&work_is_done);
    let since = Instant::now();
    let ended = Service::builder(Config::new("stuck", "1")).port(0).management_port(0).run(async |start| {
        let work = start.shutdown().work();
        let leaving = work.leaving().clone();
        work.spawn(async move {
            leaving.cancelled().await;
            done.store(true, Ordering::Release);
        });
        let own_id = std::process::id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &own_id]).status().unwrap().success());
        pending::<Result<App, Error>>().await
    });
    assert_eq!(ended.unwrap(), ExitCode::SUCCESS);
    // A drain takes 20 s, and the forced exit would end this process at 25 s.
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    assert!(work_is_done.load(Ordering::Acquire), "the work that it had begun was waited for");
}
