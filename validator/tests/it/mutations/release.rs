//! Mutations for the checks of release.

use golive_validator::check::Outcome;
use golive_validator::config::{Answer, Day, Defaults, GoLivePolicy, Question, Words};
use golive_validator::evidence::{Edge, Evidence, Fact, ObjectKind, Step, StepTrouble};
use golive_validator::plan::Place;
use serde_json::json;

use super::Mutation;
use super::change::{another_image, edge, objects, template};

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
    ("GL-R003", Outcome::Pass, |e| {
        let expression = json!({ "key": "app.kubernetes.io/name", "operator": "Exists" });
        objects(e, ObjectKind::PodDisruptionBudget, |budget| {
            budget["spec"]["selector"] = json!({ "matchExpressions": [expression.clone()] });
        });
    }),
    ("GL-R004", Outcome::Fail, |e| objects(e, ObjectKind::Pod, |pod| pod["spec"]["nodeName"] = json!("one"))),
    ("GL-R005", Outcome::Warn, |e| e.header.plan.target.liveness.as_mut().unwrap().period_s = 7),
    ("GL-R005", Outcome::Warn, |e| template(e, |t| t["terminationGracePeriodSeconds"] = json!(60))),
    ("GL-R005", Outcome::Warn, |e| {
        let argument = json!([{ "name": "OTEL_TRACES_SAMPLER_ARG", "value": "1.0" }]);
        template(e, |t| t["containers"][0]["env"] = argument.clone());
    }),
    ("GL-R005", Outcome::Warn, |e| {
        e.header.plan.dependencies[0].breaker.as_mut().unwrap().trials = 2;
    }),
    ("GL-R005", Outcome::Skipped, |e| e.header.plan.policy.spec.defaults = Defaults::default()),
    ("GL-R006", Outcome::Fail, |e| e.header.plan.answers.truncate(1)),
    ("GL-R006", Outcome::Fail, |e| e.header.plan.answers[0].date = Day::of(0)),
    ("GL-R006", Outcome::Fail, |e| e.header.plan.answers[0].date = Day::of(e.header.started).after(1)),
    ("GL-R006", Outcome::Skipped, |e| e.header.plan.policy.spec.questions.clear()),
    ("GL-R201", Outcome::Fail, |e| ends(e, &StepTrouble::Stuck("new pod x: CrashLoopBackOff".into()))),
    ("GL-R201", Outcome::Inconclusive, |e| {
        ends(e, &StepTrouble::OutOfTime("2 of 3 old pods are left".into()))
    }),
    ("GL-R202", Outcome::Fail, |e| none_ready_in(e, Step::Tail)),
    ("GL-R202", Outcome::Fail, |e| none_ready_in(e, Step::RollIn)),
    ("GL-R202", Outcome::Fail, |e| {
        another_image(e);
        none_ready_in(e, Step::Tail);
    }),
    // What another image replaces may be what it repairs.
    ("GL-R202", Outcome::Warn, |e| {
        another_image(e);
        none_ready_in(e, Step::RollIn);
    }),
    ("GL-R203", Outcome::Fail, |e| {
        objects(e, ObjectKind::ReplicaSet, |set| set["spec"]["replicas"] = json!(9));
    }),
    ("GL-R203", Outcome::Pass, |e| scaled_between_the_rolls(e, ObjectKind::Deployment)),
    ("GL-R203", Outcome::Fail, |e| scaled_between_the_rolls(e, ObjectKind::ReplicaSet)),
];

/// Somebody asks for six pods instead of three: an autoscaler the deployment, or a stranger its replica set alone.
fn scaled_between_the_rolls(e: &mut Evidence, kind: ObjectKind) {
    let (since, is_autoscaler) = (edge(e, Step::Quiet, Edge::Begin), kind == ObjectKind::Deployment);
    let objects = e.facts.iter_mut().filter_map(|f| if let Fact::Object(o) = f { Some(o) } else { None });
    for object in objects.filter(|o| o.at >= since && o.object["spec"]["replicas"] == 3) {
        let is_set = object.kind == ObjectKind::ReplicaSet;
        if is_set || is_autoscaler {
            object.object["spec"]["replicas"] = json!(6);
        }
        if is_set && is_autoscaler {
            object.object["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] =
                json!("6");
        }
    }
}

/// The last change of the endpoints before the end of a step leaves none ready.
fn none_ready_in(e: &mut Evidence, step: Step) {
    let end = edge(e, step, Edge::End);
    let slices =
        e.facts.iter_mut().filter_map(|fact| if let Fact::Object(o) = fact { Some(o) } else { None });
    let last = slices.filter(|o| o.kind == ObjectKind::EndpointSlice && o.at < end).last().unwrap();
    for endpoint in last.object["endpoints"].as_array_mut().unwrap() {
        endpoint["conditions"]["ready"] = json!(false);
    }
}

/// The policy of the example, by which the run is judged, and an answer to each of its questions.
pub(super) fn add_policy(evidence: &mut Evidence) {
    let plan = &mut evidence.header.plan;
    plan.policy = GoLivePolicy::parse(include_str!("../../../../examples/policy.yaml")).unwrap();
    let text = |text: &str| Words::try_from(text.to_owned()).unwrap();
    let date = Day::of(evidence.header.started);
    let answer = |question: &Question| {
        let (link, by) = (text("https://example.com/users"), text("team-users"));
        Answer { question: question.id.clone(), link, by, date }
    };
    plan.answers = plan.policy.spec.questions.iter().map(answer).collect();
}

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
