//! The guardian: a pod that gives the Services their selectors back when the run that took them is dead.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::lease::{self, Renewal};
use super::manifest::{labels, object_name, pod_spec};
use super::{Cluster, selector};
use crate::failure::Failure;

/// How often the guardian looks at the Lease.
const PERIOD: Duration = Duration::from_secs(5);

/// How long it may need until it runs.
const START: Duration = Duration::from_secs(90);

/// The guardian of one run, seen from the run.
#[derive(Clone)]
pub(super) struct Guardian {
    cluster: Cluster,
    run: String,
    image: String,
    services: Vec<String>,
}

impl Guardian {
    /// Creates it. Its Role names the Services and the Lease, nothing else.
    pub(super) async fn create(
        cluster: &Cluster,
        run: &str,
        image: &str,
        services: &[String],
    ) -> Result<Self, Failure> {
        let (run, image) = (run.to_owned(), image.to_owned());
        let guardian = Self { cluster: cluster.clone(), run, image, services: services.to_owned() };
        guardian.create_rights().await?;
        guardian.create_pod().await?;
        Ok(guardian)
    }

    /// Waits until it runs: without it nobody would undo what a dead run leaves.
    pub(super) async fn awake(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if self.pod().await?.as_ref().is_some_and(runs) {
                return Ok(());
            }
            sleep(Duration::from_millis(250)).await;
        }
        let name = self.name();
        Err(Failure::environment(format!("the guardian {name} did not start within 90 s"))
            .hint(format!("kubectl describe pod {name} -n {}", self.cluster.namespace())))
    }

    /// Puts another one in its place when its pod was deleted or evicted meanwhile; says whether it had to.
    pub(super) async fn look_after(&self) -> Result<bool, Failure> {
        match self.pod().await? {
            Some(pod) if !has_ended(&pod) => return Ok(false),
            Some(_) => {
                let pods: Api<Pod> = self.cluster.api();
                let at_once = DeleteParams::default().grace_period(0);
                self.cluster
                    .call("delete the guardian that ended", pods.delete(&self.name(), &at_once))
                    .await?;
            }
            None => {}
        }
        self.create_pod().await?;
        Ok(true)
    }

    fn name(&self) -> String {
        object_name(&self.run, "guardian")
    }

    fn metadata(&self) -> Value {
        json!({ "name": self.name(), "labels": labels(&self.run, "guardian") })
    }

    async fn pod(&self) -> Result<Option<Pod>, Failure> {
        let pods: Api<Pod> = self.cluster.api();
        self.cluster.call("read the guardian", pods.get_opt(&self.name())).await
    }

    async fn create_rights(&self) -> Result<(), Failure> {
        let (cluster, post, name) = (&self.cluster, PostParams::default(), self.name());
        let account: ServiceAccount = serde_json::from_value(json!({ "metadata": self.metadata() }))?;
        let accounts: Api<ServiceAccount> = cluster.api();
        cluster.call("create the guardian's account", accounts.create(&post, &account)).await?;
        let rules = rules(&self.services);
        let role: Role = serde_json::from_value(json!({ "metadata": self.metadata(), "rules": rules }))?;
        let roles: Api<Role> = cluster.api();
        cluster.call("create the guardian's Role", roles.create(&post, &role)).await?;
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": self.metadata(),
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": cluster.namespace() }],
        }))?;
        let bindings: Api<RoleBinding> = cluster.api();
        cluster.call("create the guardian's RoleBinding", bindings.create(&post, &binding)).await.map(drop)
    }

    async fn create_pod(&self) -> Result<(), Failure> {
        let namespace = self.cluster.namespace().to_owned();
        let mut args = [
            "guardian".to_owned(),
            "--namespace".to_owned(),
            namespace,
            "--run".to_owned(),
            self.run.clone(),
        ]
        .to_vec();
        args.extend(self.services.iter().flat_map(|service| ["--service".to_owned(), service.clone()]));
        let mut spec = pod_spec("guardian", &self.image, &args, &json!([]));
        spec["automountServiceAccountToken"] = json!(true);
        spec["serviceAccountName"] = json!(self.name());
        spec["restartPolicy"] = json!("OnFailure");
        let pod: Pod = serde_json::from_value(json!({ "metadata": self.metadata(), "spec": spec }))?;
        let pods: Api<Pod> = self.cluster.api();
        self.cluster.call("create the guardian", pods.create(&PostParams::default(), &pod)).await.map(drop)
    }
}

fn runs(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.filter_map(|status| status.state.as_ref()).any(|state| state.running.is_some())
}

