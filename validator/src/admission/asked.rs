//! What a review asks: a deployment as it would be, and as it is (admission.k8s.io/v1, of which this much is read).

use std::collections::BTreeMap;

use serde::Deserialize;

/// Annotation of a deployment: why it may come in without a GO.
pub(super) const BREAK_GLASS: &str = "golive.dev/break-glass";

/// Annotation that a run keeps on its target until it has put the template back.
const ROLLBACK_TO: &str = "golive.dev/rollback-to";

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
struct PodSpec {
    containers: Vec<Container>,
}

/// A container. Init containers serve nobody, and no run looks at them.
#[derive(Debug, Deserialize)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
}

impl Deployment {
    pub(super) fn containers(&self) -> &[Container] {
        &self.spec.template.spec.containers
    }

    /// Whether one of its containers has this image.
    pub(super) fn has(&self, image: &str) -> bool {
        self.containers().iter().any(|other| other.image == image)
    }

    /// The reason on it; empty where there is none.
    pub(super) fn break_glass(&self) -> &str {
        self.metadata.annotations.get(BREAK_GLASS).map_or("", |reason| reason.trim())
    }

    /// Whether a run has rolled it, and its way back is open.
    pub(super) fn is_rolled(&self) -> bool {
        self.metadata.annotations.contains_key(ROLLBACK_TO)
    }
}
