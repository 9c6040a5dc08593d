mod kept;
mod looks;
mod one_at_a_time;
mod policies;
mod told;

use std::iter;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use clap::Parser as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, from_value, json};

use super::{Context, reconcile};
use crate::checks::ALL;
use crate::cli::{Cli, Command};
use crate::cluster::fake::Fake;
use crate::operator::Settings;
use crate::operator::traces::Traces;
use crate::report::Format;

const CHECK: &str = "/apis/golive.dev/v1alpha1/namespaces/demo/golivechecks/users";
const RUNS: &str = "/apis/golive.dev/v1alpha1/namespaces/demo/goliveruns/";
const JOBS: &str = "/apis/batch/v1/namespaces/demo/jobs/";
const MAPS: &str = "/api/v1/namespaces/demo/configmaps/";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/demo/deployments/users";

/// A server with a check and its deployment, at rest.
async fn world() -> (Fake, Arc<Context>) {
    traced_world(Traces::start(None).unwrap()).await
}

async fn traced_world(traces: Traces) -> (Fake, Arc<Context>) {
    let (fake, client) = Fake::client().await;
    fake.put(
        CHECK,
        json!({
            "apiVersion": "golive.dev/v1alpha1", "kind": "GoLiveCheck",
            "metadata": { "name": "users", "namespace": "demo", "uid": "u1", "generation": 1 },
            "spec": {
                "target": { "deployment": "users" }, "traffic": { "requests": [{ "get": "/api/users" }] },
                "always": { "keep": 1 }
            }
        }),
    );
    fake.put(DEPLOYMENT, deployment("users:1"));
    let settings = Settings {
        namespaces: vec!["demo".into()],
        image: "v:1".into(),
        account: "golive".into(),
        management_port: 0,
        otel_endpoint: None,
    };
    (fake, Arc::new(Context::new(client, "demo", &settings, traces)))
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "users", "generation": 1 },
        "spec": { "replicas": 1, "selector": {}, "template": { "spec": { "containers": [{ "name": "c", "image": image }] } } },
        "status": { "observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1 }
    })
}

/// That, and its first run under way.
async fn running() -> (Fake, Arc<Context>, String) {
    let (fake, context) = world().await;
    once(&fake, &context).await;
    let run = runs(&fake).remove(0);
    (fake, context, run)
}

/// Writes into the check, where a JSON pointer leads to.
fn change(fake: &Fake, pointer: &str, value: Value) {
    let mut check = fake.get(CHECK).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    check.pointer_mut(parent).unwrap()[name] = value;
    fake.put(CHECK, check);
}

async fn once(fake: &Fake, context: &Arc<Context>) {
    let check = from_value(fake.get(CHECK).unwrap()).unwrap();
    reconcile(Arc::new(check), context.clone()).await.unwrap();
}

fn runs(fake: &Fake) -> Vec<String> {
    fake.paths().iter().filter_map(|path| path.strip_prefix(RUNS).map(str::to_owned)).collect()
}

/// Writes that the server has heard of.
fn writes(fake: &Fake) -> usize {
    fake.heard().iter().filter(|heard| !heard.what.starts_with("GET")).count()
}

fn condition(fake: &Fake, kind: &str) -> (String, String) {
    let check = fake.get(CHECK).unwrap();
    let all = check["status"]["conditions"].as_array().unwrap();
    let one = all.iter().find(|condition| condition["type"] == kind).unwrap();
    (one["status"].as_str().unwrap().into(), one["reason"].as_str().unwrap().into())
}

/// The Job of a run ends, and its pod has said this.
fn end(fake: &Fake, run: &str, said: &Value, exit: i64) {
    let path = format!("{JOBS}{run}");
    let mut job = fake.get(&path).unwrap();
    job["status"] = json!({ "conditions": [{ "type": if exit == 0 { "Complete" } else { "Failed" }, "status": "True" }] });
    fake.put(&path, job);
    let pod = format!("/api/v1/namespaces/demo/pods/{run}-x");
    fake.put(
        &pod,
        json!({
            "metadata": { "name": format!("{run}-x"), "labels": { "job-name": run, "golive.dev/check": "users" } },
            "status": { "phase": if exit == 0 { "Succeeded" } else { "Failed" }, "containerStatuses": [{
                "name": "validator", "image": "v", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": { "exitCode": exit } }
            }] }
        }),
    );
    fake.say(&format!("{pod}/log"), &serde_json::to_string_pretty(said).unwrap());
}

