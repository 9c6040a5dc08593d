//! Statements: counted, held, hung, refused; and of others not even looked at.

use std::time::{Duration, Instant};

use golive_validator::config::Protocol;
use golive_validator::evidence::{Failure, Fault, TrialEnd};
use sqlx::{Executor as _, Row as _};
use tokio::time::{sleep, timeout};

use crate::harness::{Before, Postgres, database, failing, from_elsewhere, limits, postgres_port};

const LONG: Duration = Duration::from_secs(30);
const HOLD: u64 = 400;

async fn before() -> (Before, String) {
    let (name, _) = database().await;
    (Before::new(Protocol::Postgres, postgres_port(), limits()).await, name)
}

/// Whether a statement is still not answered after a while.
async fn hangs(statement: impl Future) -> bool {
    timeout(Duration::from_millis(300), statement).await.is_err()
}

#[tokio::test]
async fn statements_of_the_pod_are_counted_and_pings_are_told_apart() {
    let (before, name) = before().await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    before.learn(true).await;
    pod.run("SELECT 1").await.unwrap();
    before.learn(false).await;
    for _ in 0..5 {
        pod.run("INSERT INTO notes VALUES ('a')").await.unwrap();
        pod.run("SELECT 1").await.unwrap();
    }
    pod.run_simple("SELECT count(*) FROM notes").await.unwrap();
    let elsewhere = from_elsewhere(before.address).await;
    let mut other = Postgres::connect(elsewhere, &name).await.unwrap();
    other.run("SELECT 2").await.unwrap();

    let status = before.status().await;
    assert_eq!((status.connections, status.unknown, status.learned), (1, 1, 1));
    let (calls, pings, opened) = before.counted().await;
    assert_eq!((pings, opened), (6, 1));
    // A driver makes some settings of its own when it connects.
    assert!((6..=8).contains(&calls), "{calls} calls");
}

#[tokio::test]
async fn what_changes_something_is_no_ping_however_regularly_it_comes() {
    let (before, name) = before().await;
    let mut worker = Postgres::connect(before.address, &name).await.unwrap();
    before.learn(true).await;
    worker.run("UPDATE notes SET note = note").await.unwrap();
    before.learn(false).await;
    before.fault(Fault::Hang, LONG).await;
    assert!(hangs(worker.run("UPDATE notes SET note = note")).await);
}

#[tokio::test]
async fn while_statements_hang_pings_and_others_pass_and_who_gives_up_never_reaches_the_database() {
    let (before, name) = before().await;
    let mut ping = Postgres::connect(before.address, &name).await.unwrap();
    let mut given_up = Postgres::connect(before.address, &name).await.unwrap();
    let mut patient = Postgres::connect(before.address, &name).await.unwrap();
    let mut other = Postgres::connect(from_elsewhere(before.address).await, &name).await.unwrap();
    before.learn(true).await;
    ping.run("SELECT 1").await.unwrap();
    before.learn(false).await;

    before.fault(Fault::Hang, LONG).await;
    assert!(hangs(given_up.run("INSERT INTO notes VALUES ('given up')")).await);
    drop(given_up);
    // Its side of the database is not over yet, and it is gone all the same.
    before.until("who has given up is gone", |pod| pod.open == 2).await;
    let patience = patient.run("INSERT INTO notes VALUES ('patient')");
    tokio::pin!(patience);
    assert!(hangs(&mut patience).await);
    ping.run("SELECT 1").await.unwrap();
    other.run("INSERT INTO notes VALUES ('other')").await.unwrap();

    before.clear().await;
    assert_eq!(patience.await.unwrap(), 1);
    assert_eq!(other.number("SELECT count(*) FROM notes WHERE note = 'given up'").await, 0);
    assert_eq!(other.number("SELECT count(*) FROM notes").await, 2);
    let fault = before.only_fault().await;
    assert_eq!(fault.hits, 2, "{fault:?}");
    let given_up: Vec<bool> = fault.held.iter().map(|held| held.given_up).collect();
    assert_eq!(given_up, [true], "the patient one waited for the end");
}

