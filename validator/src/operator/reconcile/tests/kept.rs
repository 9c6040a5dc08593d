//! What stays in a status when the spec or the policy of a check is broken later.

use serde_json::json;

use super::{CHECK, JOBS, RUNS, change, condition, end, once, report, running};

#[tokio::test]
async fn what_was_proven_stays_when_the_check_can_be_run_no_more() {
    for (pointer, value) in [("/spec/policy", json!("gone")), ("/spec/traffic/rait", json!(1))] {
        let (fake, context, run) = running().await;
        end(&fake, &run, &report("good.evidence.zst"), 0);
        once(&fake, &context).await;
        let before = fake.get(CHECK).unwrap()["status"].clone();
        change(&fake, pointer, value);
        once(&fake, &context).await;
        assert_eq!(condition(&fake, "Stalled"), ("True".into(), "CannotRun".into()), "{pointer}");
        assert_eq!(condition(&fake, "GoLive"), ("True".into(), "Go".into()), "{pointer}");
        let after = fake.get(CHECK).unwrap()["status"].clone();
        for field in ["verdict", "digest", "validUntil", "candidateHash", "report", "run"] {
            assert_eq!(
                (&after[field], after[field].is_null()),
                (&before[field], false),
                "{pointer}: {field}"
            );
        }
    }
}

#[tokio::test]
async fn a_run_under_way_is_followed_to_its_end_and_is_good_for_a_day_where_no_policy_says_more() {
    let (fake, context, run) = running().await;
    change(&fake, "/spec/policy", json!("gone"));
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "Complete"), ("False".into(), "Running".into()));
    end(&fake, &run, &report("good.evidence.zst"), 0);
    once(&fake, &context).await;
    assert_eq!(
        (condition(&fake, "Stalled").0.as_str(), condition(&fake, "Complete").0.as_str()),
        ("True", "True")
    );
    let status = fake.get(&format!("{RUNS}{run}")).unwrap()["status"].clone();
    let until = status["validUntil"].as_str().unwrap();
    assert!(status["ended"].as_str().unwrap().starts_with(until), "{status}");
}

#[tokio::test]
async fn a_run_of_a_broken_check_can_be_aborted() {
    let (fake, context, run) = running().await;
    change(&fake, "/spec/traffic/rait", json!(1));
    change(&fake, "/metadata/annotations", json!({ "golive.dev/abort": run }));
    once(&fake, &context).await;
    assert!(fake.get(&format!("{JOBS}{run}")).is_none());
    assert_eq!(fake.get(&format!("{RUNS}{run}")).unwrap()["status"]["message"], "aborted");
}
