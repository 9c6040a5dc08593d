//! Which services something holds for.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Services by namespace and deployment; an empty list means all of them. A name may end in `*`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Deployments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<String>,
}

impl Scope {
    /// Whether a deployment of a namespace is meant.
    pub fn covers(&self, namespace: &str, deployment: &str) -> bool {
        named(&self.namespaces, namespace) && named(&self.deployments, deployment)
    }

    /// Whether it leaves nobody out.
    pub fn is_everybody(&self) -> bool {
        let all = |names: &[String]| names.is_empty() || names.iter().any(|name| name == "*");
        all(&self.namespaces) && all(&self.deployments)
    }
}

fn named(names: &[String], name: &str) -> bool {
    let fits = |pattern: &String| match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => pattern == name,
    };
    names.is_empty() || names.iter().any(fits)
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |names: &[String]| if names.is_empty() { "*".to_owned() } else { names.join(",") };
        write!(f, "{}/{}", all(&self.namespaces), all(&self.deployments))
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn a_scope_names_namespaces_and_deployments_also_by_their_begin() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        let scope = Scope { namespaces: names(&["demo", "pr-*"]), deployments: names(&["users"]) };
        assert!(scope.covers("demo", "users") && scope.covers("pr-17", "users"));
        assert!(
            !scope.covers("demo", "orders")
                && !scope.covers("prod", "users")
                && !scope.covers("demo2", "users")
        );
        assert!(
            Scope::default().covers("any", "thing")
                && Scope::default().is_everybody()
                && !scope.is_everybody()
        );
        assert!(Scope { namespaces: names(&["*"]), deployments: names(&[]) }.is_everybody());
        assert_eq!(
            (scope.to_string().as_str(), Scope::default().to_string().as_str()),
            ("demo,pr-*/users", "*/*")
        );
    }
}
