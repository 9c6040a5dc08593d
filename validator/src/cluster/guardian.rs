//! The guardian: a pod that rolls the target back when the run that rolled it is dead.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::lease::{self, Renewal};
use super::manifest::{labels, object_name, pod_spec};
use super::{Cluster, rollback};
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
    deployment: String,
}

impl Guardian {
    /// Creates it. Its Role names the target and the Lease, nothing else.
    pub(super) async fn create(
        cluster: &Cluster,
        run: &str,
        image: &str,
        deployment: &str,
    ) -> Result<Self, Failure> {
        let (run, image, deployment) = (run.to_owned(), image.to_owned(), deployment.to_owned());
        let guardian = Self { cluster: cluster.clone(), run, image, deployment };
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
        let rules = rules(&self.deployment);
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
        let args = [
            ("--namespace", self.cluster.namespace()),
            ("--run", &self.run),
            ("--deployment", &self.deployment),
        ];
        let args = args.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]);
        let args: Vec<String> = ["guardian".to_owned()].into_iter().chain(args).collect();
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

/// Whether its containers run no more: an evicted pod stays as an object.
pub(super) fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

fn rules(deployment: &str) -> Value {
    json!([
        { "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": [deployment], "verbs": ["get", "patch"] },
        { "apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"] },
        { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [lease::NAME], "verbs": ["get"] },
    ])
}

/// What runs in the guardian's pod: waits until the run has not renewed the Lease for [`lease::LAPSE`], by this pod's
/// own clock, or the Lease is gone; then rolls back what this run has rolled, and ends. Another run that has the Lease
/// is no sign that this one lives. What fails is tried again as long as the run does not live again: a pod that ended
/// would wait longer and longer until it is started.
pub async fn guard(cluster: &Cluster, run: &str, deployment: &str) {
    let mut seen = (String::new(), Instant::now());
    loop {
        let mut gone = false;
        match lease::renewal(cluster, run).await {
            Ok(Renewal::Gone) => gone = true,
            Ok(Renewal::At(stamp)) if stamp != seen.0 => seen = (stamp, Instant::now()),
            Ok(Renewal::At(_) | Renewal::Other) => {}
            // Not to know is no proof that the run is dead; but if it is, nobody else restores.
            Err(failure) => tracing::warn!(%failure, "the Lease cannot be read"),
        }
        if gone || seen.1.elapsed() >= lease::LAPSE {
            match restore(cluster, run, deployment).await {
                Ok(()) => return,
                Err(failure) => tracing::warn!(%failure, "the target is not rolled back yet"),
            }
        }
        sleep(PERIOD).await;
    }
}

/// What a later run has rolled is none of ours.
async fn restore(cluster: &Cluster, run: &str, name: &str) -> Result<(), Failure> {
    let api: Api<Deployment> = cluster.api();
    let found = cluster.call("read the deployment", api.get_opt(name)).await?;
    let Some(found) = found.filter(|deployment| rollback::noted_by(deployment) == Some(run)) else {
        return Ok(());
    };
    if let Some(undone) = rollback::undo(cluster, &found).await? {
        tracing::warn!("{}: the run no longer renews the Lease", undone.text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    use super::super::rolled::{Rolled, old};

    const CORE: &str = "/api/v1/namespaces/demo";

    #[tokio::test(start_paused = true)]
    async fn it_rolls_back_what_its_own_run_has_rolled_and_tries_again() {
        let (fake, cluster) = Fake::start().await;
        let rolled = Rolled::by(&fake, "dead");
        guard(&cluster, "alive", "users").await;
        assert!(rolled.leads(), "another run's");
        fake.refuse(Rolled::PATH, 3);
        guard(&cluster, "dead", "users").await;
        assert_eq!(rolled.template(), old());
        assert_eq!(rolled.annotations(), json!({ "deployment.kubernetes.io/revision": "6" }));
    }

    #[tokio::test]
    async fn one_that_was_deleted_or_evicted_is_replaced() {
        let (fake, cluster) = Fake::start().await;
        let guardian = Guardian::create(&cluster, "run", "image", "users").await.unwrap();
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
