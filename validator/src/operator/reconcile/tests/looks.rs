//! Runs that look on, from the check that asks for them to its status.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::Context;
use super::{CHECK, DEPLOYMENT, JOBS, RUNS, change, condition, deployment, end, once, report, runs, world};
use crate::cluster::fake::Fake;

/// The report of a run that only looked on, and found this.
fn look(verdict: &str, digest: &str) -> Value {
    let mut report = report("good.evidence.zst");
    report["purpose"] = json!("observe");
    report["verdict"] = json!(verdict);
    report["identity"]["digest"] = json!(digest);
    report
}

/// The check asks for looks, and its candidate has its GO: gives the name of that run. A look is due at once, since objects of
/// this server are as old as its epoch.
async fn proven(fake: &Fake, context: &Arc<Context>) -> String {
    change(fake, "/spec/always", json!({ "every": "1m", "plan": "observe" }));
    once(fake, context).await;
    let proof = runs(fake).remove(0);
    end(fake, &proof, &report("good.evidence.zst"), 0);
    once(fake, context).await;
    proof
}

#[tokio::test]
async fn a_look_that_is_due_is_a_job_that_observes_and_its_result_stands_beside_the_verdict() {
    let (fake, context) = world().await;
    let proof = proven(&fake, &context).await;
    let digest = report("good.evidence.zst")["identity"]["digest"].as_str().unwrap().to_owned();
    let before = fake.get(CHECK).unwrap()["status"].clone();
    assert_eq!(condition(&fake, "Observed"), ("Unknown".into(), "NotObserved".into()));
    once(&fake, &context).await;
    let first = runs(&fake).into_iter().find(|run| *run != proof).unwrap();
    assert_eq!(fake.get(&format!("{RUNS}{first}")).unwrap()["spec"]["plan"], "observe");
    let arguments = |run: &str| {
        let job = fake.get(&format!("{JOBS}{run}")).unwrap();
        job["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap().clone()
    };
    assert!(
        arguments(&first).contains(&json!("--observe")) && !arguments(&proof).contains(&json!("--observe"))
    );
    assert_eq!(condition(&fake, "Complete"), ("True".into(), "RunEnded".into()), "that is about the proof");
    end(&fake, &first, &look("GO-IN-PART", &digest), 0);
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "Observed"), ("True".into(), "AsProven".into()));
    once(&fake, &context).await;
    let second = runs(&fake).into_iter().find(|run| *run != proof && *run != first).unwrap();
    end(&fake, &second, &look("NO-GO", &digest), 1);
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "Observed"), ("False".into(), "Failing".into()));
    let after = fake.get(CHECK).unwrap()["status"].clone();
    assert_eq!(after["observed"]["run"], json!(second));
    assert_eq!(condition(&fake, "GoLive"), ("True".into(), "Go".into()), "the proof stands");
    for field in ["verdict", "digest", "validUntil", "ended", "report", "run"] {
        assert_eq!((&after[field], after[field].is_null()), (&before[field], false), "{field}");
    }
    let looked = fake.get(&format!("{RUNS}{second}")).unwrap()["status"].clone();
    assert!(looked["validUntil"].is_null() && looked["verdict"] == "NO-GO", "{looked}");
}

#[tokio::test]
async fn a_check_whose_requests_all_write_is_stalled_and_no_look_is_started() {
    let (fake, context) = world().await;
    let mut check = fake.get(CHECK).unwrap();
    check["spec"]["traffic"]["requests"] = json!([{ "post": "/api/users", "json": {} }]);
    fake.put(CHECK, check);
    let proof = proven(&fake, &context).await;
    for _ in 0..2 {
        once(&fake, &context).await;
        assert_eq!(runs(&fake), std::slice::from_ref(&proof), "a look is due");
        assert_eq!(condition(&fake, "Stalled"), ("True".into(), "CannotRun".into()));
        assert_eq!(condition(&fake, "GoLive").0, "True", "what was proven stands");
    }
    let told = fake.get(CHECK).unwrap()["status"]["conditions"].to_string();
    assert!(told.contains("every request of the target file writes"), "{told}");
}

#[tokio::test]
async fn what_serves_and_was_not_proven_has_drifted() {
    let (fake, context) = world().await;
    let proof = proven(&fake, &context).await;
    once(&fake, &context).await;
    let first = runs(&fake).into_iter().find(|run| *run != proof).unwrap();
    end(&fake, &first, &look("GO-IN-PART", &format!("users@sha256:{}", "0".repeat(64))), 0);
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "Observed"), ("False".into(), "Drifted".into()), "a tag was moved");
    fake.put(DEPLOYMENT, deployment("users:2"));
    let known = runs(&fake);
    once(&fake, &context).await;
    assert_eq!(
        condition(&fake, "GoLive"),
        ("Unknown".into(), "Running".into()),
        "another template is proven"
    );
    assert_eq!(condition(&fake, "Observed"), ("Unknown".into(), "NotProven".into()), "a release is no drift");
    let second = runs(&fake).into_iter().find(|run| !known.contains(run)).unwrap();
    end(&fake, &second, &report("bare.evidence.zst"), 1);
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "Observed"), ("False".into(), "Drifted".into()), "and serves without a GO");
}
