//! Rolls at the fake API server, which has no controller: what is written is what is looked at.

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::fake::Fake;
use super::super::rollback::{go_back, keep};
use super::super::rolled::{Rolled, old, target};
use super::super::{Candidate, Cluster, Rollout, aliases};
use crate::platform::Roll;
use crate::steer::{Back, PodBrief, PodTable, RollEnd, Stays};

/// The target as found, with an alias of its own.
fn found() -> Value {
    let mut template = old();
    template["spec"]["hostAliases"] = json!([{ "ip": "10.9.9.9", "hostnames": ["ldap"] }]);
    template
}

async fn at_rest() -> (Fake, Cluster, Rolled) {
    let (fake, cluster) = Fake::start().await;
    let rolled = Rolled::by(&fake, "r");
    rolled.change(|deployment| {
        deployment["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "4" });
        deployment["spec"]["template"] = found();
        deployment["spec"]["replicas"] = json!(0); // with its last pod gone it is at rest
    });
    fake.put(Rolled::SET, {
        let mut set = fake.get(Rolled::SET).unwrap();
        set["spec"]["template"] = found();
        set
    });
    (fake, cluster, rolled)
}

async fn rollout(cluster: &Cluster, candidate: &Candidate) -> Rollout {
    let (_, pods) = watch::channel(PodTable::new());
    let lead = aliases::leading("10.96.0.7", &["postgres".into(), "postgres.demo".into()]);
    Rollout::prepare(cluster, &target().plan, "r", candidate, &[lead], pods).await.unwrap()
}

async fn through(rolled: &Rolled, roll: impl Future<Output = Result<RollEnd, crate::failure::Failure>>) {
    // Without a controller nothing observes the template: that is done here.
    let observing = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            rolled.change(|d| d["status"] = json!({ "observedGeneration": d["metadata"]["generation"] }));
        }
    };
    tokio::select! {
        end = roll => assert_eq!(end.unwrap(), RollEnd::Complete),
        () = observing => {}
    }
}

fn later() -> Instant {
    Instant::now() + std::time::Duration::from_mins(1)
}

#[tokio::test]
async fn a_candidate_goes_in_behind_the_agents_and_stays_without_them() {
    let (_fake, cluster, rolled) = at_rest().await;
    let rollout = rollout(&cluster, &Candidate::Image("users:2".into())).await;
    through(&rolled, rollout.roll_in(later(), |_, _| {})).await;
    let led = rolled.template();
    assert_eq!(led["spec"]["containers"], json!([{ "name": "users", "image": "users:2" }]));
    let names = json!(["postgres", "postgres.demo", "agent.golive.invalid"]);
    assert_eq!(
        led["spec"]["hostAliases"],
        json!([{ "ip": "10.9.9.9", "hostnames": ["ldap"] }, { "ip": "10.96.0.7", "hostnames": names }])
    );
    Box::pin(through(&rolled, rollout.roll_out(Stays::Candidate, later(), |_, _| {}))).await;
    let mut stays = rolled.template();
    assert!(stays["metadata"]["annotations"]["golive.dev/restarted-at"].take().is_string());
    let mut wanted = found();
    wanted["spec"]["containers"][0]["image"] = json!("users:2");
    wanted["metadata"]["annotations"] = json!({ "golive.dev/restarted-at": null });
    assert_eq!(stays, wanted);
    assert!(keep(&cluster, "users").await.unwrap());
    assert_eq!(rolled.annotations(), json!({ "deployment.kubernetes.io/revision": "6" }), "no note is left");
}

#[tokio::test]
async fn the_old_template_comes_back_as_it_was() {
    let (_fake, cluster, rolled) = at_rest().await;
    let rollout = rollout(&cluster, &Candidate::Image("users:2".into())).await;
    through(&rolled, rollout.roll_in(later(), |_, _| {})).await;
    Box::pin(through(&rolled, rollout.roll_out(Stays::Old, later(), |_, _| {}))).await;
    assert_eq!(rolled.template(), found());
    assert_eq!(rolled.annotations(), json!({ "deployment.kubernetes.io/revision": "6" }));
    assert_eq!(go_back(&cluster, "users", Back::Old).await.unwrap(), None, "there is nothing left to undo");
    assert!(!keep(&cluster, "users").await.unwrap(), "nor to keep");
}

