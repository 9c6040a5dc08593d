//! The kinds of the operator, and the words on their objects.

use kube::core::dynamic::ApiResource;

/// Label of a run, its Job and what it is given: the name of the check.
pub(crate) const RUN_OF: &str = "golive.dev/check";

/// Annotation of a check: another value than the last run's asks for a run.
pub(super) const DEMAND: &str = "golive.dev/run";

/// Annotation of a check: the name of the run that is to end.
pub(super) const ABORT: &str = "golive.dev/abort";

/// What begins the names of annotations that runs lay on a target.
pub(super) const OURS: &str = "golive.dev/";

/// Who applies.
pub(super) const MANAGER: &str = "golive-operator";

pub(super) fn checks() -> ApiResource {
    kind("GoLiveCheck", "golivechecks")
}

pub(crate) fn runs() -> ApiResource {
    kind("GoLiveRun", "goliveruns")
}

pub(crate) fn policies() -> ApiResource {
    kind("GoLivePolicy", "golivepolicies")
}

fn kind(kind: &str, plural: &str) -> ApiResource {
    let (group, version) = ("golive.dev".to_owned(), "v1alpha1".to_owned());
    ApiResource {
        api_version: format!("{group}/{version}"),
        group,
        version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
