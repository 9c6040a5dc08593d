//! Which objects are the target's own: those of another Deployment may carry the labels that it selects by too.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::evidence::{ObjectFact, ObjectKind};

/// What the target owns, as far as it was seen: a Deployment owns ReplicaSets, and they own pods.
pub(super) struct Owned {
    deployment: String,
    /// Of all that is its own. What is gone stays in it: pods may outlive their ReplicaSet.
    uids: BTreeSet<String>,
}

impl Owned {
    /// By the Deployment of that name.
    pub(super) fn by(deployment: &str) -> Self {
        Self { deployment: deployment.to_owned(), uids: BTreeSet::new() }
    }

    /// Whether an object is the target's own, or of a kind that no Deployment owns. What it owns in turn is known from
    /// then on.
    pub(super) fn has(&mut self, fact: &ObjectFact) -> bool {
        let metadata = &fact.object["metadata"];
        let is_own = match fact.kind {
            ObjectKind::Deployment => metadata["name"] == self.deployment,
            ObjectKind::ReplicaSet => self.knows(metadata),
            ObjectKind::Pod => self.knows(metadata) || self.names_owner(metadata),
            _ => return true,
        };
        if is_own {
            self.uids.extend(metadata["uid"].as_str().map(str::to_owned));
        }
        is_own
    }

    /// By its owner, or because it was the target's before: the end of what its owner has let go is to be seen too.
    fn knows(&self, metadata: &Value) -> bool {
        let owner = controller(metadata).and_then(|owner| owner["uid"].as_str());
        let uids = owner.into_iter().chain(metadata["uid"].as_str());
        uids.into_iter().any(|uid| self.uids.contains(uid))
    }

    /// A pod may be seen before its ReplicaSet, of which the name is known: the deployment controller makes it of the
    /// Deployment's name and the hash of the template.
    fn names_owner(&self, pod: &Value) -> bool {
        let (owner, hash) = (controller(pod), pod["labels"]["pod-template-hash"].as_str());
        owner.zip(hash).is_some_and(|(owner, hash)| {
            owner["kind"] == "ReplicaSet" && owner["name"] == format!("{}-{hash}", self.deployment)
        })
    }
}

/// The one owner that answers for an object; others may stand beside it.
fn controller(metadata: &Value) -> Option<&Value> {
    let owners = metadata["ownerReferences"].as_array();
    owners.into_iter().flatten().find(|owner| owner["controller"] == true)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::Owned;
    use crate::evidence::{Change, ObjectFact, ObjectKind};

    fn listed(kind: ObjectKind, metadata: &Value) -> ObjectFact {
        ObjectFact { at: 0, kind, change: Change::Listed, object: json!({ "metadata": metadata }) }
    }

    fn owners(kind: &str, name: &str) -> Value {
        let (uid, beside) = (format!("uid-of-{name}"), json!({ "kind": "Other", "uid": "uid-of-users" }));
        json!([beside, { "kind": kind, "name": name, "uid": uid, "controller": true }])
    }

    pub(in super::super) fn deployment(name: &str) -> ObjectFact {
        listed(ObjectKind::Deployment, &json!({ "name": name, "uid": format!("uid-of-{name}") }))
    }

    pub(in super::super) fn set(name: &str, deployment: &str) -> ObjectFact {
        let owners = owners("Deployment", deployment);
        let metadata = json!({ "name": name, "uid": format!("uid-of-{name}"), "ownerReferences": owners });
        listed(ObjectKind::ReplicaSet, &metadata)
    }

    /// One of a template with the hash 1.
    pub(in super::super) fn pod(name: &str, set: &str) -> ObjectFact {
        let (owners, labels) =
            (owners("ReplicaSet", set), json!({ "app": "users", "pod-template-hash": "1" }));
        let metadata = json!({ "name": name, "uid": name, "labels": labels, "ownerReferences": owners });
        listed(ObjectKind::Pod, &metadata)
    }

    /// What the target owns once all this was seen.
    fn seen<const N: usize>(facts: [ObjectFact; N]) -> Owned {
        let mut owned = Owned::by("users");
        assert_eq!(facts.map(|fact| owned.has(&fact)), [true; N]);
        owned
    }

    #[test]
    fn a_replica_set_is_the_targets_by_the_uid_of_its_owner_and_a_pod_by_that_of_its_own() {
        let mut owned = seen([deployment("users"), set("adopted", "users"), pod("a", "adopted")]);
        let mut earlier = set("users-0", "users");
        earlier.object["metadata"]["ownerReferences"][1]["uid"] = json!("of one that was deleted");
        let foreign = [
            deployment("canary"),
            set("canary-1", "canary"),
            set("users-1-1", "users-1"),
            pod("b", "canary-1"),
            pod("c", "users-1-1"),
            earlier,
        ];
        assert_eq!(foreign.map(|fact| owned.has(&fact)), [false; 6]);
        let bare =
            json!({ "name": "bare", "uid": "bare", "labels": { "app": "users", "pod-template-hash": "1" } });
        assert!(!owned.has(&listed(ObjectKind::Pod, &bare)), "nobody owns it");
        assert!(owned.has(&listed(ObjectKind::EndpointSlice, &json!({ "name": "users-x" }))));
    }

    #[test]
    fn a_pod_that_is_seen_before_its_replica_set_is_known_by_the_name_of_it() {
        let mut owned = seen([deployment("users"), pod("a", "users-1")]);
        let mut other = pod("b", "users-1");
        other.object["metadata"]["labels"]["pod-template-hash"] = json!("2");
        assert!(!owned.has(&other), "the ReplicaSet of hash 2 has another name");
        other.object["metadata"]["ownerReferences"] = owners("StatefulSet", "users-2");
        assert!(!owned.has(&other));
    }

    #[test]
    fn the_end_of_a_pod_that_its_replica_set_has_let_go_is_seen() {
        let mut owned = seen([deployment("users"), set("users-1", "users"), pod("a", "users-1")]);
        let mut gone = pod("a", "users-1");
        gone.change = Change::Deleted;
        gone.object["metadata"]["ownerReferences"] = json!([]);
        assert!(owned.has(&gone));
    }
}
