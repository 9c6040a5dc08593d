//! A target whose rolls take minutes, at the fake API server: what can be known before is not found out by its users.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::observed::{Kept, observing, target, writes};
use super::{ClusterRun, Held, Prepared};
use crate::cluster::fake::Fake;
use crate::cluster::{HeldLease, Takeover};
use crate::config::Purpose;
use crate::events::Events;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::Gate;

/// Prepares a proof of a target whose pods must be ready for ten minutes before the next one is replaced.
async fn prepared(minutes: u64) -> (Fake, Result<Prepared, Failure>) {
    let (fake, mut cluster) = Fake::start().await;
    target(&fake).change(|deployment| deployment["spec"]["minReadySeconds"] = json!(600));
    let spec = json!({ "clusterIP": "10.0.0.7", "ports": [{ "port": 5432 }] });
    let postgres = json!({ "metadata": { "name": "postgres" }, "spec": spec });
    fake.put("/api/v1/namespaces/demo/services/postgres", postgres);
    fake.live(&mut cluster).await;
    let run = ClusterRun { purpose: Purpose::Prove, timeout: Duration::from_mins(minutes), ..observing() };
    let sink = Kept::default();
    let gate = Gate { cancel: CancellationToken::new(), events: Events::unheard(), sink: &sink };
    let name = "golive-users-1";
    let lease = HeldLease::take(&cluster, (name, run.purpose), Takeover::Lapsed, |_| {}).await.unwrap();
    let held = Held { gate: &gate, run: &run, cluster: &cluster, lease: &lease };
    let prepared = Box::pin(held.prepare(name)).await;
    (fake, prepared)
}

#[tokio::test(start_paused = true)]
async fn what_cannot_end_in_time_is_refused_before_anything_is_touched() {
    let (fake, refused) = prepared(15).await;
    let refused = refused.err().expect("two rolls of ten minutes");
    assert_eq!(refused.exit(), Exit::Usage);
    let text = refused.to_string();
    assert!(text.contains("--timeout is 15.0 min") && text.contains("pass `--timeout"), "{text}");
    assert!(writes(&fake).iter().all(|what| what.contains("/leases")), "{:?}", writes(&fake));
}

#[tokio::test(start_paused = true)]
async fn with_the_time_that_it_takes_it_begins() {
    let (_, prepared) = prepared(40).await;
    let prepared = prepared.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(prepared.target.least_roll, Duration::from_mins(10));
}
