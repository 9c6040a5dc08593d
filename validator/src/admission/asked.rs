//! What a review asks: a deployment as it would be, and as it is (admission.k8s.io/v1, of which this much is read).

use std::collections::BTreeMap;

use serde::Deserialize;

/// Annotation of a deployment: why it may come in without a GO.
pub(super) const BREAK_GLASS: &str = "golive.dev/break-glass";

/// Annotations that a run keeps on its target until it has put the template back: to where, and its name.
const ROLLBACK_TO: &str = "golive.dev/rollback-to";
const RUN: &str = "golive.dev/run";

/// What the API server posts.
#[derive(Debug, Deserialize)]
pub(super) struct Review {
    pub(super) request: Asked,
}

/// A question.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    /// The question's own; the answer repeats it.
    pub(super) uid: String,
    pub(super) namespace: String,
    /// Empty for one that gets its name from the API server.
    #[serde(default)]
    pub(super) name: String,
    pub(super) user_info: User,
    #[serde(default)]
    pub(super) dry_run: bool,
    /// The deployment as it would be.
    #[serde(rename = "object")]
    pub(super) after: Deployment,
    /// As it is, if it is there.
    #[serde(rename = "oldObject")]
    pub(super) before: Option<Deployment>,
}

/// Who asks, as the API server knows him.
#[derive(Debug, Default, Deserialize)]
pub(super) struct User {
    #[serde(default)]
    pub(super) username: String,
}

/// What of a deployment is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Deployment {
    pub(super) metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) uid: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Spec {
    template: Template,
}

#[derive(Debug, Deserialize)]
struct Template {
    spec: PodSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    containers: Vec<Container>,
    #[serde(default)]
    init_containers: Vec<Container>,
}

/// A container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(default)]
    restart_policy: Option<String>,
}

impl Deployment {
    /// Those that serve: init containers do so as native sidecars alone (KEP-753).
    pub(super) fn containers(&self) -> impl Iterator<Item = &Container> {
        let PodSpec { containers, init_containers } = &self.spec.template.spec;
        let is_sidecar = |one: &&Container| one.restart_policy.as_deref() == Some("Always");
        containers.iter().chain(init_containers.iter().filter(is_sidecar))
    }

    /// Containers and init containers, each with the name of their list.
    pub(super) fn lists(&self) -> [(&'static str, &[Container]); 2] {
        let PodSpec { containers, init_containers } = &self.spec.template.spec;
        [("containers", containers), ("initContainers", init_containers)]
    }

    /// Whether one of its containers has this image.
    pub(super) fn has(&self, image: &str) -> bool {
        self.containers().any(|other| other.image == image)
    }

    /// The reason on it; empty where there is none.
    pub(super) fn break_glass(&self) -> &str {
        self.metadata.annotations.get(BREAK_GLASS).map_or("", |reason| reason.trim())
    }

    /// The run that has rolled it, while its way back is open.
    pub(super) fn rolled_by(&self) -> Option<&str> {
        let annotations = &self.metadata.annotations;
        annotations.get(ROLLBACK_TO).and(annotations.get(RUN)).map(String::as_str)
    }
}