/// The report of a recorded run.
fn report(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let report = crate::judge::judge(&crate::evidence::read(&path).unwrap(), ALL);
    let mut out = Vec::new();
    report.write(Format::Json, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// The command line takes what it is told, and has ended its rolls and put everything back before its Job is out of time.
fn ends_before_its_job(job: &Value) {
    let arguments = job["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let line = arguments.iter().map(|argument| argument.as_str().unwrap());
    let Command::Run(run) = Cli::try_parse_from(iter::once("validator").chain(line)).unwrap().command else {
        panic!("{arguments:?}")
    };
    let (timeout, deadline) = (run.gate.timeout.0, job["spec"]["activeDeadlineSeconds"].as_f64().unwrap());
    assert!((900.0..=deadline - 600.0).contains(&timeout), "{timeout} s of {deadline} s");
}

#[tokio::test]
async fn a_candidate_is_run_once_and_its_verdict_stands_in_the_status() {
    let (fake, context) = world().await;
    once(&fake, &context).await;
    let all = runs(&fake);
    let [run] = all.as_slice() else { panic!("{all:?}") };
    let job = fake.get(&format!("{JOBS}{run}")).unwrap();
    assert_eq!(
        (&job["spec"]["backoffLimit"], &job["metadata"]["ownerReferences"][0]["name"]),
        (&json!(0), &json!(run))
    );
    let given = fake.get(&format!("{MAPS}{run}")).unwrap();
    ends_before_its_job(&job);
    crate::config::GoLiveCheck::parse(given["data"]["golive.yaml"].as_str().unwrap()).unwrap();
    assert_eq!(condition(&fake, "Complete"), ("False".into(), "Running".into()));
    end(&fake, run, &report("bare.evidence.zst"), 1);
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "GoLive"), ("False".into(), "NoGo".into()));
    assert_eq!(condition(&fake, "Complete").0, "True");
    let status = fake.get(CHECK).unwrap()["status"].clone();
    assert_eq!((&status["verdict"], &status["passing"]), (&json!("NO-GO"), &json!("0/4")));
    assert!(status["findings"][0].as_str().unwrap().starts_with("GL-"), "{status}");
    assert!(fake.get(&format!("{MAPS}{run}-report")).unwrap()["binaryData"]["report.json.gz"].is_string());
    let before = writes(&fake);
    for _ in 0..3 {
        once(&fake, &context).await;
    }
    assert_eq!(
        (writes(&fake), runs(&fake).len()),
        (before, 1),
        "nothing changed, nothing is written or repeated"
    );
}

#[tokio::test]
async fn a_new_image_is_another_run_and_the_old_verdict_is_not_about_it() {
    let (fake, context, first) = running().await;
    end(&fake, &first, &report("good.evidence.zst"), 0);
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "GoLive").0, "True");
    fake.put(DEPLOYMENT, deployment("users:2"));
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "GoLive"), ("Unknown".into(), "Running".into()));
    let second = runs(&fake).into_iter().find(|run| *run != first).unwrap();
    end(&fake, &second, &report("bare.evidence.zst"), 1);
    once(&fake, &context).await;
    assert_eq!(
        (runs(&fake), condition(&fake, "GoLive").1),
        (vec![second], "NoGo".to_owned()),
        "one run is kept"
    );
}

#[tokio::test]
async fn a_go_whose_candidate_did_not_stay_and_a_job_that_is_gone_are_no_verdict() {
    let (fake, context, run) = running().await;
    end(&fake, &run, &report("good.evidence.zst"), 3);
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "GoLive"), ("Unknown".into(), "NoVerdict".into()));
    let (fake, context) = world().await;
    once(&fake, &context).await;
    let run = runs(&fake).remove(0);
    fake.remove(&format!("{JOBS}{run}"));
    once(&fake, &context).await;
    once(&fake, &context).await;
    assert_eq!(
        (condition(&fake, "GoLive").1.as_str(), runs(&fake).len()),
        ("NoVerdict", 1),
        "it is not begun again"
    );
    assert!(fake.get(&format!("{JOBS}{run}")).is_none());
}

#[tokio::test]
async fn an_operator_that_died_between_two_writes_goes_on_where_it_was() {
    let (whole, context) = world().await;
    once(&whole, &context).await;
    let run = runs(&whole).remove(0);
    let after = writes(&whole);
    for dies_at in 0..after {
        let (fake, context) = world().await;
        let heard = fake.heard().len();
        fake.fail(heard + dies_at);
        let check = from_value(fake.get(CHECK).unwrap()).unwrap();
        // It may fail here, and that is the point.
        reconcile(Arc::new(check), context.clone()).await.ok();
        once(&fake, &context).await;
        once(&fake, &context).await;
        assert_eq!(runs(&fake), std::slice::from_ref(&run), "died at write {dies_at}");
        assert!(fake.get(&format!("{JOBS}{run}")).is_some() && fake.get(&format!("{MAPS}{run}")).is_some());
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_stalled_with_the_reason() {
    let (fake, context) = world().await;
    let mut check = fake.get(CHECK).unwrap();
    check["spec"]["policy"] = json!("acme");
    fake.put(CHECK, check.clone());
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "Stalled").0, "True");
    let told = fake.get(CHECK).unwrap()["status"].to_string();
    assert!(told.contains("there is no GoLivePolicy `acme`"), "{told}");
    check["spec"]["traffic"]["rait"] = json!(1);
    fake.put(CHECK, check);
    once(&fake, &context).await;
    assert!(fake.get(CHECK).unwrap()["status"].to_string().contains("rait"));
    assert!(runs(&fake).is_empty());
}