#[tokio::test]
async fn no_more_statements_are_held_than_was_said() {
    let (before, name) = before().await;
    before.fault(Fault::Hold { hold_ms: HOLD, at_most: 2 }, LONG).await;
    let one = || async {
        let mut pod = Postgres::connect(before.address, &name).await.unwrap();
        let since = Instant::now();
        pod.run("SELECT 5").await.unwrap();
        since.elapsed() >= Duration::from_millis(HOLD)
    };
    let held = tokio::join!(one(), one(), one(), one(), one());
    let held = [held.0, held.1, held.2, held.3, held.4].into_iter().filter(|held| *held).count();
    assert!((1..=2).contains(&held), "{held} of 5 were held");
    before.clear().await;
    let fault = before.only_fault().await;
    assert!(fault.held.len() >= 2 && fault.held.iter().all(|held| !held.given_up), "{fault:?}");
}

#[tokio::test]
async fn of_statements_one_after_the_other_over_one_connection_the_first_is_held() {
    let (before, name) = before().await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    before.fault(Fault::Hold { hold_ms: HOLD, at_most: 2 }, LONG).await;
    for _ in 0..3 {
        pod.run("SELECT 5").await.unwrap();
    }
    let held = before.only_fault().await.held.len();
    assert_eq!(held, 1, "a call of three statements is late by one hold");
}

#[tokio::test]
async fn a_trial_holds_the_first_statement_and_counts_those_that_come_meanwhile() {
    let (before, name) = before().await;
    let mut first = Postgres::connect(before.address, &name).await.unwrap();
    let mut second = Postgres::connect(before.address, &name).await.unwrap();
    before.fault(Fault::Trial { hold_ms: HOLD, end: TrialEnd::Forward }, LONG).await;
    let since = Instant::now();
    let later = async {
        sleep(Duration::from_millis(HOLD / 4)).await;
        second.run("SELECT 2").await
    };
    let (one, two) = tokio::join!(first.run("SELECT 1"), later);
    assert!(one.is_ok() && two.is_ok());
    assert!(since.elapsed() >= Duration::from_millis(HOLD));
    assert!(!hangs(first.run("SELECT 3")).await, "a good trial is the end of it");
    let fault = before.only_fault().await;
    assert_eq!((fault.others, fault.held.len()), (1, 1), "{fault:?}");
}

#[tokio::test]
async fn a_trial_that_is_given_up_goes_on_as_a_hang() {
    let (before, name) = before().await;
    let mut first = Postgres::connect(before.address, &name).await.unwrap();
    let mut second = Postgres::connect(before.address, &name).await.unwrap();
    before.fault(Fault::Trial { hold_ms: HOLD, end: TrialEnd::GiveUp }, LONG).await;
    assert!(timeout(Duration::from_millis(2 * HOLD), first.run("SELECT 1")).await.is_err());
    assert!(!before.pod().await.fault.unwrap().released);
    drop(first);
    before.until("the trial is over", |pod| pod.fault.as_ref().is_some_and(|fault| fault.released)).await;
    assert!(hangs(second.run("SELECT 2")).await);
    before.clear().await;
    let fault = before.only_fault().await;
    assert_eq!(fault.others, 0, "it came after the trial: {fault:?}");
    assert!(fault.held[0].given_up);
}

#[tokio::test]
async fn a_statement_fails_with_the_wanted_code_and_the_connection_goes_on() {
    let (before, name) = before().await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    pod.run("INSERT INTO notes VALUES ('before')").await.unwrap();
    before.fault(failing(Failure::Sqlstate("53300".into())), LONG).await;
    for failed in [pod.run("DELETE FROM notes").await, pod.run_simple("DELETE FROM notes").await] {
        let error = failed.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("53300"), "{error}");
    }
    let long = "DELETE FROM notes".to_owned() + &" ".repeat(200_000);
    let failed = pod.run_simple(Box::leak(long.into_boxed_str())).await.unwrap_err();
    assert_eq!(
        failed.as_database_error().unwrap().code().as_deref(),
        Some("53300"),
        "a long one too: {failed}"
    );
    before.clear().await;
    assert_eq!(pod.number("SELECT count(*) FROM notes").await, 1);
    assert_eq!(before.only_fault().await.hits, 3);
}

