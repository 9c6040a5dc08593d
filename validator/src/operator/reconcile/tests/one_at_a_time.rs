//! One run at a time in a namespace: until the pod of the last one has ended, however its run did.

use serde_json::json;

use super::{CHECK, JOBS, RUNS, change, condition, end, once, report, running, runs, world, writes};

#[tokio::test]
async fn a_pod_whose_run_was_aborted_or_is_gone_is_waited_for() {
    let (fake, context) = world().await;
    let path = "/api/v1/namespaces/demo/pods/orders-1-x";
    let pod = |phase: &str| {
        let metadata = json!({ "name": "orders-1-x", "labels": { "golive.dev/check": "orders" } });
        json!({ "metadata": metadata, "status": { "phase": phase } })
    };
    fake.put(path, pod("Running"));
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "Complete"), ("False".into(), "Waiting".into()));
    assert_eq!(condition(&fake, "Reconciling"), ("True".into(), "Waiting".into()));
    let told = fake.get(CHECK).unwrap()["status"]["conditions"].to_string();
    assert!(told.contains("pod orders-1-x of an earlier run has not ended yet"), "{told}");
    assert!(runs(&fake).is_empty());
    fake.put(path, pod("Failed"));
    once(&fake, &context).await;
    let run = runs(&fake).remove(0);
    let job = fake.get(&format!("{JOBS}{run}")).unwrap();
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["golive.dev/check"], "users", "by which its own pod is found");
}

#[tokio::test]
async fn an_abort_deletes_the_job_and_ends_the_run_without_another_one() {
    let (fake, context, run) = running().await;
    change(&fake, "/metadata/annotations", json!({ "golive.dev/abort": run }));
    once(&fake, &context).await;
    assert!(fake.get(&format!("{JOBS}{run}")).is_none());
    let status = fake.get(&format!("{RUNS}{run}")).unwrap()["status"].clone();
    assert_eq!(status, json!({ "phase": "Ended", "message": "aborted" }));
    assert_eq!(condition(&fake, "GoLive"), ("Unknown".into(), "NoVerdict".into()));
    let before = writes(&fake);
    once(&fake, &context).await;
    assert_eq!((runs(&fake), writes(&fake)), (vec![run], before), "it is not begun again");
}

#[tokio::test]
async fn a_verdict_outlasts_a_further_run_that_was_aborted() {
    let (fake, context, first) = running().await;
    end(&fake, &first, &report("good.evidence.zst"), 0);
    once(&fake, &context).await;
    change(&fake, "/metadata/annotations", json!({ "golive.dev/run": "again" }));
    once(&fake, &context).await;
    let second = runs(&fake).into_iter().find(|run| *run != first).unwrap();
    change(&fake, "/metadata/annotations", json!({ "golive.dev/run": "again", "golive.dev/abort": second }));
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "GoLive").0, "True");
    let told = fake.get(CHECK).unwrap()["status"]["conditions"].to_string();
    assert!(told.contains(&format!("run {second} ended without a verdict: aborted")), "{told}");
    let mut left = vec![first, second];
    left.sort();
    assert_eq!(runs(&fake), left, "one is kept, and beside it the one with the verdict");
}

#[tokio::test]
async fn who_created_an_object_stands_in_it() {
    let (fake, _, run) = running().await;
    for path in [format!("{RUNS}{run}"), format!("{JOBS}{run}")] {
        assert_eq!(fake.get(&path).unwrap()["metadata"]["managedFields"][0]["manager"], "golive-operator");
    }
}
