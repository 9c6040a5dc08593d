//! The objects of one run: itself, what it is given, and its Job.

use serde_json::{Value, json};

use super::Settings;
use super::kinds::RUN_OF;
use crate::config::{Always, Purpose};

/// No run may take longer than this; what it left is cleaned up by its guardian.
const DEADLINE_S: u64 = 45 * 60;

/// What a run may need of that before and after its rolls: its pod starts, and what an earlier run left comes to rest (5 min); then
/// it fetches, judges and cleans up, and its target comes to rest (5 min).
const AROUND_S: u64 = 15 * 60;

/// User and group of the pods, who may write on a volume of theirs.
const NOBODY: u32 = 65_532;

/// What a run is made of.
pub(super) struct Parts<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    /// The check, as JSON.
    pub(super) check: &'a Value,
    pub(super) image: &'a str,
    pub(super) hash: &'a str,
    pub(super) demand: &'a str,
    pub(super) purpose: Purpose,
    /// The policy as a file, if it is not the built-in one.
    pub(super) policy: Option<Value>,
    /// What is kept, and where.
    pub(super) always: &'a Always,
}

impl Parts<'_> {
    /// The run. It goes with its check.
    pub(super) fn run(&self) -> Value {
        let check = &self.check["metadata"]["name"];
        let mut spec = json!({
            "check": check, "image": self.image, "templateHash": self.hash, "demand": self.demand,
            "plan": self.purpose.name(),
            "policy": self.check["spec"]["policy"].as_str().unwrap_or("default")
        });
        if let Some(claim) = &self.always.evidence_claim {
            spec["evidence"] = json!(format!("{claim}/{}", self.evidence()));
        }
        json!({
            "apiVersion": "golive.dev/v1alpha1", "kind": "GoLiveRun",
            "metadata": self.metadata(self.name, self.check), "spec": spec
        })
    }

    /// Target file and policy. JSON is YAML.
    pub(super) fn given(&self, run: &Value) -> Value {
        let (name, metadata) = (&self.check["metadata"]["name"], self.metadata(self.name, run));
        let target = json!({
            "apiVersion": "golive.dev/v1alpha1", "kind": "GoLiveCheck",
            "metadata": { "name": name, "namespace": self.namespace }, "spec": self.check["spec"]
        });
        let mut data = json!({ "golive.yaml": target.to_string() });
        if let Some(policy) = &self.policy {
            data["policy.yaml"] = json!(policy.to_string());
        }
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data, "immutable": true })
    }

    /// The Job. Nothing is tried again, and a pod that is told to end has the time to put the template back.
    pub(super) fn job(&self, run: &Value, settings: &Settings) -> Value {
        let evidence = format!("/out/{}", self.evidence());
        let timeout = format!("{}s", DEADLINE_S - AROUND_S);
        let mut arguments: Vec<&str> =
            ["run", "-f", "/given/golive.yaml", "-q", "--report", "json=-", "--evidence", &evidence].into();
        arguments.extend(["--timeout", &timeout]);
        if !self.purpose.proves() {
            arguments.push("--observe");
        }
        if self.policy.is_some() {
            arguments.extend(["--policy", "/given/policy.yaml"]);
        }
        let labels = json!({ RUN_OF: self.check["metadata"]["name"], "app.kubernetes.io/name": "golive" });
        let container = json!({
            "name": "validator", "image": settings.image, "args": arguments,
            "env": [{ "name": "GOLIVE_AGENT_IMAGE", "value": settings.image }],
            "resources": { "requests": { "cpu": "200m", "memory": "256Mi" }, "limits": { "memory": "1Gi" } },
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] }
            },
            "volumeMounts": [
                { "name": "given", "mountPath": "/given", "readOnly": true }, { "name": "out", "mountPath": "/out" }
            ]
        });
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": self.metadata(self.name, run),
            "spec": {
                "backoffLimit": 0, "activeDeadlineSeconds": DEADLINE_S,
                "ttlSecondsAfterFinished": self.always.ttl_after_finished.0 as u64,
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "restartPolicy": "Never", "serviceAccountName": settings.account,
                        "terminationGracePeriodSeconds": 120,
                        "securityContext": {
                            "runAsNonRoot": true, "runAsUser": NOBODY, "fsGroup": NOBODY,
                            "seccompProfile": { "type": "RuntimeDefault" }
                        },
                        "containers": [container],
                        "volumes": [{ "name": "given", "configMap": { "name": self.name } }, self.out()]
                    }
                }
            }
        })
    }

    /// The file of its evidence.
    fn evidence(&self) -> String {
        format!("{}.evidence.zst", self.name)
    }

    /// The volume that it is written on.
    fn out(&self) -> Value {
        match &self.always.evidence_claim {
            Some(claim) => json!({ "name": "out", "persistentVolumeClaim": { "claimName": claim } }),
            None => json!({ "name": "out", "emptyDir": { "sizeLimit": "256Mi" } }),
        }
    }

    fn metadata(&self, name: &str, owner: &Value) -> Value {
        json!({
            "name": name, "namespace": self.namespace, "labels": { RUN_OF: self.check["metadata"]["name"] },
            "ownerReferences": [owned_by(owner)]
        })
    }
}

/// Whose removal is its own.
pub(super) fn owned_by(owner: &Value) -> Value {
    let metadata = &owner["metadata"];
    json!({
        "apiVersion": "golive.dev/v1alpha1", "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"],
        "controller": true, "blockOwnerDeletion": false
    })
}
