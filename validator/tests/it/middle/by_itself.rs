//! What an agent does without being told: faults run out, and all of them when the validator is silent.

use std::time::{Duration, Instant};

use golive_validator::config::Protocol;
use golive_validator::evidence::{Fact, Fault, Trouble};
use golive_validator::middle::Limits;

use crate::harness::{Before, POD, Postgres, database, free_port, limits, postgres_port};

const LONG: Duration = Duration::from_mins(1);

fn troubles(facts: Vec<Fact>) -> Vec<Trouble> {
    facts
        .into_iter()
        .filter_map(|fact| if let Fact::Trouble(t) = fact { Some(t.trouble) } else { None })
        .collect()
}

#[tokio::test]
async fn without_a_word_everything_is_forwarded() {
    let (name, _) = database().await;
    let own = Limits { fail_open: Duration::from_millis(600) };
    let before = Before::new(Protocol::Postgres, postgres_port(), own).await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    before.fault(Fault::Hang, LONG).await;
    let since = Instant::now();
    pod.run("SELECT 1").await.unwrap();
    assert!(since.elapsed() >= Duration::from_millis(500), "{:?}", since.elapsed());
    assert!(Postgres::connect(before.address, &name).await.is_ok(), "for as long as the agent is there");
    assert!(troubles(before.facts().await).contains(&Trouble::FailedOpen));
}

#[tokio::test]
async fn an_order_that_has_run_out_does_not_begin_again() {
    let (name, _) = database().await;
    let before = Before::new(Protocol::Postgres, postgres_port(), limits()).await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    let order = serde_json::json!([{ "id": 7, "pod": POD, "fault": { "kind": "hang" }, "for_ms": 300 }]);
    before.orders(&order).await;
    pod.run("SELECT 1").await.unwrap();
    before.orders(&order).await;
    let since = Instant::now();
    pod.run("SELECT 1").await.unwrap();
    assert!(since.elapsed() < Duration::from_millis(200));
    assert_eq!(before.only_fault().await.hits, 1);
}

#[tokio::test]
async fn a_dependency_that_accepts_nothing_is_sick_by_itself() {
    let before = Before::new(Protocol::Postgres, free_port(), limits()).await;
    for _ in 0..3 {
        assert!(Postgres::connect(before.address, "postgres").await.is_err());
    }
    let told = troubles(before.facts().await);
    assert!((1..=3).contains(&told.len()), "once in a second: {told:?}");
    assert!(told.iter().all(|trouble| matches!(trouble, Trouble::Unreached(_))), "{told:?}");
}
