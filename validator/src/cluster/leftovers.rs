//! What a run leaves in the cluster while it works, and how it is taken away again.

use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::guardian::has_ended;
use super::manifest::{ROLE_LABEL, RUN_LABEL};
use super::{Cluster, aliases, rollback};
use crate::failure::Failure;

/// Attempts to roll a deployment back, and the time between two.
const ATTEMPTS: usize = 3;
const BETWEEN: Duration = Duration::from_secs(1);

/// How long pods that are led to agents may take to end: a roll and its grace periods.
const UNLED: Duration = Duration::from_mins(10);

/// How often they are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Undoes the unfinished rolls of earlier runs in the namespace, and removes every object of theirs. Returns what was
/// done, in words. The caller holds the Lease.
///
/// While a pod is led to an agent, all agents, their Services and the guardian stay: without them its dependencies
/// would be gone. Before they go, so do the revisions that lead to them: `kubectl rollout undo` must not bring one back.
///
/// # Errors
/// The first one; everything else is done all the same.
pub async fn clean_up(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let mut work = Work { done: Vec::new(), failed: None };
    let undone = undo_rolls(cluster, &mut work).await;
    delete::<Pod>(cluster, "pod", "load", &mut work).await;
    if !undone || !unled(cluster, &mut work).await {
        return work.end();
    }
    forget_revisions(cluster, &mut work).await;
    delete::<Deployment>(cluster, "deployment", "middle", &mut work).await;
    delete::<Service>(cluster, "service", "middle", &mut work).await;
    delete::<Pod>(cluster, "pod", "middle", &mut work).await;
    delete::<Pod>(cluster, "pod", "guardian", &mut work).await;
    delete::<RoleBinding>(cluster, "rolebinding", "guardian", &mut work).await;
    delete::<Role>(cluster, "role", "guardian", &mut work).await;
    delete::<ServiceAccount>(cluster, "serviceaccount", "guardian", &mut work).await;
    work.end()
}

/// Whether every deployment is as its owner left it: for a run that may not put back what an earlier one has rolled.
///
/// # Errors
/// Exit 3 with the deployment that is not, and the command that puts it back.
pub async fn unfinished(cluster: &Cluster) -> Result<(), Failure> {
    let deployments: Api<Deployment> = cluster.api();
    let all = cluster.call("list deployments", deployments.list(&ListParams::default())).await?;
    let Some(left) = all.iter().find(|deployment| rollback::is_left(deployment)) else { return Ok(()) };
    let told = format!(
        "deployment/{} is as an earlier run has left it, and an observing run changes nothing",
        left.name_any()
    );
    Err(Failure::environment(told).hint(format!("this puts it back: {}", cluster.cleanup_command())))
}

/// What a clean-up has done, and the first thing that it could not do.
struct Work {
    done: Vec<String>,
    failed: Option<Failure>,
}

impl Work {
    fn note(&mut self, result: Result<impl IntoIterator<Item = String>, Failure>) {
        match result {
            Ok(done) => self.done.extend(done),
            Err(failure) if self.failed.is_none() => self.failed = Some(failure),
            Err(failure) => tracing::warn!(%failure, "clean-up"),
        }
    }

    /// Gives what a call found; nothing, noted, when it failed.
    fn found<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.note(Err::<Vec<String>, _>(failure))).ok()
    }

    fn end(self) -> Result<Vec<String>, Failure> {
        self.failed.map_or(Ok(self.done), Err)
    }
}

/// Says whether no template leads to an agent any more.
async fn undo_rolls(cluster: &Cluster, work: &mut Work) -> bool {
    for _ in 1..ATTEMPTS {
        if undo_once(cluster, work).await.is_empty() {
            return true;
        }
        sleep(BETWEEN).await;
    }
    let failed = undo_once(cluster, work).await;
    let undone = failed.is_empty();
    for failure in failed {
        work.note(Err::<Vec<String>, _>(failure));
    }
    undone
}

/// Tries every deployment, whatever becomes of the others; gives what failed.
async fn undo_once(cluster: &Cluster, work: &mut Work) -> Vec<Failure> {
    let deployments: Api<Deployment> = cluster.api();
    let all = match cluster.call("list deployments", deployments.list(&ListParams::default())).await {
        Ok(all) => all,
        Err(failure) => return vec![failure],
    };
    let mut failed = Vec::new();
    for deployment in &all {
        match rollback::undo(cluster, deployment).await {
            Ok(undone) => work.done.extend(undone.map(|undone| undone.text)),
            Err(failure) => failed.push(failure),
        }
    }
    failed
}

