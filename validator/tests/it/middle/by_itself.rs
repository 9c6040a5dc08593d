//! What an agent does without being told: faults run out, silence of the validator, the hand-back.

use std::time::{Duration, Instant};

use golive_validator::config::Protocol;
use golive_validator::evidence::{Fact, Fault, Trouble};
use golive_validator::middle::Limits;
use tokio::time::sleep;

use crate::harness::{Before, POD, Postgres, database, limits, postgres_port};

const LONG: Duration = Duration::from_mins(1);

fn troubles(facts: Vec<Fact>) -> Vec<Trouble> {
    facts
        .into_iter()
        .filter_map(|fact| if let Fact::Trouble(t) = fact { Some(t.trouble) } else { None })
        .collect()
}

#[tokio::test]
async fn without_a_word_everything_is_forwarded_and_later_the_connections_are_handed_back() {
    let (name, _) = database().await;
    let own = Limits {
        fail_open: Duration::from_millis(600),
        abandoned: Duration::from_millis(1_200),
        hand_back: LONG,
    };
    let before = Before::new(Protocol::Postgres, postgres_port(), own).await;
    let mut pod = Postgres::connect(before.address, &name).await.unwrap();
    before.fault(Fault::Hang, LONG).await;
    let since = Instant::now();
    pod.run("SELECT 1").await.unwrap();
    assert!((500..1_000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
    sleep(Duration::from_secs(1)).await;
    assert!(pod.run("SELECT 2").await.is_err(), "it was idle: it was closed");
    let again = Postgres::connect(before.address, &name).await;
    assert!(again.is_ok(), "whoever comes is let through, for as long as the agent is there");
    assert!(troubles(before.facts().await).contains(&Trouble::FailedOpen));
}

#[tokio::test]
async fn an_abandoned_agent_goes_on_forwarding_and_cuts_nothing() {
    let (name, _) = database().await;
    let own =
        Limits { hand_back: Duration::from_millis(200), abandoned: Duration::from_millis(400), ..limits() };
    let before = Before::new(Protocol::Postgres, postgres_port(), own).await;
    let mut busy = Postgres::connect(before.address, &name).await.unwrap();
    busy.run_simple("BEGIN").await.unwrap();
    before.fault(Fault::Hang, Duration::from_millis(1)).await;
    sleep(Duration::from_millis(1_500)).await;
    busy.run("SELECT 1").await.unwrap();
    let mut new = Postgres::connect(before.address, &name).await.unwrap();
    for _ in 0..3 {
        sleep(Duration::from_millis(300)).await;
        new.run("SELECT 1").await.unwrap();
    }
    assert_eq!(before.status().await.cut, 0);
}

#[tokio::test]
async fn a_connection_is_handed_back_when_it_is_idle_and_not_before() {
    let (name, direct) = database().await;
    let before = Before::new(Protocol::Postgres, postgres_port(), limits()).await;
    let mut idle = Postgres::connect(before.address, &name).await.unwrap();
    let mut busy = Postgres::connect(before.address, &name).await.unwrap();
    idle.run("SELECT 1").await.unwrap();
    busy.run_simple("BEGIN").await.unwrap();
    busy.run("INSERT INTO notes VALUES ('busy')").await.unwrap();
    before.hand_back().await;
    before.until("the idle one is closed", |pod| pod.open == 1).await;
    sleep(Duration::from_millis(300)).await;
    busy.run("INSERT INTO notes VALUES ('still busy')").await.unwrap();
    busy.run_simple("COMMIT").await.unwrap();
    before.until("the other one is closed too", |pod| pod.open == 0).await;
    assert!(idle.run("SELECT 1").await.is_err());
    assert_eq!(troubles(before.facts().await), []);
    let mut direct = Postgres::connect(direct, &name).await.unwrap();
    assert_eq!(direct.number("SELECT count(*) FROM notes").await, 2, "nothing was cut off");
    direct.close().await;
}

#[tokio::test]
async fn a_new_connection_is_not_handed_back_before_its_first_query() {
    let (name, _) = database().await;
    let before = Before::new(Protocol::Postgres, postgres_port(), limits()).await;
    before.hand_back().await;
    // The Service may lead here for a moment more.
    let mut new = Postgres::connect(before.address, &name).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    new.run("SELECT 1").await.unwrap();
    before.until("it is closed", |pod| pod.open == 0).await;
    let unused = Postgres::connect(before.address, &name).await.unwrap();
    before.until("one without any query is closed too", |pod| pod.open == 0).await;
    drop(unused);
}

#[tokio::test]
async fn what_is_never_idle_is_cut_at_the_end_and_that_is_told() {
    let (name, _) = database().await;
    let own = Limits { hand_back: Duration::from_millis(500), ..limits() };
    let before = Before::new(Protocol::Postgres, postgres_port(), own).await;
    let mut busy = Postgres::connect(before.address, &name).await.unwrap();
    busy.run_simple("BEGIN").await.unwrap();
    before.hand_back().await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(before.pod().await.open, 1);
    before.until("it is cut", |pod| pod.open == 0).await;
    assert_eq!(before.status().await.cut, 1);
    assert_eq!(troubles(before.facts().await), [Trouble::Cut(1)]);
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
