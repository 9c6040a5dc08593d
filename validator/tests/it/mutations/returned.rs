//! A candidate with another image that failed: the roll out brings back what was there before.

use golive_validator::check::Outcome;
use golive_validator::checks::ALL;
use golive_validator::evidence::{Change, Edge, Evidence, Fact, ObjectFact, ObjectKind, Step};
use golive_validator::judge::judge;
use serde_json::{Value, json};

use super::change::{another_image, edge};
use super::{good, outcome};

const CANDIDATE: &str = "registry/users@sha256:candidate";
const OLD: &str = "registry/users@sha256:old";

/// The pods of that roll, as objects of the run.
fn pods_since(evidence: &mut Evidence, step: Step) -> impl Iterator<Item = &mut ObjectFact> {
    let begin = edge(evidence, step, Edge::Begin);
    let names = |pods: Vec<&ObjectFact>| -> Vec<Value> {
        pods.iter().map(|pod| pod.object["metadata"]["name"].clone()).collect()
    };
    let pods = |facts: &'_ Evidence, before: bool| {
        let all = facts.facts.iter().filter_map(|f| if let Fact::Object(o) = f { Some(o) } else { None });
        names(all.filter(|o| o.kind == ObjectKind::Pod && (o.at < begin) == before).collect())
    };
    let (earlier, later) = (pods(evidence, true), pods(evidence, false));
    let came: Vec<Value> = later.into_iter().filter(|name| !earlier.contains(name)).collect();
    evidence.facts.iter_mut().filter_map(move |fact| match fact {
        Fact::Object(o) if o.kind == ObjectKind::Pod && came.contains(&o.object["metadata"]["name"]) => {
            Some(o)
        }
        _ => None,
    })
}

fn runs(pod: &mut ObjectFact, image: &str) {
    let statuses = pod.object.pointer_mut("/status/containerStatuses").and_then(Value::as_array_mut);
    statuses.into_iter().flatten().for_each(|status| status["imageID"] = json!(image));
}

/// Another image came in and was taken back: with the template of before, and its hash.
fn taken_back() -> (Evidence, Value) {
    let mut evidence = good();
    another_image(&mut evidence);
    let rolled_in = pods_since(&mut evidence, Step::RollIn).map(|pod| {
        runs(pod, CANDIDATE);
        pod.object["metadata"]["labels"]["pod-template-hash"].clone()
    });
    let candidates = rolled_in.collect::<Vec<_>>().swap_remove(0);
    let first = evidence.facts.iter().find_map(|fact| match fact {
        Fact::Object(o) if o.kind == ObjectKind::Pod && o.change == Change::Listed => {
            Some(o.object["metadata"]["labels"]["pod-template-hash"].clone())
        }
        _ => None,
    });
    let old = first.expect("pods were listed");
    for pod in pods_since(&mut evidence, Step::RollOut) {
        runs(pod, OLD);
        pod.object["metadata"]["labels"]["pod-template-hash"] = old.clone();
    }
    (evidence, candidates)
}

#[test]
fn the_report_names_the_digest_of_the_candidate_and_not_of_what_came_back() {
    let (evidence, candidates) = taken_back();
    let identity = judge(&evidence, ALL).identity;
    assert_eq!(identity.digest.as_deref(), Some(CANDIDATE));
    assert_eq!(identity.template_hash.as_deref(), candidates.as_str());
}

#[test]
fn what_came_back_and_is_started_again_is_no_fault_of_the_candidate() {
    let (mut evidence, _) = taken_back();
    let mut restarted = false;
    for pod in pods_since(&mut evidence, Step::RollOut).filter(|pod| super::change::is_ready(&pod.object)) {
        pod.object["status"]["containerStatuses"][0]["restartCount"] = json!(1);
        restarted = true;
    }
    assert!(restarted);
    let report = judge(&evidence, ALL);
    assert_ne!(outcome(&report, "GL-H102"), Outcome::Fail);
}
