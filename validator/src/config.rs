//! The target file (`golive.yaml`): what to gate and how its users behave.

mod always;
mod body;
mod breaker;
mod check_code;
mod day;
mod dependency;
mod gentle;
mod header;
mod local;
mod local_rules;
mod method;
mod nearest;
mod policy;
mod port;
mod probe;
mod purpose;
mod quantity;
mod request;
mod template;
mod words;

use std::path::Path;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

pub use always::Always;
pub use body::Body;
pub use breaker::{Breaker, Opens, Pace, of_each_call};
pub use check_code::CheckCode;
pub use day::Day;
pub use dependency::{Dependency, Need, Protocol, Upstream};
pub use header::{HeaderText, Headers, SecretKey, checked_name, text_of};
pub use local::{Liveness, Local, LocalDependency, LocalProbe, MANAGEMENT_PORT, MARK, POD_NAME, PORT};
pub use method::Method;
pub use policy::{
    Answer, Defaults, GoLivePolicy, Limits, Policy, ProbeTimings, Question, Scope, Validity, Waiver,
};
pub use port::PortRef;
pub(crate) use probe::without_query;
pub use probe::{Handler, Header, Probe, Scheme};
pub use purpose::Purpose;
pub use quantity::{Rate, Seconds};
pub use request::RequestSpec;
pub use template::Template;
pub use words::Words;

use crate::failure::Failure;

/// `kind: GoLiveCheck`, one deployment behind one Service.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
pub enum ApiVersion {
    /// The first, unstable version.
    #[serde(rename = "golive.dev/v1alpha1")]
    V1Alpha1,
}

/// The one kind of the file format.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
pub enum Kind {
    /// A go-live check of one deployment.
    GoLiveCheck,
}

/// Which object, and where.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Name of the check; the deployment's by habit.
    pub name: String,
    /// Namespace of the target; `default` when absent, as in kubectl.
    #[serde(default = "default_namespace")]
    pub namespace: String,
}

/// What to gate.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The deployment and its Service.
    pub target: Target,
    /// The load that stands for its users.
    pub traffic: Traffic,
    /// What the service calls.
    #[serde(default, deserialize_with = "dependency::distinct")]
    pub dependencies: Vec<Dependency>,
    /// The organisation's rules by name: `default` is built in, any other comes with `--policy FILE`.
    #[serde(default = "default_policy")]
    pub policy: String,
    /// Answers to what the policy asks of humans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// When the operator asks again.
    #[serde(default)]
    pub always: Always,
    /// How it runs on this machine, for `validator local`.
    #[serde(default)]
    pub local: Local,
}

/// The deployment and its Service.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name of the Deployment.
    pub deployment: String,
    /// Name of the Service; found by its selector when absent.
    #[serde(default)]
    pub service: Option<String>,
    /// Port of the Service; the one named `http`, else the first one, when absent.
    #[serde(default)]
    pub port: Option<PortRef>,
}

/// The load that stands for the target's users.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
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

fn default_namespace() -> String {
    "default".to_owned()
}

fn default_policy() -> String {
    GoLivePolicy::BUILT_IN.to_owned()
}

fn default_rate() -> Rate {
    Rate::new(200)
}

fn default_sampled() -> Rate {
    Rate::new(20)
}

/// The JSON Schema of a target file, for docs/golive.schema.json. What depends on several keys at once (which keys make a
/// breaker, one method per request) is said by the parser alone.
pub fn schema() -> Schema {
    schema_for!(GoLiveCheck)
}

impl GoLiveCheck {
    /// Reads and validates a target file; errors name the field and the line.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Failure::usage(format!("cannot read {}: {e}", path.display()))
                .hint("name a target with `validator run deployment/NAME -n NAMESPACE --get /PATH`")
        })?;
        let mut check = Self::parse(&text).map_err(|e| {
            // The parser names its input by a word of its own.
            let e = e.trim_start_matches("error: ").replace("<input>", &path.display().to_string());
            Failure::usage(format!("{}: {e}", path.display()))
                .hint("docs/target-file.md explains every key; golive.yaml is a complete example")
        })?;
        check.start_at(path.parent().unwrap_or(Path::new("")));
        Ok(check)
    }

    /// Files that a target file names lie beside it.
    fn start_at(&mut self, folder: &Path) {
        let texts = self.spec.traffic.requests.iter_mut().flat_map(|request| request.headers.values_mut());
        for text in texts {
            if let HeaderText::File { file } = text {
                *file = folder.join(&*file);
            }
        }
    }

    /// Parses and validates the text of a target file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let check: Self = serde_saphyr::from_str(text).map_err(|e| nearest::with_nearest(e.to_string()))?;
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
                target: Target { deployment: deployment.to_owned(), service: None, port: None },
                traffic: Traffic { rate: default_rate(), sampled: default_sampled(), requests },
                dependencies: Vec::new(),
                policy: default_policy(),
                answers: Vec::new(),
                always: Always::default(),
                local: Local::default(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
