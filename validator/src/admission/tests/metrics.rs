//! What alerts look at, by the names under which it is exposed: under another one they would be silent.

use std::collections::BTreeSet;
use std::sync::Arc;

use golive_pillars::metrics::prometheus_client::encoding::text::encode;
use golive_pillars::metrics::prometheus_client::registry::Registry;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::super::knowledge::{Knowledge, Runs};
use super::super::record::Record;
use super::super::routes::{Gate, routes};
use super::tls::Keeping;
use super::{BARE, deployment, review, rules};
use crate::cluster::fake::Fake;

/// A webhook that knows nothing yet, without TLS, and what it exposes.
struct Webhook {
    client: Keeping,
    knowledge: Arc<Knowledge>,
    registry: Registry,
}

impl Webhook {
    async fn start() -> Self {
        let (_, client) = Fake::client().await;
        let knowledge = Arc::new(Knowledge::new(client.clone(), &["demo".into()], "default"));
        let record = Record::new(client);
        let mut registry = Registry::default();
        record.register(&mut registry);
        knowledge.register(&mut registry);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = routes(Gate::new(knowledge.clone(), rules(), record));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = Keeping::over(TcpStream::connect(address).await.unwrap()).await;
        Self { client, knowledge, registry }
    }

    /// Lists the runs, of which there is none.
    async fn learn(&self) {
        self.knowledge.heed("demo", Event::InitDone, &mut Runs::new()).await.unwrap();
    }

    async fn ask(&mut self, question: &Value) -> u16 {
        self.client.post("/go", question.to_string()).await.unwrap().status().as_u16()
    }

    fn exposed(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }

    fn assert_counted(&self, series: &str, times: u32) {
        let line = format!("{series} {times}");
        assert!(self.exposed().lines().any(|one| one == line), "{line} is not in {}", self.exposed());
    }
}

/// A question about an image without a GO, by somebody with or without a reason.
fn question(reason: &str) -> Value {
    review(&deployment(&[&format!("users@{BARE}")], reason), None, "ann")
}

const BROKEN: &str = "golive_admission_answers_total{mode=\"go\",decision=\"break-glass\"}";
const REFUSED: &str = "golive_admission_answers_total{mode=\"go\",decision=\"refused\"}";
const UNABLE: &str = "golive_admission_unable_total";

#[tokio::test]
async fn broken_glass_is_counted_and_a_dry_run_is_not() {
    let mut webhook = Webhook::start().await;
    webhook.learn().await;
    let mut dry = question("INC-7");
    dry["request"]["dryRun"] = json!(true);
    assert_eq!(webhook.ask(&dry).await, 200);
    webhook.assert_counted(BROKEN, 0);
    assert_eq!(webhook.ask(&question("INC-7")).await, 200);
    webhook.assert_counted(BROKEN, 1);
    assert_eq!(webhook.ask(&question("")).await, 200);
    webhook.assert_counted(REFUSED, 1);
    webhook.assert_counted(BROKEN, 1);
    webhook.assert_counted(UNABLE, 0);
}

#[tokio::test]
async fn who_knows_nothing_answers_500_for_the_failure_policy_and_that_is_counted() {
    let mut webhook = Webhook::start().await;
    assert_eq!(webhook.ask(&question("")).await, 500);
    webhook.assert_counted(UNABLE, 1);
    webhook.assert_counted(REFUSED, 0);
    webhook.learn().await;
    assert_eq!(webhook.ask(&question("")).await, 200);
    webhook.assert_counted(UNABLE, 1);
}

#[tokio::test]
async fn what_the_alerts_of_the_chart_ask_of_the_webhook_is_exposed() {
    let exposed = Webhook::start().await.exposed();
    let alerts = include_str!("../../../../charts/validator/rules/admission.yaml");
    let words = alerts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let asked: BTreeSet<&str> = words.filter(|word| word.starts_with("golive_admission_")).collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for name in asked {
        assert!(exposed.lines().any(|line| line.starts_with(name)), "{name} is not in {exposed}");
    }
}