#[tokio::test]
async fn a_job_and_its_evidence_are_kept_as_the_check_says() {
    let (fake, context) = world().await;
    let mut check = fake.get(CHECK).unwrap();
    check["spec"]["always"]["ttlAfterFinished"] = json!("5m");
    fake.put(CHECK, check.clone());
    once(&fake, &context).await;
    let told = fake.get(CHECK).unwrap()["status"].to_string();
    assert!(told.contains("ttlAfterFinished 300s: expected at least 10m"), "{told}");
    check["spec"]["always"] = json!({ "ttlAfterFinished": "1h", "evidenceClaim": "evidence" });
    fake.put(CHECK, check);
    once(&fake, &context).await;
    let told = fake.get(CHECK).unwrap()["status"].to_string();
    assert!(told.contains("there is no PersistentVolumeClaim `evidence` in demo"), "{told}");
    assert_eq!(condition(&fake, "Complete"), ("False".into(), "Waiting".into()));
    assert!(runs(&fake).is_empty());
    fake.put(
        "/api/v1/namespaces/demo/persistentvolumeclaims/evidence",
        json!({ "metadata": { "name": "evidence" } }),
    );
    once(&fake, &context).await;
    let run = runs(&fake).remove(0);
    let job = fake.get(&format!("{JOBS}{run}")).unwrap();
    assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 3_600);
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][1]["persistentVolumeClaim"]["claimName"], "evidence");
    assert_eq!(pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsUser"]);
    let arguments = pod["containers"][0]["args"].as_array().unwrap();
    assert!(arguments.contains(&json!(format!("/out/{run}.evidence.zst"))), "{arguments:?}");
    let told = fake.get(&format!("{RUNS}{run}")).unwrap()["spec"]["evidence"].clone();
    assert_eq!(told, json!(format!("evidence/{run}.evidence.zst")), "each run has a file of its own");
}

#[tokio::test]
async fn without_a_claim_the_evidence_goes_with_the_pod_and_the_job_after_a_day() {
    let (fake, context) = world().await;
    once(&fake, &context).await;
    let run = runs(&fake).remove(0);
    let job = fake.get(&format!("{JOBS}{run}")).unwrap();
    assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 86_400);
    assert!(job["spec"]["template"]["spec"]["volumes"][1]["emptyDir"].is_object());
    assert!(fake.get(&format!("{RUNS}{run}")).unwrap()["spec"].get("evidence").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_holds_up_no_other_check() {
    let (fake, context) = world().await;
    let check = from_value(fake.get(CHECK).unwrap()).unwrap();
    let silent = Context::new(Fake::silent(), "demo", &context.settings, Traces::start(None).unwrap());
    let trouble = reconcile(Arc::new(check), Arc::new(silent)).await.unwrap_err();
    assert!(trouble.to_string().contains("the API server did not answer within 30 s"), "{trouble}");
    assert_eq!(trouble.reason(), "connection", "it is counted as one");
}

type Spans = Arc<Mutex<Vec<Span>>>;

/// What takes spans, and its URL.
async fn collector() -> (Spans, String) {
    let spans = Spans::default();
    let kept = spans.clone();
    let take = move |body: Bytes| {
        let all = ExportTraceServiceRequest::decode(body).unwrap().resource_spans;
        let all = all.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans);
        kept.lock().unwrap().extend(all);
        std::future::ready(())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (spans, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconcile_is_one_trace_with_a_span_for_every_call_to_the_api_server() {
    let (spans, url) = collector().await;
    let traces = Traces::start(Some(&url)).unwrap();
    let (fake, context) = traced_world(traces.clone()).await;
    once(&fake, &context).await;
    fake.refuse(CHECK, 1);
    fake.put(DEPLOYMENT, deployment("users:2"));
    let check = from_value(fake.get(CHECK).unwrap()).unwrap();
    reconcile(Arc::new(check), context.clone()).await.unwrap_err();
    tokio::task::spawn_blocking(move || traces.flush(Duration::from_mins(1))).await.unwrap();
    let spans = spans.lock().unwrap();
    let roots: Vec<&Span> = spans.iter().filter(|span| span.name == "reconcile").collect();
    let [first, second] = roots.as_slice() else { panic!("{spans:?}") };
    assert!(first.trace_id != second.trace_id && first.status.as_ref().is_none_or(|status| status.code == 0));
    assert_eq!(second.status.as_ref().unwrap().code, 2, "its last call failed");
    let calls: Vec<&Span> =
        spans.iter().filter(|span| span.trace_id == first.trace_id && span.name != "reconcile").collect();
    assert!(calls.iter().all(|call| call.parent_span_id == first.span_id), "{calls:?}");
    let named = |name: &str| calls.iter().filter(|call| call.name == name).count();
    let counted = (named("get"), named("list"), named("create"), named("apply status"));
    let told = "deployment, run; runs twice and pods; run, what it is given, Job; run, check";
    assert_eq!(counted, (2, 3, 3, 2), "{told}");
}