/// Waits until no pod is led to an agent; says whether that is so.
async fn unled(cluster: &Cluster, work: &mut Work) -> bool {
    let pods: Api<Pod> = cluster.api();
    let deadline = Instant::now() + UNLED;
    loop {
        let found = cluster.call("list pods", pods.list(&ListParams::default())).await;
        let Some(found) = work.found(found) else { return false };
        let Some(led) = found.iter().find(|pod| is_led(pod)) else { return true };
        if Instant::now() >= deadline {
            let name = led.name_any();
            let failure = Failure::environment(format!("pod/{name} is still led to an agent"));
            let hint = format!(
                "the agents stay for it, and forward everything: delete it, then {}",
                cluster.cleanup_command()
            );
            work.note(Err::<Vec<String>, _>(failure.hint(hint)));
            return false;
        }
        sleep(LOOK).await;
    }
}

/// A pod that has ended needs no dependency.
fn is_led(pod: &Pod) -> bool {
    !has_ended(pod) && pod.spec.as_ref().is_some_and(aliases::leads)
}

/// Deletes every replica set without pods whose template leads to agents: what is kept of the roll in, as a revision.
async fn forget_revisions(cluster: &Cluster, work: &mut Work) {
    let sets: Api<ReplicaSet> = cluster.api();
    let found = cluster.call("list replica sets", sets.list(&ListParams::default())).await;
    for set in work.found(found).into_iter().flatten().filter(is_left_revision) {
        let name = set.name_any();
        // Somebody may roll back to it between the two calls.
        let unchanged = Preconditions { resource_version: set.resource_version(), uid: set.uid() };
        let params = DeleteParams { preconditions: Some(unchanged), ..DeleteParams::background() };
        let deleted = cluster.call(&format!("delete replicaset/{name}"), gone(&sets, &name, &params)).await;
        let told = || format!("replicaset/{name}, a revision that led to agents, deleted");
        work.note(deleted.map(|deleted| deleted.then(told)));
    }
}

fn is_left_revision(set: &ReplicaSet) -> bool {
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let present = set.status.as_ref().map_or(0, |status| status.replicas);
    let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref()?.spec.as_ref());
    wanted == 0 && present == 0 && template.is_some_and(aliases::leads)
}

/// Deletes every object of one kind that carries our label and plays this part.
async fn delete<K>(cluster: &Cluster, kind: &str, role: &str, work: &mut Work)
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = cluster.api();
    let ours = ListParams::default().labels(&format!("{RUN_LABEL},{ROLE_LABEL}={role}"));
    let found = cluster.call(&format!("list each {kind} of ours"), api.list(&ours)).await;
    let at_once = DeleteParams::background().grace_period(0);
    for name in work.found(found).into_iter().flatten().map(|object| object.name_any()) {
        let deleted = cluster.call(&format!("delete {kind}/{name}"), gone(&api, &name, &at_once)).await;
        // Its owner may have been faster.
        work.note(deleted.map(|deleted| deleted.then(|| format!("{kind}/{name} deleted"))));
    }
}

