//! The target file (`golive.yaml`): what to gate and how its users behave.

mod breaker;
mod dependency;
mod policy;
mod quantity;
mod request;
mod template;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use breaker::Breaker;
pub use dependency::{Dependency, Need, Protocol, Upstream};
pub use policy::Policy;
pub use quantity::{Rate, Seconds};
pub use request::{Method, RequestSpec};
pub use template::Template;

use crate::failure::Failure;

/// `kind: GoLiveCheck`, one deployment behind one Service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GoLiveCheck {
    /// `golive.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `GoLiveCheck`.
    pub kind: Kind,
    /// Name and namespace.
    pub metadata: Metadata,
    /// The check itself.
    pub spec: Spec,
}

/// The one version of the file format.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub enum ApiVersion {
    /// The first, unstable version.
    #[serde(rename = "golive.dev/v1alpha1")]
    V1Alpha1,
}

/// The one kind of the file format.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub enum Kind {
    /// A go-live check of one deployment.
    GoLiveCheck,
}

/// Which object, and where.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Name of the check; the deployment's by habit.
    pub name: String,
    /// Namespace of the target; `default` when absent, as in kubectl.
    #[serde(default = "default_namespace")]
    pub namespace: String,
}

/// What to gate.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The deployment and its Service.
    pub target: Target,
    /// The load that stands for its users.
    pub traffic: Traffic,
    /// What the service calls.
    #[serde(default, deserialize_with = "dependency::distinct")]
    pub dependencies: Vec<Dependency>,
    /// What readiness promises while a dependency is away.
    #[serde(default)]
    pub readiness: Readiness,
    /// The organisation's rules; only `default` exists so far.
    #[serde(default)]
    pub policy: PolicyName,
}

/// The deployment and its Service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name of the Deployment.
    pub deployment: String,
    /// Name of the Service; found by its selector when absent.
    #[serde(default)]
    pub service: Option<String>,
}

/// The load that stands for the target's users.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Requests per second, all classes together.
    #[serde(default = "default_rate")]
    pub rate: Rate,
    /// Of these per second, sent with the sampled flag of `traceparent` set.
    #[serde(default = "default_sampled")]
    pub sampled: Rate,
    /// What is asked, in turn.
    pub requests: Vec<RequestSpec>,
}

/// What readiness promises while a dependency is away.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// Ready only while every dependency is confirmed.
    #[default]
    Strict,
    /// Ready while breaker and cache can still answer.
    DegradedOk,
}

/// A known set of rules.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// The limits of [`Policy::default`].
    #[default]
    Default,
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn default_rate() -> Rate {
    Rate::new(200)
}

fn default_sampled() -> Rate {
    Rate::new(20)
}

impl GoLiveCheck {
    /// Reads and validates a target file; errors name the field and the line.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Failure::usage(format!("cannot read {}: {e}", path.display()))
                .hint("name a target with `validator run deployment/NAME -n NAMESPACE --get /PATH`")
        })?;
        Self::parse(&text).map_err(|e| {
            Failure::usage(format!("{}: {e}", path.display()))
                .hint("the golive.yaml of this project is a complete example")
        })
    }

    /// Parses and validates the text of a target file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let check: Self = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
        if check.spec.traffic.requests.is_empty() {
            return Err("spec.traffic.requests: expected at least one request, such as `- get: /`".into());
        }
        Ok(check)
    }

    /// A check for one deployment, as the command line gives it.
    pub fn for_deployment(deployment: &str, namespace: &str, requests: Vec<RequestSpec>) -> Self {
        Self {
            api_version: ApiVersion::V1Alpha1,
            kind: Kind::GoLiveCheck,
            metadata: Metadata { name: deployment.to_owned(), namespace: namespace.to_owned() },
            spec: Spec {
                target: Target { deployment: deployment.to_owned(), service: None },
                traffic: Traffic { rate: default_rate(), sampled: default_sampled(), requests },
                dependencies: Vec::new(),
                readiness: Readiness::default(),
                policy: PolicyName::default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GoLiveCheck;

    const USERS: &str = include_str!("../../golive.yaml");

    #[test]
    fn the_shipped_target_file_is_valid() {
        let check = GoLiveCheck::parse(USERS).unwrap();
        assert_eq!(check.spec.target.deployment, "users");
        assert_eq!(check.spec.dependencies.len(), 4);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = GoLiveCheck::parse(&USERS.replace("readiness:", "readyness:")).unwrap_err();
        assert!(error.contains("readyness"), "{error}");
        assert!(error.contains("line"), "{error}");
    }

    #[test]
    fn a_path_that_cannot_be_asked_for_is_refused_with_its_line() {
        for wrong in ["api/users/{1..9}", "/api users", "http://users/api"] {
            let error = GoLiveCheck::parse(&USERS.replace("post: /api/users", &format!("post: \"{wrong}\"")));
            let error = error.unwrap_err();
            assert!(error.contains(wrong) && error.contains("line"), "{error}");
        }
    }

    #[test]
    fn a_rate_of_zero_is_refused_with_its_line() {
        let error = GoLiveCheck::parse(&USERS.replace("rate: 200", "rate: 0")).unwrap_err();
        assert!(error.contains("rate") && error.contains("line"), "{error}");
    }

    #[test]
    fn a_breaker_that_cannot_be_judged_is_refused_with_its_line() {
        let cases = [
            ("errorRate: 0.5", "errorRate: 50", "up to 1"),
            ("errorRate: 0.5", "errorRate: 0", "up to 1"),
            ("window: 10s", "window: 2h", "1s to 60s"),
            ("deadline: 3s", "deadline: 9500ms", "at most 9s"),
            ("deadline: 3s", "deadline: 1e30s", "duration"),
            ("openFor: 30s", "openFor: 1e30s", "duration"),
            ("openFor: 30s", "openFor: 10m", "at most 300s"),
            ("openFor: 30s", "openFor: 5s", "at least 6.1s"),
            ("trials: 1", "trials: 0", "at least 1"),
        ];
        for (right, wrong, told) in cases {
            let error = GoLiveCheck::parse(&USERS.replace(right, wrong)).unwrap_err();
            assert!(error.contains(told) && error.contains("line"), "{wrong}: {error}");
        }
        assert!(GoLiveCheck::parse(&USERS.replace("openFor: 30s", "openFor: 7s")).is_ok());
    }

    #[test]
    fn a_dependency_has_its_name_and_its_service_for_itself() {
        for (right, wrong) in [("name: redis", "name: postgres"), ("service: redis", "service: postgres")] {
            let error = GoLiveCheck::parse(&USERS.replace(right, wrong)).unwrap_err();
            assert!(error.contains("two dependencies") && error.contains("line"), "{error}");
        }
    }

    #[test]
    fn a_request_needs_exactly_one_method() {
        let error = GoLiveCheck::parse(&USERS.replace("{ get:", "{ put:")).unwrap_err();
        assert!(error.contains("put"), "{error}");
    }
}