fn code(failed: Result<u64, sqlx::Error>) -> Option<String> {
    failed.err()?.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

#[tokio::test]
async fn after_a_fail_over_old_connections_only_read_and_new_ones_work() {
    let (before, name) = before().await;
    let mut old = Postgres::connect(before.address, &name).await.unwrap();
    before.fault(failing(Failure::FailOver), LONG).await;
    let insert = "INSERT INTO notes VALUES ('a')";
    assert_eq!(code(old.run(insert).await).as_deref(), Some("25006"));
    assert_eq!(code(old.run_simple(insert).await).as_deref(), Some("25006"));
    assert_eq!(old.number("SELECT count(*) FROM notes").await, 0, "it can still be read");
    assert_eq!(role(&mut old).await, (true, "on".into(), "on".into()), "it says what it is");
    let mut new = Postgres::connect(before.address, &name).await.unwrap();
    assert_eq!(new.run(insert).await.unwrap(), 1);
    assert_eq!(role(&mut new).await, (false, "off".into(), "off".into()));
    before.clear().await;
    assert_eq!(old.run(insert).await.unwrap(), 1);
    assert!(!role(&mut old).await.0);
    let fault = before.only_fault().await;
    assert_eq!((fault.hits, fault.met), (2, 2), "{fault:?}");
}

/// What the server says that it is, to the questions of usual pools: prepared, and as text.
async fn role(asking: &mut Postgres) -> (bool, String, String) {
    let asked = async {
        let recovers = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut asking.0).await?;
        let read_only = sqlx::query_scalar("SHOW transaction_read_only").fetch_one(&mut asking.0).await?;
        let text = asking.0.fetch_one("SHOW transaction_read_only").await?.try_get(0)?;
        Ok::<_, sqlx::Error>((recovers, read_only, text))
    };
    timeout(LONG, asked).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_connection_that_is_met_again_later_is_told_from_one_that_was_given_up() {
    let (before, name) = before().await;
    let mut kept = Postgres::connect(before.address, &name).await.unwrap();
    let mut left = Postgres::connect(before.address, &name).await.unwrap();
    before.fault(failing(Failure::FailOver), LONG).await;
    let insert = "INSERT INTO notes VALUES ('a')";
    for old in [&mut kept, &mut left] {
        assert_eq!(code(old.run(insert).await).as_deref(), Some("25006"));
    }
    assert_eq!(code(left.run(insert).await).as_deref(), Some("25006"), "within the same use");
    let mut new = Postgres::connect(before.address, &name).await.unwrap();
    new.run(insert).await.unwrap();
    new.run(insert).await.unwrap();
    let fault = before.only_fault().await;
    assert_eq!((fault.hits, fault.met_again, fault.spared), (3, None, 2), "{fault:?}");
    assert!(fault.first_hit <= fault.last_hit);
    sleep(Duration::from_secs(1)).await;
    assert!(kept.run(insert).await.is_err());
    before.clear().await;
    let fault = before.only_fault().await;
    assert_eq!((fault.met_again, fault.spared), (fault.last_hit, 0), "{fault:?}");
}

#[tokio::test]
async fn new_connections_are_refused_at_their_startup_and_present_ones_are_cut_once() {
    let (before, name) = before().await;
    let mut present = Postgres::connect(before.address, &name).await.unwrap();
    before.fault(failing(Failure::Startup("53300".into())), LONG).await;
    let refused = Postgres::connect(before.address, &name).await.map(|_| 0);
    assert_eq!(code(refused).as_deref(), Some("53300"));
    assert!(present.run("INSERT INTO notes VALUES ('a')").await.is_err(), "it was cut");
    before.clear().await;
    assert_eq!(
        Postgres::connect(before.address, &name).await.unwrap().number("SELECT count(*) FROM notes").await,
        0
    );
    assert_eq!(before.only_fault().await.hits, 1);
}

#[tokio::test]
async fn a_share_of_the_statements_fails_and_how_many_is_counted() {
    let (before, name) = before().await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    let with = Failure::Sqlstate("57P03".into());
    before.fault(Fault::Fail { with, share_percent: 40 }, LONG).await;
    let mut failed = 0;
    for _ in 0..100 {
        failed += u64::from(code(pod.run("SELECT 5").await).as_deref() == Some("57P03"));
    }
    before.clear().await;
    let fault = before.only_fault().await;
    assert_eq!((fault.hits, fault.met), (failed, 100));
    assert!((38..=42).contains(&failed), "{failed} of 100");
}

#[tokio::test]
async fn of_a_share_a_transaction_is_met_as_a_whole_and_counts_once() {
    let (before, name) = before().await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    let with = Failure::Sqlstate("53200".into());
    before.fault(Fault::Fail { with, share_percent: 40 }, LONG).await;
    let mut whole = 0;
    for _ in 0..50 {
        if pod.run_simple("BEGIN").await.is_err() {
            continue;
        }
        for _ in 0..3 {
            pod.run("INSERT INTO notes VALUES ('a')").await.unwrap();
        }
        pod.run_simple("COMMIT").await.unwrap();
        whole += 1;
    }
    before.clear().await;
    let fault = before.only_fault().await;
    assert_eq!((fault.met, fault.hits), (50, 50 - whole), "{fault:?}");
    assert!((28..=32).contains(&whole), "{whole} of 50");
    assert_eq!(pod.number("SELECT count(*) FROM notes").await, 3 * whole as i64);
}

#[tokio::test]
async fn what_has_begun_is_ended_though_every_statement_fails() {
    let (before, name) = before().await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    pod.run_simple("BEGIN").await.unwrap();
    before.fault(failing(Failure::Sqlstate("53200".into())), LONG).await;
    pod.run("INSERT INTO notes VALUES ('a')").await.unwrap();
    pod.run_simple("COMMIT").await.unwrap();
    assert_eq!(code(pod.run_simple("BEGIN").await).as_deref(), Some("53200"));
    before.clear().await;
    assert_eq!(pod.number("SELECT count(*) FROM notes").await, 1);
    let fault = before.only_fault().await;
    assert_eq!((fault.hits, fault.met), (1, 1), "{fault:?}");
}

#[tokio::test]
async fn a_slow_database_answers_late_but_for_pings() {
    let (before, name) = before().await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    before.learn(true).await;
    pod.run("SELECT 1").await.unwrap();
    before.learn(false).await;
    before.fault(Fault::Slow { delay_ms: HOLD }, LONG).await;
    let since = Instant::now();
    pod.run("SELECT 2").await.unwrap();
    assert!(since.elapsed() >= Duration::from_millis(HOLD));
    pod.run("SELECT 1").await.unwrap();
    before.clear().await;
    assert_eq!(before.only_fault().await.hits, 1, "the ping was not met");
}

/// A connection as of a pool that sets it up, and then works.
async fn pooled(before: &Before, name: &str) -> Postgres {
    let mut pod = Postgres::connect(before.address, name).await.unwrap();
    pod.run("SELECT version()").await.unwrap();
    for _ in 0..25 {
        pod.run("SELECT 5").await.unwrap();
    }
    pod
}

#[tokio::test]
async fn what_sets_a_connection_up_is_neither_a_call_nor_a_trial() {
    let (before, name) = before().await;
    for _ in 0..3 {
        pooled(&before, &name).await.close().await;
    }
    let calls = before.pod().await.calls;
    before.fault(Fault::Trial { hold_ms: HOLD, end: TrialEnd::Forward }, LONG).await;
    // What the driver itself says to a new connection is set-up as well.
    let mut new = Postgres::connect(before.address, &name).await.unwrap();
    new.run("SELECT version()").await.unwrap();
    assert_eq!(before.pod().await.calls, calls);
    assert_eq!(before.pod().await.fault.unwrap().hits, 0);
    new.run("SELECT 5").await.unwrap();
    assert_eq!(before.pod().await.calls, calls + 1);
    assert_eq!(before.only_fault().await.hits, 1, "the first statement is the trial");
}

#[tokio::test]
async fn a_ping_that_rises_with_the_load_turns_into_a_call() {
    let (before, name) = before().await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    before.learn(true).await;
    pod.run("SELECT 1").await.unwrap();
    before.learn(false).await;
    for _ in 0..200 {
        pod.run("SELECT 1").await.unwrap();
    }
    assert_eq!(before.status().await.learned, 0);
    before.fault(Fault::Hang, LONG).await;
    assert!(hangs(pod.run("SELECT 1")).await);
}

#[tokio::test]
async fn what_a_protocol_does_not_know_is_refused_with_the_reason() {
    let (before, _) = before().await;
    let answer = before.refusal(Fault::Miss).await;
    assert!(
        answer.starts_with("HTTP/1.1 422")
            && answer.ends_with("fault miss: not possible with protocol postgres")
    );
    let answer = before.refusal(failing(Failure::Sqlstate("1".into()))).await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
}
