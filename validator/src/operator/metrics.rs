//! What the operator tells of itself and of its checks, read from what is watched anyway at each scrape.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use golive_pillars::health::Probe;
use golive_pillars::metrics::prometheus_client::collector::Collector;
use golive_pillars::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use golive_pillars::metrics::prometheus_client::metrics::MetricType;
use golive_pillars::metrics::prometheus_client::metrics::counter::Counter;
use golive_pillars::metrics::prometheus_client::metrics::family::Family;
use golive_pillars::metrics::prometheus_client::metrics::gauge::ConstGauge;
use golive_pillars::metrics::prometheus_client::registry::Registry;
use jiff::Timestamp;
use kube::core::DynamicObject;
use kube::runtime::reflector::Store;
use serde_json::Value;

use super::trouble::Trouble;

/// Counts of reconciles. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Reconciles {
    done: Counter,
    failed: Family<[(&'static str, String); 1], Counter>,
}

impl Reconciles {
    pub(super) fn done(&self) {
        self.done.inc();
    }

    pub(super) fn failed(&self, trouble: &Trouble) {
        self.failed.get_or_create(&[("reason", trouble.reason())]).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("golive_reconciles", "Reconciles that came to their end", self.done.clone());
        let help = "Reconciles that did not, by what the API server said";
        registry.register("golive_reconcile_failures", help, self.failed.clone());
    }
}

/// The checks of a namespace, as they are known.
pub(super) struct Checks {
    pub(super) namespace: String,
    pub(super) store: Store<DynamicObject>,
}

/// All checks that are watched.
pub(super) struct Watched(pub(super) Vec<Checks>);

impl Collector for Watched {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        verdicts(&self.0, &mut encoder)?;
        observed(&self.0, &mut encoder)?;
        last_go(&self.0, &mut encoder)?;
        let help = "Runs that prove, have begun and not ended";
        let mut family = encoder.encode_descriptor("golive_runs_under_way", help, None, MetricType::Gauge)?;
        for Checks { namespace, store } in &self.0 {
            let running = store.state().iter().filter(|check| reason(check, "Complete") == "Running").count();
            let labels = [("target_namespace", namespace.as_str())];
            ConstGauge::new(running as i64).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn verdicts(all: &[Checks], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "1 for what is said of the candidate as it is now: the reason of the condition GoLive";
    let mut family = encoder.encode_descriptor("golive_check_verdict", help, None, MetricType::Gauge)?;
    for Checks { namespace, store } in all {
        for check in store.state() {
            let (name, verdict) =
                (check.metadata.name.as_deref().unwrap_or_default(), reason(&check, "GoLive"));
            let labels = [("target_namespace", namespace.as_str()), ("check", name), ("verdict", verdict)];
            ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn observed(all: &[Checks], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "1 for what was last observed of what serves: the reason of the condition Observed";
    let mut family = encoder.encode_descriptor("golive_check_observed", help, None, MetricType::Gauge)?;
    for Checks { namespace, store } in all {
        for check in store.state().iter().filter(|check| !reason(check, "Observed").is_empty()) {
            let name = check.metadata.name.as_deref().unwrap_or_default();
            let labels = [
                ("target_namespace", namespace.as_str()),
                ("check", name),
                ("observed", reason(check, "Observed")),
            ];
            ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn last_go(all: &[Checks], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "When the run ended that says GO of the candidate as it is now, in Unix seconds";
    let mut family =
        encoder.encode_descriptor("golive_go_timestamp_seconds", help, None, MetricType::Gauge)?;
    for Checks { namespace, store } in all {
        for check in store.state() {
            let ended = check.data["status"]["ended"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
            let Some(ended) = ended.filter(|_| reason(&check, "GoLive").starts_with("Go")) else { continue };
            let name = check.metadata.name.as_deref().unwrap_or_default();
            let labels = [("target_namespace", namespace.as_str()), ("check", name)];
            ConstGauge::new(ended.as_second()).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

/// The reason of a condition; empty where there is none yet.
fn reason<'a>(check: &'a DynamicObject, kind: &str) -> &'a str {
    let all = check.data["status"]["conditions"].as_array();
    let one = all.into_iter().flatten().find(|one| one["type"] == kind);
    one.and_then(|one: &Value| one["reason"].as_str()).unwrap_or_default()
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.0.len()).finish()
    }
}

/// For readiness: the checks of every namespace were listed, by the one that leads. Who stands by is ready to.
pub(super) struct Listed {
    pub(super) stores: Vec<Store<DynamicObject>>,
    pub(super) leads: Arc<AtomicBool>,
}

impl Probe for Listed {
    async fn ping(&mut self) -> Result<(), String> {
        if !self.leads.load(Ordering::Relaxed) {
            return Ok(());
        }
        for store in &self.stores {
            store.wait_until_ready().await.map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use golive_pillars::health::Probe as _;
    use golive_pillars::metrics::prometheus_client::encoding::text::encode;
    use golive_pillars::metrics::prometheus_client::registry::Registry;
    use kube::runtime::reflector::store::Writer;
    use kube::runtime::watcher::Event;
    use serde_json::{Value, from_value, json};

    use super::super::kinds;
    use super::{Checks, Listed, Reconciles, Watched};
    use crate::operator::trouble::Trouble;

    fn check(name: &str, go_live: &str, complete: &str, ended: Option<&str>) -> Value {
        let condition = |kind: &str, reason: &str| json!({ "type": kind, "reason": reason });
        json!({
            "apiVersion": "golive.dev/v1alpha1", "kind": "GoLiveCheck", "metadata": { "name": name, "namespace": "demo" },
            "status": { "ended": ended, "conditions": [condition("GoLive", go_live), condition("Complete", complete)] }
        })
    }

    #[tokio::test]
    async fn who_stands_by_is_ready_and_who_leads_is_when_all_checks_are_listed() {
        let (mut writer, leads) = (Writer::new(kinds::checks()), Arc::new(AtomicBool::new(false)));
        let mut listed = Listed { stores: vec![writer.as_reader()], leads: leads.clone() };
        listed.ping().await.unwrap();
        leads.store(true, Ordering::Relaxed);
        assert!(tokio::time::timeout(Duration::from_millis(50), listed.ping()).await.is_err());
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
        listed.ping().await.unwrap();
    }

    #[test]
    fn checks_are_told_as_they_stand_and_reconciles_are_counted() {
        let mut writer = Writer::new(kinds::checks());
        let mut drifted = check("users", "GoWithWarnings", "RunEnded", Some("1970-01-01T00:01:00Z"));
        let conditions = drifted["status"]["conditions"].as_array_mut().unwrap();
        conditions.push(json!({ "type": "Observed", "reason": "Drifted" }));
        for one in [drifted, check("orders", "NoGo", "Running", Some("1970-01-01T00:02:00Z"))] {
            writer.apply_watcher_event(&Event::Apply(from_value(one).unwrap()));
        }
        let (reconciles, mut registry) = (Reconciles::default(), Registry::default());
        reconciles.done();
        reconciles.failed(&Trouble::Json(serde_json::from_str::<u8>("x").unwrap_err()));
        reconciles.register(&mut registry);
        let checks = Checks { namespace: "demo".into(), store: writer.as_reader() };
        registry.register_collector(Box::new(Watched(vec![checks])));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            r#"golive_check_verdict{target_namespace="demo",check="users",verdict="GoWithWarnings"} 1"#,
            r#"golive_check_verdict{target_namespace="demo",check="orders",verdict="NoGo"} 1"#,
            r#"golive_check_observed{target_namespace="demo",check="users",observed="Drifted"} 1"#,
            r#"golive_go_timestamp_seconds{target_namespace="demo",check="users"} 60"#,
            r#"golive_runs_under_way{target_namespace="demo"} 1"#,
            "golive_reconciles_total 1",
            r#"golive_reconcile_failures_total{reason="json"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(
            !text.contains(r#"golive_go_timestamp_seconds{target_namespace="demo",check="orders"}"#),
            "that was no GO"
        );
        assert_eq!(text.matches("golive_check_observed{").count(), 1, "nobody looks at orders");
    }
}
