//! Log lines cost nobody his answer: there are few of them, and whoever does not read them loses some.

use std::process::Command;

use super::harness::{Mode, Service, World, eventually, request};

/// The service, with a pipe that nobody reads for its standard error.
fn unread(world: &World, directory: &tempfile::TempDir, settings: &[(&str, &str)]) -> Service {
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut shell = tokio::process::Command::new("/bin/sh");
    // For reading as well, or the shell would wait for a reader.
    shell.args(["-c", r#"exec "$0" 2<>"$1""#]).arg(Service::program(None)).arg(&pipe);
    Service::run(shell, world.environment(), settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_costs_lines_and_neither_answers_nor_the_exit() {
    let (world, directory) = (World::new().await, tempfile::tempdir().unwrap());
    let mut service = unread(&world, &directory, &[("DRILLS", "true"), ("SEED_USERS", "5")]);
    service.until_ready().await;
    // Each of them is a line.
    let drill = async |state: &str| {
        let path = "/breakers/postgres/state";
        request(service.management, http::Method::PUT, path, state, &[]).await.expect("an answer")
    };
    eventually("lines are lost", async || {
        for _ in 0..200 {
            assert!(drill("disabled").await.status.is_success());
            assert!(drill("closed").await.status.is_success());
        }
        service.metric("log_lines_dropped_total").await > 0
    })
    .await;
    assert_eq!(service.get("/api/users/1").await.status, 200);
    service.signal("TERM");
    assert_eq!(service.ended().await.0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_postgres_fails_is_told_once_and_failed_requests_once_a_second() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "5"), ("BREAKER_MIN_CALLS", "1000")]).await;
    world.postgres.set(Mode::Refuse);
    for _ in 0..50 {
        assert_eq!(service.get("/api/users/1/orders").await.status, 503);
    }
    eventually("told", async || service.log().contains("Postgres fails")).await;
    let log = service.log();
    let why = log.lines().filter(|line| line.contains("Postgres fails"));
    let kinds: Vec<_> = why.inspect(|line| assert!(line.contains(r#""level":"WARN""#), "{line}")).collect();
    // A connection that breaks may be told apart from one that is refused.
    assert!(kinds.len() <= 2, "{kinds:#?}");
    let failed: Vec<_> = log.lines().filter(|line| line.contains("request failed")).collect();
    assert!((1..50).contains(&failed.len()), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_for_people_carry_the_ids_of_the_trace_as_well() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let world = World::new().await;
    let service = world.ready(&[("LOG_FORMAT", "text")]).await;
    world.postgres.set(Mode::Refuse);
    let parent = format!("00-{TRACE}-b7ad6b7169203331-00");
    let headers = [("traceparent", parent.as_str())];
    let answer = request(service.port, http::Method::GET, "/api/users/1", "", &headers).await;
    assert_eq!(answer.unwrap().status, 503);
    let ids = format!("trace_id={TRACE} span_id=b7ad6b7169203331");
    eventually("a line", async || service.log().contains("request failed")).await;
    let log = service.log();
    assert!(log.lines().any(|line| line.contains("request failed") && line.ends_with(&ids)), "{log}");
}
