//! The checks of a run that need declarations alone: what they say of a manifest is what they would say of the cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Container;
use serde_json::Value;

use super::Hit;
use super::bundle::Bundle;
use super::workload::{Workload, said};
use crate::check::{Check, Outcome, Severity};
use crate::checks;
use crate::cluster::{declared_pre_stop, declared_probe};
use crate::config::{GoLivePolicy, Probe, Purpose};
use crate::evidence::{Change, Evidence, Fact, Header, ObjectFact, ObjectKind};
use crate::plan::{Part, Place, Plan, PreStop, TargetPlan, TrafficPlan, Waivers};
use crate::timeline::Timeline;

/// Codes, and where in the manifest their answer stands.
const READ: [(&str, &str); 7] = [
    ("GL-H001", "CONTAINER/readinessProbe"),
    ("GL-H002", "CONTAINER/livenessProbe"),
    ("GL-H003", "CONTAINER/livenessProbe"),
    ("GL-S001", "/spec/template/spec/terminationGracePeriodSeconds"),
    ("GL-R001", "/spec/strategy"),
    ("GL-R002", "/spec/replicas"),
    ("GL-R003", "/spec"),
];

/// Whether a check is one of them.
pub(super) fn is_read(check: &str) -> bool {
    READ.iter().any(|(id, _)| *id == check)
}

/// What they find.
pub(super) fn hits(workload: &Workload, bundle: &Bundle, policy: &GoLivePolicy) -> Vec<Hit> {
    // A rule of its own says why they cannot be read; nothing else can be said of the workload then.
    let Ok(probes) = Probes::read(workload) else { return Vec::new() };
    let evidence = evidence(workload, bundle, probes, policy);
    let timeline = Timeline::new(&evidence);
    let applies = |check: &&'static Check| applies(check.id, workload, bundle);
    let mine = READ.iter().filter_map(|(id, at)| Some((checks::find(id)?, at)));
    let mine = mine.filter(|(check, _)| applies(check));
    mine.filter_map(|(check, at)| {
        let finding = (check.judge)(&timeline);
        let severity = match finding.outcome {
            Outcome::Fail => policy.spec.weight(check.id, check.severity),
            Outcome::Warn => policy.spec.weight(check.id, check.severity).max(Severity::Minor),
            Outcome::Pass | Outcome::Inconclusive | Outcome::Skipped | Outcome::Waived => return None,
        };
        let at = at.replace("CONTAINER", &workload.container_at());
        Some(workload.hit((check.id, check.slug, severity, check.remedy), said(at, finding.summary)))
    })
    .collect()
}

/// A probe that cannot be asked: where it stands, and why.
pub(super) fn unreadable_probe(workload: &Workload) -> Option<(String, String)> {
    Probes::read(workload).err()
}

/// What nobody asks for needs no probe; what an autoscaler counts, `replicas` does not say; only a Deployment surges.
fn applies(id: &str, workload: &Workload, bundle: &Bundle) -> bool {
    match id {
        "GL-H001" => bundle.is_served(workload),
        "GL-R001" => workload.is_deployment(),
        "GL-R002" => workload.is_counted() && bundle.autoscaler_of(workload).is_none(),
        "GL-R003" => workload.is_counted() && bundle.is_served(workload),
        _ => true,
    }
}

struct Probes {
    readiness: Option<Probe>,
    liveness: Option<Probe>,
    pre_stop: PreStop,
}

impl Probes {
    /// A container that is none is left to the API server, which says it better.
    fn read(workload: &Workload) -> Result<Self, (String, String)> {
        let Ok(container) = serde_json::from_value::<Container>(workload.container().clone()) else {
            return Ok(Self { readiness: None, liveness: None, pre_stop: PreStop::None });
        };
        let read = |field: &str, probe: Option<&_>| {
            let at = format!("{}/{field}", workload.container_at());
            declared_probe(probe, &container).map_err(|failure| (at, failure.message().to_owned()))
        };
        Ok(Self {
            readiness: read("readinessProbe", container.readiness_probe.as_ref())?,
            liveness: read("livenessProbe", container.liveness_probe.as_ref())?,
            pre_stop: declared_pre_stop(&container),
        })
    }
}

/// A record of nothing but what is declared, as a run begins it.
fn evidence(workload: &Workload, bundle: &Bundle, probes: Probes, policy: &GoLivePolicy) -> Evidence {
    let Probes { readiness, liveness, pre_stop } = probes;
    let manifest = &workload.manifest;
    let target = TargetPlan {
        namespace: manifest.namespace().to_owned(),
        deployment: manifest.name().to_owned(),
        service: String::new(),
        image: String::new(),
        candidate: None,
        version: String::new(),
        replicas: 1,
        port: 0,
        container: workload.container()["name"].as_str().unwrap_or_default().to_owned(),
        readiness,
        liveness,
        pre_stop,
        nodes: 0,
        assumed: Vec::new(),
    };
    let ports = BTreeMap::new();
    let traffic =
        TrafficPlan { rate: 1.0, sampled: 0.0, requests: Vec::new(), ports, given: Vec::new(), agents: 0 };
    let plan = Plan {
        run: "lint".into(),
        place: Place::Cluster,
        purpose: Purpose::Prove,
        parts: Part::all(),
        target,
        trace_prefix: String::new(),
        traffic,
        dependencies: Vec::new(),
        policy: policy.clone(),
        waivers: Waivers::Count,
        answers: Vec::new(),
    };
    let header = Header::of(&plan, 0);
    let listed = |kind, object: &Value| {
        Fact::Object(ObjectFact { at: 0, kind, change: Change::Listed, object: object.clone() })
    };
    let budgets = bundle.budgets_near(workload).map(|b| listed(ObjectKind::PodDisruptionBudget, &b.value));
    let facts = [listed(ObjectKind::Deployment, &manifest.value)].into_iter().chain(budgets).collect();
    Evidence::new(header, facts)
}
