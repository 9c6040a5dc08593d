//! The target file (`golive.yaml`): what to gate and how its users behave.

mod body;
mod breaker;
mod dependency;
mod header;
mod method;
mod nearest;
mod policy;
mod port;
mod quantity;
mod request;
mod template;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use body::Body;
pub use breaker::{Breaker, Opens, Pace};
pub use dependency::{Dependency, Need, Protocol, Upstream};
pub use header::{HeaderText, Headers, SecretKey, checked_name};
pub use method::Method;
pub use policy::Policy;
pub use port::PortRef;
pub use quantity::{Rate, Seconds};
pub use request::RequestSpec;
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
    /// Port of the Service; the one named `http`, else the first one, when absent.
    #[serde(default)]
    pub port: Option<PortRef>,
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
        let mut check = Self::parse(&text).map_err(|e| {
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
                policy: PolicyName::default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, GoLiveCheck, HeaderText, Method, RequestSpec};

    const USERS: &str = include_str!("../../golive.yaml");

    #[test]
    fn the_shipped_target_file_is_valid() {
        let check = GoLiveCheck::parse(USERS).unwrap();
        assert_eq!(check.spec.target.deployment, "users");
        assert_eq!(check.spec.dependencies.len(), 4);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_name() {
        let slips = [
            ("readiness:", "readyness:", "readiness"),
            ("traffic:", "trafic:", "traffic"),
            ("weight:", "wieght:", "weight"),
            ("openFor:", "open_for:", "openFor"),
            ("protocol: redis", "protocol: rediss", "redis"),
        ];
        for (right, wrong, meant) in slips {
            let error = GoLiveCheck::parse(&USERS.replace(right, wrong)).unwrap_err();
            assert!(error.contains("line"), "{error}");
            assert!(error.contains(&format!("did you mean `{meant}`?")), "{error}");
        }
    }

    /// The file with one request in place of the POST.
    fn with_request(yaml: &str) -> Result<GoLiveCheck, String> {
        let begin = USERS.find("      - post:").unwrap();
        let end = USERS.find("  dependencies:").unwrap();
        GoLiveCheck::parse(&format!("{}      - {yaml}\n{}", &USERS[..begin], &USERS[end..]))
    }

    #[test]
    fn every_method_is_a_key_and_a_plan_reads_back_what_it_wrote() {
        for method in Method::ALL {
            let name = method.name();
            let body = if method.is_safe() { "" } else { ", form: { q: \"{uuid}\" }" };
            let yaml = format!(
                "{{ {name}: /x, headers: {{ Accept: text/html, authorization: {{ secretKeyRef: {{ name: t, key: k }} }} }}, expect: [200, 404], port: admin{body} }}"
            );
            let check = with_request(&yaml).unwrap();
            let written = serde_json::to_value(check.spec.traffic.requests.last().unwrap()).unwrap();
            let again: RequestSpec = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(again.method, method);
            assert_eq!(serde_json::to_value(&again).unwrap(), written);
            assert_eq!(written["headers"]["authorization"]["secretKeyRef"]["key"], "k");
            assert_eq!(written["headers"]["accept"], "text/html");
        }
    }

    #[test]
    fn a_request_that_cannot_be_right_is_refused_with_its_line() {
        let cases = [
            ("{ get: /, post: / }", "exactly one method"),
            ("{ weight: 2 }", "exactly one method"),
            ("{ get: /, json: {} }", "no body"),
            ("{ post: /, json: {}, body: x }", "at most one of"),
            ("{ get: /, expect: [] }", "at least one status"),
            ("{ get: /, expect: [99] }", "final status"),
            ("{ get: /, port: 0 }", "1 to 65535"),
            ("{ get: /, headers: { traceparent: x } }", "set by the load itself"),
            ("{ get: /, headers: { 'a b': x } }", "no name of a header"),
            ("{ get: /, headers: { authorization: Bearer x } }", "secretKeyRef"),
            ("{ get: /, headers: { x: { file: f, secretKeyRef: { name: n, key: k } } } }", "one of"),
        ];
        for (wrong, told) in cases {
            let error = with_request(wrong).unwrap_err();
            assert!(error.contains(told) && error.contains("line"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_header_may_come_from_a_file_beside_the_target_file() {
        let mut check = with_request("{ get: /, headers: { authorization: { file: token } } }").unwrap();
        check.start_at(std::path::Path::new("gates"));
        let headers = &check.spec.traffic.requests.last().unwrap().headers;
        let file = "gates/token".into();
        assert_eq!(headers["authorization"], HeaderText::File { file });
    }

    /// The file with this breaker in place of its own.
    fn with_breaker(keys: &str) -> Result<GoLiveCheck, String> {
        GoLiveCheck::parse(&USERS.replace("errorRate: 0.5, window: 10s, minCalls: 10", keys))
    }

    #[test]
    fn three_kinds_of_breaker_are_known_and_their_keys_are_not_mixed() {
        let kinds = [
            "consecutiveFailures: 5",
            "countWindow: 20, errorRate: 0.5, minCalls: 10",
            "countWindow: 20, errorRate: 0.5",
            "errorRate: 0.5, window: 10s, minCalls: 10, perProcess: 4",
        ];
        for kind in kinds {
            let check = with_breaker(kind).unwrap();
            let breaker = check.spec.dependencies[0].breaker.clone().unwrap();
            let written = serde_json::to_value(&breaker).unwrap();
            let again: Breaker = serde_json::from_value(written).unwrap();
            assert_eq!((again.opens, again.per_process), (breaker.opens, breaker.per_process), "{kind}");
        }
        let mixed = [
            ("consecutiveFailures: 5, errorRate: 0.5", "`errorRate`, `consecutiveFailures` together"),
            ("countWindow: 20, window: 10s, errorRate: 0.5", "`window`, `countWindow` together"),
            ("errorRate: 0.5", "`errorRate` alone"),
            ("perProcess: 2", "nothing says when it opens"),
            ("consecutiveFailures: 0", "expected 1 to"),
            ("countWindow: 5, errorRate: 0.5, minCalls: 6", "at most countWindow 5"),
            ("consecutiveFailures: 5, perProcess: 0", "perProcess 0"),
        ];
        for (keys, told) in mixed {
            let error = with_breaker(keys).unwrap_err();
            assert!(error.contains(told) && error.contains("line"), "{keys}: {error}");
        }
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
}
