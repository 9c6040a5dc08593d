//! Whatever fails, the way back comes first: an experiment at the fake API server, once for each request that steers
//! something, with that one failed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::Experiment;
use crate::cluster::fake::{Fake, Heard};
use crate::cluster::rolled::{Rolled, old, target};
use crate::cluster::{Candidate, Cluster, InCluster, clean_up, find_sites};
use crate::events::Events;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::timeline::tests::header;

const MINUTE: Duration = Duration::from_mins(1);

/// One pod, and a store without a breaker.
fn plan() -> Plan {
    let mut plan = header().plan;
    plan.target = target().plan;
    plan.dependencies[0].breaker = None;
    plan
}

struct Tried {
    failure: Option<Failure>,
    heard: Vec<Heard>,
    rolled: Rolled,
    cluster: Cluster,
}

/// Runs an experiment of which the request of that number fails.
async fn tried(failing: Option<usize>) -> Tried {
    let (fake, cluster) = Fake::start().await;
    tried_at(fake, cluster, failing).await
}

async fn tried_at(fake: Fake, cluster: Cluster, failing: Option<usize>) -> Tried {
    tried_with(&plan(), (fake, cluster), failing).await
}

async fn tried_with(plan: &Plan, (fake, mut cluster): (Fake, Cluster), failing: Option<usize>) -> Tried {
    let rolled = Rolled::by(&fake, "r");
    rolled.change(|deployment| {
        deployment["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "4" });
        deployment["spec"]["template"] = old();
        deployment["spec"]["replicas"] = json!(1);
    });
    let spec = json!({ "clusterIP": "10.0.0.7", "ports": [{ "port": 5432 }] });
    fake.put(
        "/api/v1/namespaces/demo/services/postgres",
        json!({ "metadata": { "name": "postgres" }, "spec": spec }),
    );
    fake.live(&mut cluster).await;
    let sites = find_sites(&cluster, &plan.dependencies, &plan.target).await.unwrap();
    let before = fake.heard().len();
    if let Some(number) = failing {
        fake.fail(before + number);
    }
    let target = target();
    let platform = InCluster {
        cluster: &cluster,
        selector: "app=users",
        sites: &sites,
        candidate: Candidate::Image("users:2".into()),
        agent_image: "image",
    };
    let experiment = Experiment {
        platform: &platform,
        target: &target,
        plan,
        keep: false,
        deadline: Instant::now() + MINUTE * 10,
    };
    let ran = Box::pin(experiment.run(&Events::unheard())).await;
    let failure = ran.map_or_else(Some, |ran| ran.failure);
    let heard = fake.heard().split_off(before);
    Tried { failure, heard, rolled, cluster }
}

/// The numbers of the first and the last request of each kind: those between them are made for the same reason.
fn telling(heard: &[Heard]) -> BTreeSet<usize> {
    let kind = |what: &str| what.rsplit_once('/').map_or(String::new(), |(path, _)| path.to_owned());
    let mut kinds: BTreeMap<(String, bool), (usize, usize)> = BTreeMap::new();
    for (number, Heard { what, led, .. }) in heard.iter().enumerate() {
        let key = if what.contains("/api") { kind(what) } else { what.clone() };
        kinds.entry((key, *led)).or_insert((number, number)).1 = number;
    }
    kinds.into_values().flat_map(|(first, last)| [first, last]).collect()
}

/// What only agents do, or what is done to them, when a run ends.
fn ends(what: &str) -> bool {
    ["/stop", "/evidence"].iter().any(|end| what.ends_with(end))
}

/// Whether the agents were told after this request that all faults are over, if there was anything to break.
fn calmed(heard: &[Heard], at: usize) -> bool {
    let last = |what: &str| heard.iter().rposition(|heard| heard.what == what);
    let (told, back) = (last("middle PUT /faults"), heard.iter().rposition(|heard| heard.led));
    let was_led = back.is_some_and(|back| back >= at);
    !was_led || told.zip(back).is_some_and(|(told, back)| told > back)
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_the_template_goes_back_before_agents_are_stopped_or_asked() {
    let whole = tried(None).await;
    assert!(whole.failure.is_none(), "{:?}", whole.failure);
    assert!(whole.heard.iter().any(|heard| heard.led), "it was led to agents");
    let (mut failed, mut led) = (0, 0);
    for number in telling(&whole.heard) {
        let tried = tried(Some(number)).await;
        let Some(at) = tried.heard.iter().position(|heard| heard.failed) else { continue };
        let what = &tried.heard[at].what;
        if let Some(failure) = &tried.failure {
            failed += 1;
            led += usize::from(tried.heard[at].led);
            let early = tried.heard[at + 1..].iter().find(|heard| heard.led && ends(&heard.what));
            assert!(early.is_none(), "{number} {what}: {failure}: {early:?} came before the way back");
            assert!(!tried.rolled.leads(), "{number} {what}: {failure}: the way back was not taken");
            assert!(calmed(&tried.heard, at), "{number} {what}: {failure}: faults go on");
        }
        clean_up(&tried.cluster).await.unwrap();
        assert!(!tried.rolled.leads(), "{number} {what}");
        if tried.failure.is_some() {
            assert_eq!(tried.rolled.template(), old(), "{number} {what}");
        }
    }
    assert!(failed >= 20 && led >= 8, "{failed} failures, {led} of them while it was led");
}

#[tokio::test(start_paused = true)]
async fn guardian_and_agents_stand_before_anything_leads_to_them() {
    let heard = tried(None).await.heard;
    let first = |what: &str| heard.iter().position(|heard| heard.what.contains(what)).unwrap();
    let led = heard.iter().position(|heard| heard.led).unwrap();
    for needed in ["POST /api/v1/namespaces/demo/services", "POST /apis/apps/v1/namespaces/demo/deployments"]
    {
        assert!(first(needed) < led, "{needed}");
    }
    assert!(first("rolebindings") < led);
}

#[tokio::test(start_paused = true)]
async fn a_dependency_with_a_breaker_is_degraded_before_it_is_lost() {
    let mut plan = plan();
    plan.dependencies[0].breaker = header().plan.dependencies[0].breaker.clone();
    let (fake, cluster) = Fake::start().await;
    let tried = Box::pin(tried_with(&plan, (fake, cluster), None)).await;
    assert!(tried.failure.is_none(), "{:?}", tried.failure);
    let steered = |what: &str| tried.heard.iter().filter(|heard| heard.what == what).count();
    assert_eq!(steered("load POST /impatience"), 2 * plan.traffic.agents, "a slow store, and one that hangs");
    assert!(!tried.rolled.leads());
}

#[tokio::test(start_paused = true)]
async fn pods_that_we_keep_from_their_dependencies_are_no_failure_of_the_candidate() {
    let (fake, cluster) = Fake::start().await;
    fake.keep_out();
    let tried = tried_at(fake, cluster, None).await;
    let told = tried.failure.unwrap().to_string();
    assert!(told.contains("no pod had a connection") && told.contains("NetworkPolicy"), "{told}");
    assert_eq!(tried.rolled.template(), old());
}
