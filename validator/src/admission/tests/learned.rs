use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use golive_pillars::metrics::prometheus_client::encoding::text::encode;
use golive_pillars::metrics::prometheus_client::registry::Registry;
use kube::core::DynamicObject;
use kube::runtime::watcher::Event;
use kube::{Client, Config};
use serde_json::{Value, from_value, json};
use tokio::time::{sleep, timeout};

use super::super::knowledge::{Knowledge, Runs};
use super::{REPORTS, packed};
use crate::cluster::fake::Fake;

fn run(name: &str, status: &Value) -> DynamicObject {
    from_value(json!({
        "apiVersion": "golive.dev/v1alpha1", "kind": "GoLiveRun",
        "metadata": { "name": name, "uid": name, "labels": { "golive.dev/check": "users" } }, "status": status
    }))
    .unwrap()
}

pub(super) fn ended(name: &str) -> DynamicObject {
    run(name, &json!({ "phase": "Ended", "verdict": "GO", "report": format!("{name}-report") }))
}

/// A server with the report of a run.
pub(super) fn keep(fake: &Fake, name: &str) {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("{name}-report") },
        "binaryData": { "report.json.gz": STANDARD.encode(packed(&REPORTS[0])) }
    });
    fake.put(&format!("/api/v1/namespaces/demo/configmaps/{name}-report"), map);
}

async fn heed(knowledge: &Knowledge, events: Vec<Event<DynamicObject>>) -> Result<(), kube::Error> {
    let mut listed = Runs::new();
    for event in events {
        knowledge.heed("demo", event, &mut listed).await?;
    }
    Ok(())
}

fn known(knowledge: &Knowledge) -> usize {
    knowledge.now().unwrap().0.len()
}

#[tokio::test]
async fn nothing_is_answered_before_the_runs_of_every_namespace_were_listed() {
    let (_, client) = Fake::client().await;
    let knowledge = Knowledge::new(client, &["demo".into(), "shop".into()], "default");
    heed(&knowledge, vec![Event::Init, Event::InitDone]).await.unwrap();
    assert!(knowledge.now().unwrap_err().contains("runs of shop are not read"));
    knowledge.heed("shop", Event::InitDone, &mut Runs::new()).await.unwrap();
    assert_eq!(known(&knowledge), 0);
}

#[tokio::test]
async fn runs_come_and_go_and_only_those_with_a_verdict_prove_anything() {
    let (fake, client) = Fake::client().await;
    for name in ["a", "b", "c"] {
        keep(&fake, name);
    }
    let knowledge = Knowledge::new(client, &["demo".into()], "default");
    heed(&knowledge, vec![Event::Init, Event::InitApply(ended("a")), Event::InitDone]).await.unwrap();
    assert_eq!((known(&knowledge), knowledge.now().unwrap().0[0].check.as_str()), (1, "users"));
    heed(&knowledge, vec![Event::Apply(run("b", &json!({ "phase": "Running" })))]).await.unwrap();
    let taken_back = json!({ "phase": "Ended", "message": "GO, but taken back", "report": "c-report" });
    heed(&knowledge, vec![Event::Apply(run("c", &taken_back))]).await.unwrap();
    assert_eq!(known(&knowledge), 1);
    heed(&knowledge, vec![Event::Apply(ended("b"))]).await.unwrap();
    assert_eq!(known(&knowledge), 2);
    heed(&knowledge, vec![Event::Delete(ended("a"))]).await.unwrap();
    assert_eq!(known(&knowledge), 1);
    heed(&knowledge, vec![Event::Init, Event::InitDone]).await.unwrap();
    assert_eq!(known(&knowledge), 0, "what is listed no more is gone");
}