#[tokio::test]
async fn who_wants_to_keep_the_candidate_loses_only_the_aliases() {
    let (_fake, cluster, rolled) = at_rest().await;
    let rollout = rollout(&cluster, &Candidate::Image("users:2".into())).await;
    through(&rolled, rollout.roll_in(later(), |_, _| {})).await;
    go_back(&cluster, "users", Back::Clean).await.unwrap().unwrap();
    assert_eq!(rolled.template()["spec"]["hostAliases"], found()["spec"]["hostAliases"]);
    assert_eq!(rolled.template()["spec"]["containers"][0]["image"], "users:2");
    go_back(&cluster, "users", Back::Old).await.unwrap().unwrap();
    assert_eq!(rolled.template(), found(), "until it is kept, the way back is open");
}

#[tokio::test]
async fn a_deployment_that_has_given_up_is_told_from_a_run_that_is_out_of_time() {
    let (_fake, cluster, rolled) = at_rest().await;
    rolled.change(|deployment| deployment["spec"]["replicas"] = json!(3));
    let (table, pods) = watch::channel(PodTable::new());
    let brief = PodBrief { ready: true, ..PodBrief::default() };
    table.send_modify(|pods| drop(pods.insert("users-1".into(), brief)));
    let rollout =
        Rollout::prepare(&cluster, &target().plan, "r", &Candidate::Restart, &[], pods).await.unwrap();
    let end = rollout.roll_in(Instant::now(), |_, _| {}).await.unwrap();
    assert_eq!(end, RollEnd::OutOfTime("1 of 1 old pods are left at the deadline".into()));
    rolled.change(|deployment| {
        let given_up = json!({
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out",
        });
        let observed = deployment["metadata"]["generation"].as_i64().unwrap() + 1;
        deployment["status"] = json!({ "observedGeneration": observed, "conditions": [given_up] });
    });
    let end = rollout.roll_in(later(), |_, _| {}).await.unwrap();
    assert_eq!(end, RollEnd::Stuck("ProgressDeadlineExceeded: timed out".into()));
}

/// How a roll in ends whose new pod waits for this reason, within so many seconds.
async fn waiting_for(reason: &str, seconds: u64) -> RollEnd {
    let (_fake, cluster, _rolled) = at_rest().await;
    let (table, pods) = watch::channel(PodTable::new());
    let rollout =
        Rollout::prepare(&cluster, &target().plan, "r", &Candidate::Restart, &[], pods).await.unwrap();
    let (ip, hash, waiting) = (None, String::new(), Some(reason.to_owned()));
    let brief = PodBrief { ip, hash, led: true, waiting, ..PodBrief::default() };
    let comes = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        table.send_modify(|pods| drop(pods.insert("users-2".into(), brief)));
    };
    let until = Instant::now() + std::time::Duration::from_secs(seconds);
    let (end, ()) = tokio::join!(rollout.roll_in(until, |_, _| {}), comes);
    end.unwrap()
}

#[tokio::test(start_paused = true)]
async fn trouble_of_a_new_pod_may_pass_for_a_minute_and_then_it_is_the_end() {
    for reason in ["CreateContainerConfigError", "CrashLoopBackOff"] {
        assert!(matches!(waiting_for(reason, 50).await, RollEnd::OutOfTime(_)), "{reason}");
        assert_eq!(waiting_for(reason, 300).await, RollEnd::Stuck(format!("new pod users-2: {reason}")));
    }
    assert!(matches!(waiting_for("ErrImagePull", 300).await, RollEnd::OutOfTime(_)), "it is pulled again");
    assert!(matches!(waiting_for("ImagePullBackOff", 300).await, RollEnd::Unpullable(_)));
}

#[tokio::test]
async fn an_api_server_that_fails_for_a_moment_ends_no_roll() {
    let (fake, cluster, rolled) = at_rest().await;
    let rollout = rollout(&cluster, &Candidate::Image("users:2".into())).await;
    let next = fake.heard().len();
    fake.fail(next + 2);
    through(&rolled, rollout.roll_in(later(), |_, _| {})).await;
    let failed = fake.heard().into_iter().find(|heard| heard.failed).unwrap();
    assert!(failed.what.starts_with("GET"), "{failed:?}");
}

#[tokio::test]
async fn what_an_earlier_run_left_in_our_name_is_given_up_before_the_first_write() {
    let (fake, cluster, rolled) = at_rest().await;
    let entry = |manager: &str| json!({ "manager": manager, "operation": "Apply", "fieldsV1": {} });
    rolled.change(|deployment| {
        deployment["metadata"]["managedFields"] =
            json!([entry("helm"), entry("golive-validator"), entry("flux")]);
    });
    rollout(&cluster, &Candidate::Restart).await;
    let left = fake.get(Rolled::PATH).unwrap()["metadata"]["managedFields"].clone();
    assert_eq!(left, json!([entry("helm"), entry("flux")]));
}
