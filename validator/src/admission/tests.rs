//! Questions about images of real runs.

mod body;
mod connection;
mod decision;
mod learned;
mod metrics;
mod rate;
mod socket;
mod tls;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use axum::Router;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::asked::{Asked, Review};
use super::knowledge::{Knowledge, Runs};
use super::known::{Rules, Run};
use super::record::Record;
use super::routes::{Gate, routes};
use crate::checks::ALL;
use crate::cluster::fake::Fake;
use crate::report::{Format, Report};
use crate::verify::Proof;

const GOOD: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const BARE: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const OTHER: &str = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

fn judged(name: &str) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    crate::judge::judge(&crate::evidence::read(&path).unwrap(), ALL)
}

/// The reports of a good and of a bare build, which ended at the same moment, each about a digest of its own.
static REPORTS: LazyLock<[Report; 2]> = LazyLock::new(|| {
    [("good.evidence.zst", GOOD), ("bare.evidence.zst", BARE)].map(|(name, digest)| {
        let mut report = judged(name);
        report.identity.image = "shop/users:1.2".to_owned();
        report.identity.digest = Some(format!("docker.io/shop/users@{digest}"));
        report.identity.ended = "2026-06-01T12:00:00Z".to_owned();
        report
    })
});

/// So many days after the runs, as Unix milliseconds.
fn days_after(days: i64) -> i64 {
    "2026-06-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond() + days * 86_400_000
}

fn runs() -> Vec<Arc<Run>> {
    let run =
        |report: &Report| Run { namespace: "demo".into(), check: "users".into(), proof: Proof::of(report) };
    REPORTS.iter().map(|report| Arc::new(run(report))).collect()
}

fn rules() -> Rules {
    let exempt = vec!["mesh/proxy".to_owned(), "registry:5000/side/*".to_owned()];
    Rules { exempt, account: "golive-validator".into(), asked_in: vec!["demo".into()] }
}

/// What answers while no run is known, what it knows, and the API server that it writes Events to.
async fn app() -> (Fake, Arc<Knowledge>, Router) {
    let (fake, client) = Fake::client().await;
    let knowledge = Arc::new(Knowledge::new(client.clone(), &["demo".into()], "default"));
    knowledge.heed("demo", Event::InitDone, &mut Runs::new()).await.unwrap();
    let app = routes(Gate::new(knowledge.clone(), rules(), Record::new(client)));
    (fake, knowledge, app)
}

/// A deployment with these containers, and a reason where somebody breaks the glass.
fn deployment(images: &[&str], reason: &str) -> Value {
    let containers: Vec<Value> = images
        .iter()
        .enumerate()
        .map(|(at, image)| json!({ "name": format!("c{at}"), "image": image }))
        .collect();
    let mut metadata = json!({ "name": "users", "namespace": "shop", "uid": "u1" });
    if !reason.is_empty() {
        metadata["annotations"] = json!({ "golive.dev/break-glass": reason });
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": { "template": { "spec": { "containers": containers } } }
    })
}

/// What the API server posts when somebody brings a deployment.
fn review(after: &Value, before: Option<&Value>, user: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "r1", "kind": { "group": "apps", "version": "v1", "kind": "Deployment" },
            "resource": { "group": "apps", "version": "v1", "resource": "deployments" },
            "name": "users", "namespace": "shop", "operation": if before.is_some() { "UPDATE" } else { "CREATE" },
            "userInfo": { "username": user }, "object": after, "oldObject": before, "dryRun": false, "options": null
        }
    })
}

fn asked(after: &Value, before: Option<&Value>, user: &str) -> Asked {
    let review: Review = serde_json::from_value(review(after, before, user)).unwrap();
    review.request
}

/// The same as the operator packs it.
fn packed(report: &Report) -> Vec<u8> {
    let mut text = Vec::new();
    report.write(Format::Json, &mut text).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, &text).unwrap();
    encoder.finish().unwrap()
}
