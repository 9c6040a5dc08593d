//! What people are told of a run: Events, and why there is no report.

use std::sync::Arc;

use serde_json::{from_value, json};

use super::{CHECK, MAPS, RUNS, condition, end, once, reconcile, report, runs, world};
use crate::cluster::fake::Fake;

fn events(fake: &Fake) -> Vec<String> {
    let paths = fake.paths().into_iter();
    paths.filter(|path| path.starts_with("/api/v1/namespaces/demo/events/")).collect()
}

#[tokio::test]
async fn a_change_is_one_event_also_when_the_status_could_not_be_written_after_it() {
    let (fake, context) = world().await;
    once(&fake, &context).await;
    assert_eq!(events(&fake), [""; 0], "nothing was found yet");
    let run = runs(&fake).remove(0);
    end(&fake, &run, &report("bare.evidence.zst"), 1);
    fake.refuse(CHECK, 1);
    let check = from_value(fake.get(CHECK).unwrap()).unwrap();
    reconcile(Arc::new(check), context.clone()).await.unwrap_err();
    let told = events(&fake);
    let [one] = told.as_slice() else { panic!("{told:?}") };
    let event = fake.get(one).unwrap();
    assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &json!("NoGo")));
    for _ in 0..2 {
        once(&fake, &context).await;
        assert_eq!((condition(&fake, "GoLive").1, events(&fake)), ("NoGo".to_owned(), told.clone()));
    }
}

#[tokio::test]
async fn a_report_that_no_object_holds_is_told_where_people_look() {
    let (fake, context) = world().await;
    once(&fake, &context).await;
    let run = runs(&fake).remove(0);
    let mut random = fastrand::Rng::with_seed(7);
    let noise: String = (0..2_000_000).map(|_| random.alphanumeric()).collect();
    let mut large = report("bare.evidence.zst");
    large["checks"][0]["details"] = json!([noise]);
    end(&fake, &run, &large, 1);
    once(&fake, &context).await;
    assert_eq!(condition(&fake, "GoLive"), ("False".into(), "NoGo".into()), "the verdict stands");
    assert!(fake.get(&format!("{MAPS}{run}-report")).is_none());
    let status = fake.get(&format!("{RUNS}{run}")).unwrap()["status"].clone();
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with("its report is not kept") && message.ends_with("900 kB fit"), "{message}");
    assert!(status.get("report").is_none());
    let findings = fake.get(CHECK).unwrap()["status"]["findings"].clone();
    assert!(findings.as_array().unwrap().contains(&json!(message)), "{findings}");
}