/// An evicted pod stays as an object.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

fn rules(services: &[String]) -> Value {
    json!([
        { "apiGroups": [""], "resources": ["services"], "resourceNames": services, "verbs": ["get", "patch"] },
        { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [lease::NAME], "verbs": ["get"] },
    ])
}

/// What runs in the guardian's pod: waits until the run has not renewed the Lease for [`lease::LAPSE`], by this pod's
/// own clock, or the Lease is gone; then gives back what still leads to the agents of this run, and ends. Another run
/// that has the Lease is no sign that this one lives.
///
/// # Errors
/// Exit 3 when a selector could not be restored; the kubelet starts the pod again.
pub async fn guard(cluster: &Cluster, run: &str, services: &[String]) -> Result<(), Failure> {
    let mut seen = (String::new(), Instant::now());
    loop {
        match lease::renewal(cluster, run).await {
            Ok(Renewal::Gone) => return restore(cluster, run, services).await,
            Ok(Renewal::At(stamp)) if stamp != seen.0 => seen = (stamp, Instant::now()),
            Ok(Renewal::At(_) | Renewal::Other) => {}
            // Not to know is no proof that the run is dead; but if it is, nobody else restores.
            Err(failure) => tracing::warn!(%failure, "the Lease cannot be read"),
        }
        if seen.1.elapsed() >= lease::LAPSE {
            return restore(cluster, run, services).await;
        }
        sleep(PERIOD).await;
    }
}

/// Tries every Service, whatever becomes of the others.
async fn restore(cluster: &Cluster, run: &str, services: &[String]) -> Result<(), Failure> {
    let mut failed = None;
    for name in services {
        match restore_one(cluster, run, name).await {
            Ok(Some(done)) => tracing::warn!("{done}: the run no longer renews the Lease"),
            Ok(None) => {}
            Err(failure) => {
                tracing::warn!(%failure, "service/{name} was not given back");
                failed = Some(failure);
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// A Service that leads to the agents of a later run is none of ours.
async fn restore_one(cluster: &Cluster, run: &str, name: &str) -> Result<Option<String>, Failure> {
    let api: Api<Service> = cluster.api();
    let found = cluster.call("read a Service", api.get_opt(name)).await?;
    match found.filter(|service| selector::leads_to(service, &object_name(run, name))) {
        Some(service) => selector::give_back(cluster, &service).await,
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const CORE: &str = "/api/v1/namespaces/demo";

    fn led(run: &str, name: &str) -> Value {
        let note = json!({ "golive.dev/original-selector": "{\"app\":\"x\"}" });
        let selector = json!({ "golive.dev/middle": object_name(run, name) });
        json!({ "metadata": { "name": name, "annotations": note }, "spec": { "selector": selector } })
    }

    #[tokio::test]
    async fn it_gives_back_what_its_own_run_has_led_whatever_becomes_of_the_others() {
        let (fake, cluster) = Fake::start().await;
        let services: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        for (name, run) in [("a", "dead"), ("b", "dead"), ("c", "alive")] {
            fake.put(&format!("{CORE}/services/{name}"), led(run, name));
        }
        fake.refuse(&format!("{CORE}/services/a"), 1);
        let selector =
            |name: &str| fake.get(&format!("{CORE}/services/{name}")).unwrap()["spec"]["selector"].clone();
        guard(&cluster, "dead", &services).await.unwrap_err();
        assert_eq!(selector("b"), json!({ "app": "x" }));
        guard(&cluster, "dead", &services).await.unwrap();
        assert_eq!(selector("a"), json!({ "app": "x" }));
        assert_eq!(selector("c"), json!({ "golive.dev/middle": "alive-c" }), "another run's");
    }

    #[tokio::test]
    async fn one_that_was_deleted_or_evicted_is_replaced() {
        let (fake, cluster) = Fake::start().await;
        let guardian = Guardian::create(&cluster, "run", "image", &["redis".to_owned()]).await.unwrap();
        assert!(!guardian.look_after().await.unwrap());
        let pod = format!("{CORE}/pods/run-guardian");
        fake.remove(&pod);
        assert!(guardian.look_after().await.unwrap());
        let mut evicted = fake.get(&pod).unwrap();
        evicted["status"] = json!({ "phase": "Failed", "reason": "Evicted" });
        fake.put(&pod, evicted);
        assert!(guardian.look_after().await.unwrap());
        assert!(fake.get(&pod).unwrap().get("status").is_none(), "a new one");
    }
}
