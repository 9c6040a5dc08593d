//! A whole observing run at the fake API server: what it asks of the cluster, and what it leaves there.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{ClusterRun, Held};
use crate::cluster::fake::Fake;
use crate::cluster::rolled::{Rolled, old};
use crate::cluster::{Cluster, HeldLease, Takeover, discover};
use crate::config::{GoLiveCheck, Purpose, RequestSpec};
use crate::events::Events;
use crate::evidence::Evidence;
use crate::failure::Failure;
use crate::gate::{Gate, Sink};
use crate::plan::{Part, Rules};
use crate::report::Report;

const CHECK: &str = "
apiVersion: golive.dev/v1alpha1
kind: GoLiveCheck
metadata: { name: users, namespace: demo }
spec:
  target: { deployment: users }
  traffic: { rate: 200, requests: [{ post: /api/users, json: {} }, { get: /api/users }] }
  dependencies: [{ name: postgres, service: postgres, protocol: postgres }]
";

/// Keeps what it is given.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Evidence>>);

impl Sink for Kept {
    fn keep(&self, evidence: &Evidence) -> Result<String, Failure> {
        *self.0.lock().unwrap() = Some(evidence.clone());
        Ok("here".into())
    }

    async fn deliver(&self, _: &Report) {}
}

/// A target at rest with its Service; none before its dependency, since nobody asks for that.
pub(super) fn target(fake: &Fake) -> Rolled {
    let rolled = Rolled::by(fake, "r");
    rolled.change(|deployment| {
        deployment["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "4" });
        deployment["spec"]["template"] = old();
        deployment["spec"]["replicas"] = json!(1);
    });
    let port = json!({ "name": "http", "port": 80, "targetPort": 8080 });
    let spec = json!({ "clusterIP": "10.0.0.8", "selector": { "app": "users" }, "ports": [port] });
    let service = json!({ "metadata": { "name": "users" }, "spec": spec });
    fake.put("/api/v1/namespaces/demo/services/users", service);
    rolled
}

pub(super) fn observing() -> ClusterRun {
    ClusterRun {
        check: GoLiveCheck::parse(CHECK).unwrap(),
        purpose: Purpose::Observe,
        rules: Rules::default(),
        given: Vec::new(),
        context: None,
        image: Some("users:9".into()),
        agent_image: "image".into(),
        parts: Part::all(),
        timeout: Duration::from_mins(15),
        keep: true,
    }
}

async fn observed(cluster: &Cluster, sink: &Kept) -> Result<Report, Failure> {
    let (run, gate) =
        (observing(), Gate { cancel: CancellationToken::new(), events: Events::unheard(), sink });
    let name = "golive-users-1";
    let lease = HeldLease::take(cluster, (name, run.purpose), Takeover::Lapsed, |_| {}).await?;
    let held = Held { gate: &gate, run: &run, cluster, lease: &lease };
    let (ended, _) = Box::pin(held.whole(name)).await;
    lease.release().await?;
    ended
}

/// What was asked of the cluster and of agents, without reads.
pub(super) fn writes(fake: &Fake) -> BTreeSet<String> {
    let heard = fake.heard().into_iter().map(|heard| heard.what);
    heard.filter(|what| !what.starts_with("GET") && !what.ends_with("GET /evidence")).collect()
}

fn objects(fake: &Fake) -> Vec<(String, Value)> {
    fake.paths().into_iter().map(|path| (path.clone(), fake.get(&path).unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn it_creates_load_agents_and_changes_nothing_else() {
    let (fake, mut cluster) = Fake::start().await;
    target(&fake);
    fake.live(&mut cluster).await;
    let (before, kept) = (objects(&fake), Kept::default());
    let report = observed(&cluster, &kept).await.unwrap();
    assert_eq!(objects(&fake), before, "nothing is left, and nothing was changed");
    let namespaced = |kind: &str| format!("/api/v1/namespaces/demo/{kind}");
    let lease = "/apis/coordination.k8s.io/v1/namespaces/demo/leases";
    let mut wanted = BTreeSet::from([
        format!("POST {lease}"),
        format!("DELETE {lease}/golive-validator"),
        format!("POST {}", namespaced("pods")),
        "load PUT /headers".into(),
        "load POST /start".into(),
        "load PUT /probes".into(),
        "load POST /stop".into(),
    ]);
    for number in 1..=2 {
        wanted.insert(format!("DELETE {}", namespaced(&format!("pods/golive-users-1-load-{number}"))));
    }
    let renewals = format!("PATCH {lease}/golive-validator");
    assert_eq!(writes(&fake).into_iter().filter(|what| *what != renewals).collect::<BTreeSet<_>>(), wanted);
    assert!(!report.verdict.lets_stay() && report.purpose == Purpose::Observe);
    let evidence = kept.0.lock().unwrap().take().unwrap();
    let traffic = &evidence.plan().traffic;
    let asked: Vec<String> = traffic.requests.iter().map(RequestSpec::name).collect();
    assert_eq!((asked, traffic.rate, traffic.sampled), (vec!["GET /api/users".to_owned()], 10.0, 0.0));
    assert!(evidence.plan().parts.is_empty() && evidence.plan().target.candidate.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_could_not_be_rolled_back_is_looked_at_all_the_same() {
    let (fake, mut cluster) = Fake::start().await;
    let rolled = target(&fake);
    rolled.change(|deployment| deployment["spec"]["revisionHistoryLimit"] = json!(0));
    fake.live(&mut cluster).await;
    let refused = discover(&cluster, &observing().check, Purpose::Prove, None, 0).await.unwrap_err();
    assert!(refused.to_string().contains("keeps no two old revisions"), "{refused}");
    observed(&cluster, &Kept::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_target_that_a_guardian_has_just_put_back_is_waited_for() {
    let (fake, mut cluster) = Fake::start().await;
    let rolled = target(&fake);
    fake.live(&mut cluster).await;
    let path = "/api/v1/namespaces/demo/pods/golive-users-0-load-1";
    let labels = json!({ "golive.dev/run": "golive-users-0", "golive.dev/role": "load" });
    fake.put(path, json!({ "metadata": { "name": "golive-users-0-load-1", "labels": labels } }));
    rolled.change(|deployment| deployment["status"]["availableReplicas"] = json!(0));
    // It is at rest once it was looked at twice after the clean-up.
    let looks = || {
        let heard = fake.heard().into_iter().map(|heard| heard.what);
        let since = heard.skip_while(|what| *what != format!("DELETE {path}"));
        since.filter(|what| *what == format!("GET {}", Rolled::PATH)).count()
    };
    let comes_to_rest = async {
        while looks() < 2 {
            sleep(Duration::from_millis(100)).await;
        }
        rolled.change(|deployment| deployment["status"]["availableReplicas"] = json!(1));
        pending::<()>().await;
    };
    let kept = Kept::default();
    tokio::select! {
        report = observed(&cluster, &kept) => drop(report.unwrap()),
        () = comes_to_rest => unreachable!("it waits for the look"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_has_rolled_is_left_as_it_is() {
    let (fake, mut cluster) = Fake::start().await;
    let rolled = target(&fake);
    fake.live(&mut cluster).await;
    rolled.change(|deployment| deployment["metadata"]["annotations"]["golive.dev/rollback-to"] = json!("4"));
    let before = objects(&fake);
    let refused = observed(&cluster, &Kept::default()).await.unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("as an earlier run has left it") && told.contains("validator cleanup"), "{told}");
    assert_eq!(objects(&fake), before);
    assert!(writes(&fake).iter().all(|what| what.contains("/leases")), "{:?}", writes(&fake));
}
