//! `kind: GoLivePolicy`: what an organisation asks of its services, by one type for the command line and the cluster.

mod defaults;
mod limits;
mod question;
mod scope;
mod validity;
mod waiver;

use std::collections::BTreeMap;
use std::path::Path;

use schemars::{JsonSchema, Schema, schema_for};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

pub use defaults::{Defaults, ProbeTimings};
pub use limits::Limits;
pub use question::{Answer, Question};
pub use scope::Scope;
pub use validity::Validity;
pub use waiver::Waiver;

use super::{ApiVersion, CheckCode, nearest};
use crate::failure::Failure;
use crate::severity::Severity;

/// The organisation's rules.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GoLivePolicy {
    /// `golive.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `GoLivePolicy`.
    pub kind: PolicyKind,
    /// Its name.
    pub metadata: PolicyMetadata,
    /// The rules.
    #[serde(default)]
    pub spec: Policy,
}

/// The kind of the file format.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
pub enum PolicyKind {
    /// Rules for all services.
    GoLivePolicy,
}

/// Which policy: it has no namespace.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyMetadata {
    /// Its name, as target files and reports say it.
    pub name: String,
}

/// The rules. What is absent is as without a policy.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
    /// What services are usually set to; one that declares something else is told so (GL-R005), and nothing more.
    pub defaults: Defaults,
    /// The limits that checks judge by.
    #[serde(deserialize_with = "limits::sane")]
    pub limits: Limits,
    /// What a failure of a check means, by its code, in place of its own severity.
    pub severity: BTreeMap<CheckCode, Severity>,
    /// What may fail, where, and until when.
    pub waivers: Vec<Waiver>,
    /// What only a human can answer, in the target file (GL-R006).
    #[serde(deserialize_with = "distinct")]
    pub questions: Vec<Question>,
    /// How long a verdict is believed.
    pub verdict: Validity,
}

impl Default for GoLivePolicy {
    /// The built-in one: the limits, and nothing else.
    fn default() -> Self {
        Self {
            api_version: ApiVersion::V1Alpha1,
            kind: PolicyKind::GoLivePolicy,
            metadata: PolicyMetadata { name: Self::BUILT_IN.to_owned() },
            spec: Policy::default(),
        }
    }
}

impl GoLivePolicy {
    /// Name of the policy that holds where nobody names one.
    pub const BUILT_IN: &'static str = "default";

    /// Reads and validates a policy; errors name the field and the line.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
        Self::parse(&text).map_err(|e| {
            // The parser names its input by a word of its own.
            let e = e.trim_start_matches("error: ").replace("<input>", &path.display().to_string());
            Failure::usage(format!("{}: {e}", path.display()))
                .hint("docs/policy.md explains every key; examples/policy.yaml is a complete example")
        })
    }

    /// Parses and validates the text of a policy.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map_err(|e| nearest::with_nearest(e.to_string()))
    }

    /// The policy as YAML, with everything that stood in no file.
    ///
    /// # Errors
    /// What the serializer says; none is known.
    pub fn yaml(&self) -> Result<String, String> {
        serde_saphyr::to_string(self).map_err(|e| e.to_string())
    }

    /// The JSON Schema of a policy, for docs/policy.schema.json.
    pub fn schema() -> Schema {
        schema_for!(GoLivePolicy)
    }
}

impl Policy {
    /// What a failure of a check means here; `own` where the policy does not say.
    pub fn weight(&self, check: &str, own: Severity) -> Severity {
        let code = CheckCode::try_from(check.to_owned()).ok();
        code.and_then(|code| self.severity.get(&code).copied()).unwrap_or(own)
    }
}

/// Questions of which each has a name of its own.
fn distinct<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Question>, D::Error> {
    let all = Vec::<Question>::deserialize(from)?;
    let twice = all.iter().enumerate().find(|(at, one)| all[..*at].iter().any(|other| other.id == one.id));
    match twice {
        Some((_, one)) => Err(D::Error::custom(format!("two questions have the id `{}`", one.id))),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests;
