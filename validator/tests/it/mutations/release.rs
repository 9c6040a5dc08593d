//! Mutations for the checks of release.

use golive_validator::check::Outcome;
use golive_validator::evidence::{Edge, Evidence, Fact, ObjectKind, Step, StepTrouble};
use golive_validator::plan::Place;
use serde_json::json;

use super::Mutation;
use super::change::{last_in_peace, objects};

pub(super) const RELEASE: &[Mutation] = &[
    ("GL-R001", Outcome::Fail, |e| {
        objects(e, ObjectKind::Deployment, |d| {
            d["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = json!(1)
        });
    }),
    ("GL-R001", Outcome::Skipped, |e| e.header.plan.place = Place::Machine),
    ("GL-R002", Outcome::Fail, |e| objects(e, ObjectKind::Deployment, |d| d["spec"]["replicas"] = json!(1))),
    ("GL-R003", Outcome::Fail, |e| {
        e.facts.retain(|f| !matches!(f, Fact::Object(o) if o.kind == ObjectKind::PodDisruptionBudget));
    }),
    ("GL-R004", Outcome::Fail, |e| objects(e, ObjectKind::Pod, |pod| pod["spec"]["nodeName"] = json!("one"))),
    ("GL-R201", Outcome::Fail, |e| ends(e, &StepTrouble::Stuck("new pod x: CrashLoopBackOff".into()))),
    ("GL-R201", Outcome::Inconclusive, |e| {
        ends(e, &StepTrouble::OutOfTime("2 of 3 old pods are left".into()))
    }),
    ("GL-R202", Outcome::Fail, |e| {
        let last = last_in_peace(e, ObjectKind::EndpointSlice, |_| true);
        let Fact::Object(slice) = &mut e.facts[last] else { unreachable!() };
        for endpoint in slice.object["endpoints"].as_array_mut().unwrap() {
            endpoint["conditions"]["ready"] = json!(false);
        }
    }),
    ("GL-R203", Outcome::Fail, |e| {
        objects(e, ObjectKind::ReplicaSet, |set| set["spec"]["replicas"] = json!(9));
    }),
];

/// The roll out ends early.
fn ends(evidence: &mut Evidence, trouble: &StepTrouble) {
    for fact in &mut evidence.facts {
        if let Fact::Step(step) = fact
            && step.step == Step::RollOut
            && step.edge == Edge::End
        {
            step.trouble = Some(trouble.clone());
        }
    }
}
