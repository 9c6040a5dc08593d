//! How long questions take when they come as fast as in a large cluster. What is printed stands in docs/benchmarks.md.

use std::time::Duration;

use kube::runtime::watcher::Event;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::super::knowledge::Runs;
use super::learned::{ended, keep};
use super::socket::{Served, served_with};
use super::tls::Keeping;
use super::{GOOD, deployment, review};

/// Questions a second, over so many seconds and connections, while so many runs are known.
const RATE: u32 = 200;
const SECONDS: u32 = 20;
const CONNECTIONS: u32 = 4;
const RUNS: usize = 200;

/// Longest time that 99 of a hundred questions may take, in a build for release.
const P99: Duration = Duration::from_millis(20);

/// A server that knows as many runs as 40 checks keep.
async fn busy() -> Served {
    served_with("rate", async |fake, knowledge| {
        for run in 0..RUNS {
            let name = format!("run-{run}");
            keep(fake, &name);
            knowledge.heed("demo", Event::Apply(ended(&name)), &mut Runs::new()).await.unwrap();
        }
    })
    .await
}

/// Every so-and-so-many-th question, each when it is due; how long after that it was answered.
async fn asked(mut client: Keeping, first: u32, begin: Instant) -> Vec<Duration> {
    let question = review(&deployment(&[&format!("users@{GOOD}")], ""), None, "ann").to_string();
    let mut took = Vec::new();
    for number in (first..RATE * SECONDS).step_by(CONNECTIONS as usize) {
        let due = begin + Duration::from_secs(1) * number / RATE;
        sleep_until(due).await;
        let answer = client.post("/go", question.clone()).await.unwrap();
        took.push(due.elapsed());
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        // The runs are old: what is looked for and found is as much as for a GO that holds.
        let told = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(told.contains("was good until"), "{told}");
    }
    took
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes 20 s, and its figures want a machine of their own: make soak"]
async fn every_one_of_200_questions_a_second_is_answered() {
    let server = busy().await;
    let begin = Instant::now() + Duration::from_millis(100);
    let mut clients = Vec::new();
    for first in 0..CONNECTIONS {
        clients.push(tokio::spawn(asked(server.client().await, first, begin)));
    }
    let mut took = Vec::new();
    for client in clients {
        took.extend(client.await.unwrap());
    }
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 1_000];
    println!(
        "{} questions at {RATE} a second, {RUNS} runs known: p50 {:?}, p99 {:?}, longest {:?}",
        took.len(),
        at(500),
        at(990),
        at(1_000)
    );
    if !cfg!(debug_assertions) {
        assert!(at(990) <= P99, "99 % took up to {:?}, {P99:?} are allowed", at(990));
    }
}
