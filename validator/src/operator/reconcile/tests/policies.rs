//! A check that names a policy of the cluster.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::Context;
use super::{CHECK, JOBS, MAPS, RUNS, condition, once, runs, world};
use crate::cluster::fake::Fake;
use crate::config::GoLivePolicy;

/// The check names the policy `acme`, which says this.
async fn world_with(policy: Option<Value>) -> (Fake, Arc<Context>) {
    let (fake, context) = world().await;
    let mut check = fake.get(CHECK).unwrap();
    check["spec"]["policy"] = json!("acme");
    fake.put(CHECK, check);
    if let Some(spec) = policy {
        let (api, kind) = ("golive.dev/v1alpha1", "GoLivePolicy");
        let policy = json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "acme" }, "spec": spec });
        fake.put("/apis/golive.dev/v1alpha1/golivepolicies/acme", policy);
    }
    (fake, context)
}

#[tokio::test]
async fn a_run_is_given_the_policy_that_the_check_names() {
    let (fake, context) = world_with(Some(json!({ "verdict": { "validForDays": 7 } }))).await;
    once(&fake, &context).await;
    let run = runs(&fake).remove(0);
    assert_eq!(fake.get(&format!("{RUNS}{run}")).unwrap()["spec"]["policy"], "acme");
    let given = fake.get(&format!("{MAPS}{run}")).unwrap();
    let given = GoLivePolicy::parse(given["data"]["policy.yaml"].as_str().unwrap()).unwrap();
    assert_eq!((given.metadata.name.as_str(), given.spec.verdict.valid_for_days), ("acme", 7));
    let job = fake.get(&format!("{JOBS}{run}")).unwrap();
    let arguments = job["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap().clone();
    let policy = [json!("--policy"), json!("/given/policy.yaml")];
    assert!(arguments.windows(2).any(|two| two == policy.as_slice()), "{arguments:?}");
}

#[tokio::test]
async fn a_policy_that_is_not_there_or_waives_lost_requests_is_refused_by_name() {
    let waiver = json!({
        "check": "GL-S201", "scope": {}, "reason": "we lose a few", "owner": "team", "approver": "boss",
        "until": "2099-12-31"
    });
    for (policy, expected) in [
        (None, "there is no GoLivePolicy `acme`"),
        (Some(json!({ "waivers": [waiver] })), "GoLivePolicy `acme`: spec.waivers[0].check: GL-S201"),
    ] {
        let (fake, context) = world_with(policy).await;
        once(&fake, &context).await;
        assert_eq!(condition(&fake, "Stalled").0, "True");
        let told = fake.get(CHECK).unwrap()["status"]["conditions"].to_string();
        assert!(told.contains(expected), "{told}");
        assert!(runs(&fake).is_empty());
    }
}