#[tokio::test]
async fn a_report_that_is_none_proves_nothing_and_one_that_is_missing_is_looked_for_again() {
    let (fake, client) = Fake::client().await;
    let knowledge = Knowledge::new(client, &["demo".into()], "default");
    fake.put(
        "/api/v1/namespaces/demo/configmaps/a-report",
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a-report" },
            "binaryData": { "report.json.gz": STANDARD.encode(b"no gzip") }
        }),
    );
    let list =
        || vec![Event::Init, Event::InitApply(ended("a")), Event::InitApply(ended("b")), Event::InitDone];
    heed(&knowledge, list()).await.unwrap();
    assert_eq!(known(&knowledge), 0, "b has none at all");
    keep(&fake, "b");
    heed(&knowledge, list()).await.unwrap();
    assert_eq!(known(&knowledge), 1);
}

#[tokio::test]
async fn a_policy_that_is_not_read_yet_answers_nothing() {
    let (_, client) = Fake::client().await;
    let knowledge = Knowledge::new(client, &[], "acme");
    assert!(knowledge.now().unwrap_err().contains("GoLivePolicy `acme` is not read yet"));
}

#[tokio::test]
async fn the_policy_of_the_cluster_holds_as_it_is_now_unless_it_decides_what_nobody_may() {
    const PATH: &str = "/apis/golive.dev/v1alpha1/golivepolicies/acme";
    let (fake, client) = Fake::client().await;
    let knowledge = Knowledge::new(client, &[], "acme");
    let put = |spec: &Value| {
        let (api, kind) = ("golive.dev/v1alpha1", "GoLivePolicy");
        fake.put(
            PATH,
            json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "acme" }, "spec": spec }),
        );
    };
    let days = async || {
        knowledge.read_policy().await;
        knowledge.now().map(|(_, policy)| policy.spec.verdict.valid_for_days)
    };
    for valid in [7, 9] {
        put(&json!({ "verdict": { "validForDays": valid } }));
        assert_eq!(days().await, Ok(valid), "a change is heard");
    }
    let waiver = json!({
        "check": "GL-S201", "scope": {}, "reason": "r", "owner": "o", "approver": "a", "until": "2099-12-31"
    });
    for wrong in [json!({ "waivers": [waiver] }), json!({ "severity": { "GL-S201": "info" } })] {
        put(&wrong);
        let refused = days().await.unwrap_err();
        assert!(refused.contains("GoLivePolicy `acme`") && refused.contains("GL-S201"), "{refused}");
    }
    put(&json!({}));
    assert_eq!(days().await, Ok(30), "it is mended");
    fake.remove(PATH);
    assert_eq!(days().await.unwrap_err(), "there is no GoLivePolicy `acme`");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_holds_up_no_report_and_no_policy() {
    let knowledge = Knowledge::new(Fake::silent(), &["demo".into()], "acme");
    let mut registry = Registry::default();
    knowledge.register(&mut registry);
    let late = heed(&knowledge, vec![Event::InitApply(ended("a"))]).await.unwrap_err().to_string();
    assert!(late.contains("could not read a report: the API server did not answer within 30 s"), "{late}");
    knowledge.read_policy().await;
    let counted = "golive_admission_read_failures_total{what=\"policy\"} 1";
    assert!(metrics(&registry).contains(counted), "{}", metrics(&registry));
}

fn metrics(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    text
}

#[tokio::test]
async fn reads_that_fail_are_counted_from_the_first_on() {
    // Nobody listens there.
    let client = Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
    let knowledge = Knowledge::new(client, &["demo".into()], "acme");
    let mut registry = Registry::default();
    knowledge.register(&mut registry);
    for what in ["runs", "report", "policy"] {
        let line = format!("golive_admission_read_failures_total{{what=\"{what}\"}} 0");
        assert!(metrics(&registry).contains(&line), "{line} is not in {}", metrics(&registry));
    }
    let counted = |what: &str| !metrics(&registry).contains(&format!("what=\"{what}\"}} 0"));
    let both = async {
        while !(counted("runs") && counted("policy")) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        told = timeout(Duration::from_mins(1), both) => told.unwrap(),
        () = async { tokio::join!(knowledge.follow("demo"), knowledge.follow_policy()); } => {}
    }
    assert!(!counted("report"));
}
