//! What is kept of an answer: metrics of all, and an Event where the glass was broken.

use std::time::Duration;

use golive_pillars::metrics::prometheus_client::metrics::counter::Counter;
use golive_pillars::metrics::prometheus_client::metrics::family::Family;
use golive_pillars::metrics::prometheus_client::registry::Registry;
use k8s_openapi::api::core::v1::Event;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{from_value, json};
use tokio::time::timeout;

use super::answer::{kind, whys};
use super::asked::Asked;
use super::decide::{Decision, Refusal};
use super::mode::Mode;
use crate::moment::now;
use crate::report::legible;

/// Longest time for the Event: whoever broke the glass is in a hurry, and the log has it too.
const PATIENCE: Duration = Duration::from_secs(1);

/// An Event's message is cut by the API server beyond this.
const MAX_MESSAGE: usize = 1_000;

/// Clones share the counters.
#[derive(Clone)]
pub(super) struct Record {
    client: Client,
    answers: Family<[(&'static str, &'static str); 2], Counter>,
    unable: Counter,
}

impl Record {
    pub(super) fn new(client: Client) -> Self {
        let record = Self { client, answers: Family::default(), unable: Counter::default() };
        // A series that is there from the start shows its first increase.
        for mode in Mode::ALL {
            for decision in ["unasked", "proven", "break-glass", "refused"] {
                drop(record.answers.get_or_create(&[("mode", mode.name()), ("decision", decision)]));
            }
        }
        record
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Deployments that were asked about, by what their namespace requires and what was found";
        registry.register("golive_admission_answers", help, self.answers.clone());
        let help = "Questions that were not answered, since runs or the policy are not known";
        registry.register("golive_admission_unable", help, self.unable.clone());
    }

    /// Keeps a decision. A dry run changes nothing, and is not counted.
    pub(super) async fn decided(&self, asked: &Asked, decision: &Decision, mode: Mode) {
        if asked.dry_run {
            return;
        }
        self.answers.get_or_create(&[("mode", mode.name()), ("decision", kind(decision))]).inc();
        if let Decision::BrokenGlass { reason, refusals } = decision {
            self.broken_by(asked, reason, refusals).await;
        }
    }

    pub(super) fn unable(&self, why: &str) {
        self.unable.inc();
        tracing::warn!(why, "not answered; the failure policy decides");
    }

    async fn broken_by(&self, asked: &Asked, reason: &str, refusals: &[Refusal]) {
        let (Asked { namespace, name, .. }, user) = (asked, &asked.user_info.username);
        let (reason, whys) = (legible(reason), whys(refusals));
        tracing::warn!(namespace, name, user, reason, whys, "the glass was broken");
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let told = format!("{user} broke the glass: {reason}. {whys}");
        let written = async {
            let event: Event = from_value(event(asked, &told)).map_err(|e| e.to_string())?;
            events.create(&PostParams::default(), &event).await.map_err(|e| e.to_string())
        };
        match timeout(PATIENCE, written).await {
            Ok(Ok(_)) => {}
            Ok(Err(why)) => tracing::error!(namespace, name, why, "no Event of the broken glass"),
            Err(_) => {
                tracing::error!(namespace, name, why = "no answer within 1 s", "no Event of the broken glass")
            }
        }
    }
}

fn event(asked: &Asked, told: &str) -> serde_json::Value {
    let (Asked { namespace, name, .. }, uid) = (asked, &asked.after.metadata.uid);
    let at = jiff::Timestamp::from_millisecond(now()).map(|at| at.to_string()).unwrap_or_default();
    let begin = if name.is_empty() { "deployment" } else { name };
    let id = uuid::Uuid::new_v4().simple().to_string();
    let message: String = told.chars().take(MAX_MESSAGE).collect();
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": format!("{begin}.{}", &id[..10]), "namespace": namespace },
        "involvedObject": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name, "namespace": namespace, "uid": uid },
        "type": "Warning", "reason": "BreakGlass", "message": message,
        "source": { "component": "golive-admission" }, "firstTimestamp": at, "lastTimestamp": at, "count": 1
    })
}