async fn gone<K>(api: &Api<K>, name: &str, params: &DeleteParams) -> Result<bool, kube::Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    match api.delete(name, params).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fake::Fake;
    use super::*;

    use super::super::rolled::{Rolled, led_pod, old};

    const CORE: &str = "/api/v1/namespaces/demo";

    fn ours(fake: &Fake, collection: &str, name: &str, role: &str) {
        let labels = json!({ RUN_LABEL: "golive-users-a", ROLE_LABEL: role });
        fake.put(&format!("{collection}/{name}"), json!({ "metadata": { "name": name, "labels": labels } }));
    }

    /// What a dead run leaves: a target that is led to agents, and everything that stands behind them.
    async fn left_behind() -> (Fake, Cluster, Rolled) {
        let (fake, cluster) = Fake::start().await;
        let rolled = Rolled::by(&fake, "golive-users-a");
        ours(&fake, "/apis/apps/v1/namespaces/demo/deployments", "agent", "middle");
        ours(&fake, &format!("{CORE}/services"), "agent", "middle");
        ours(&fake, &format!("{CORE}/pods"), "guardian", "guardian");
        ours(&fake, &format!("{CORE}/pods"), "load", "load");
        (fake, cluster, rolled)
    }

    fn agents_stand(fake: &Fake) -> bool {
        let left = fake.paths().join(" ");
        ["deployments/agent", "services/agent", "pods/guardian"].iter().all(|needed| left.contains(needed))
    }

    #[tokio::test(start_paused = true)]
    async fn agents_stay_until_the_target_has_its_template_again() {
        let (fake, cluster, rolled) = left_behind().await;
        fake.refuse(Rolled::PATH, 1_000);
        clean_up(&cluster).await.unwrap_err();
        assert!(agents_stand(&fake), "{:?}", fake.paths());
        assert!(!fake.paths().join(" ").contains("pods/load"), "nothing needs the load agents");
        fake.refuse(Rolled::PATH, 2);
        clean_up(&cluster).await.unwrap();
        assert_eq!(rolled.template(), old(), "one that fails for a moment is tried again");
        assert!(!fake.paths().join(" ").contains("agent"), "{:?}", fake.paths());
    }

    #[tokio::test(start_paused = true)]
    async fn agents_stay_until_the_last_pod_that_is_led_to_them_is_gone() {
        let (fake, cluster, rolled) = left_behind().await;
        let pod = format!("{CORE}/pods/users-1");
        fake.put(&pod, led_pod("users-1"));
        let refused = clean_up(&cluster).await.unwrap_err().to_string();
        assert!(refused.contains("pod/users-1"), "{refused}");
        assert_eq!(rolled.template(), old(), "the way back does not wait for it");
        assert!(agents_stand(&fake));
        let mut ended = led_pod("users-1");
        ended["status"] = json!({ "phase": "Failed" });
        fake.put(&pod, ended);
        clean_up(&cluster).await.unwrap();
        assert!(!agents_stand(&fake));
    }

    #[tokio::test]
    async fn a_release_of_somebody_else_keeps_its_template_and_loses_our_aliases() {
        let (_fake, cluster, rolled) = left_behind().await;
        rolled.change(|deployment| {
            deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("9");
            deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!("users:theirs");
        });
        let done = clean_up(&cluster).await.unwrap();
        assert!(done[0].contains("rolled by somebody else"), "{done:?}");
        let template = rolled.template();
        assert_eq!(template["spec"]["containers"][0]["image"], "users:theirs");
        assert!(template["spec"].get("hostAliases").is_none(), "{template}");
    }

    const SETS: &str = "/apis/apps/v1/namespaces/demo/replicasets";

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_fails_for_a_moment_does_not_leave_the_candidate() {
        let (fake, cluster, rolled) = left_behind().await;
        fake.refuse(SETS, 1);
        clean_up(&cluster).await.unwrap();
        assert_eq!(rolled.template(), old());
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_aliases_taken_off_are_no_release_of_somebody_else() {
        let (fake, cluster, rolled) = left_behind().await;
        let kept = fake.get(Rolled::SET).unwrap();
        fake.remove(Rolled::SET);
        let failure = clean_up(&cluster).await.unwrap_err().to_string();
        assert!(failure.contains("no longer kept") && !rolled.leads(), "{failure}");
        fake.put(Rolled::SET, kept);
        clean_up(&cluster).await.unwrap();
        assert_eq!(rolled.template(), old());
    }

    /// Keeps a replica set of so many replicas, led to agents or not.
    fn revision(fake: &Fake, name: &str, replicas: u32, led: bool) {
        let template = if led { led_pod("t") } else { old() };
        let spec = json!({ "replicas": replicas, "selector": {}, "template": template });
        fake.put(&format!("{SETS}/{name}"), json!({ "metadata": { "name": name }, "spec": spec }));
    }

    #[tokio::test(start_paused = true)]
    async fn no_revision_is_left_that_would_lead_to_agents_that_are_gone() {
        let (fake, cluster, _rolled) = left_behind().await;
        revision(&fake, "candidate", 0, true);
        revision(&fake, "alive", 2, true);
        revision(&fake, "theirs", 0, false);
        fake.put(&format!("{CORE}/pods/users-1"), led_pod("users-1"));
        clean_up(&cluster).await.unwrap_err();
        assert!(fake.get(&format!("{SETS}/candidate")).is_some(), "while the agents stay it does too");
        fake.remove(&format!("{CORE}/pods/users-1"));
        let done = clean_up(&cluster).await.unwrap().join(" ");
        assert!(done.contains("replicaset/candidate"), "{done}");
        let sets = fake.paths().into_iter().filter_map(|p| p.strip_prefix(SETS).map(str::to_owned));
        assert_eq!(sets.collect::<Vec<_>>(), ["/alive", "/theirs", "/users-4"]);
    }

    #[tokio::test]
    async fn aliases_whose_note_somebody_has_taken_away_go_too() {
        let (_fake, cluster, rolled) = left_behind().await;
        rolled.change(|deployment| deployment["metadata"]["annotations"] = json!({}));
        clean_up(&cluster).await.unwrap();
        assert!(!rolled.leads());
    }
}
