//! A workload and the container of it that serves.

use serde_json::Value;

use super::Hit;
use super::manifest::Manifest;
use crate::check::Severity;

/// Its pods come from a template.
#[derive(Debug)]
pub(super) struct Workload {
    /// The object.
    pub(super) manifest: Manifest,
    /// Number of the container that serves.
    serving: usize,
}

/// What a rule says about one place of a workload.
pub(super) struct Said {
    /// JSON pointer of the place.
    pub(super) at: String,
    /// What is there.
    pub(super) text: String,
}

/// Says something of a place.
pub(super) fn said(at: impl Into<String>, text: impl Into<String>) -> Said {
    Said { at: at.into(), text: text.into() }
}

impl Workload {
    pub(super) fn of(manifest: Manifest) -> Option<Self> {
        if !matches!(manifest.kind(), "Deployment" | "StatefulSet" | "DaemonSet") {
            return None;
        }
        let containers = manifest.get("/spec/template/spec/containers")?.as_array()?;
        // The first one with a port, else the first one; a Service would say it, where it stands in the same manifests.
        let serving = containers.iter().position(|container| container["ports"].is_array()).unwrap_or(0);
        containers.get(serving)?;
        Some(Self { manifest, serving })
    }

    /// `Deployment/users`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.manifest.kind(), self.manifest.name())
    }

    /// Whether pods are replaced one by one by a controller that can surge.
    pub(super) fn is_deployment(&self) -> bool {
        self.manifest.kind() == "Deployment"
    }

    /// Whether its pods are counted by `replicas`.
    pub(super) fn is_counted(&self) -> bool {
        self.manifest.kind() != "DaemonSet"
    }

    /// Pointer of the container that serves.
    pub(super) fn container_at(&self) -> String {
        format!("/spec/template/spec/containers/{}", self.serving)
    }

    /// The container that serves.
    pub(super) fn container(&self) -> &Value {
        self.manifest.get(&self.container_at()).unwrap_or(&Value::Null)
    }

    /// All containers with their pointers.
    pub(super) fn containers(&self) -> impl Iterator<Item = (String, &Value)> {
        let all = self.manifest.get("/spec/template/spec/containers").and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .enumerate()
            .map(|(at, one)| (format!("/spec/template/spec/containers/{at}"), one))
    }

    /// Names of the ports that a Service can lead to: of containers, and of native sidecars (KEP-753).
    pub(super) fn port_names(&self) -> impl Iterator<Item = &str> {
        let list = |at: &str| self.pod()[at].as_array().into_iter().flatten();
        let sidecars = list("initContainers").filter(|one| one["restartPolicy"] == "Always");
        let ports =
            list("containers").chain(sidecars).flat_map(|one| one["ports"].as_array().into_iter().flatten());
        ports.filter_map(|port| port["name"].as_str())
    }

    /// The spec of its pods.
    pub(super) fn pod(&self) -> &Value {
        self.manifest.get("/spec/template/spec").unwrap_or(&Value::Null)
    }

    /// What was said as a finding.
    pub(super) fn hit(&self, rule: (&'static str, &'static str, Severity, &'static str), said: Said) -> Hit {
        let (rule, slug, severity, remedy) = rule;
        Hit {
            rule,
            slug,
            severity,
            file: self.manifest.file.clone(),
            line: self.manifest.line(&said.at),
            namespace: self.manifest.namespace().to_owned(),
            object: self.name(),
            text: said.text,
            remedy,
            waived: None,
        }
    }
}
