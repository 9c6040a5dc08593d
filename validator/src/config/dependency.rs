//! What the target calls: one entry per arrow that leaves the service.

use std::fmt;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::Breaker;

/// One declared dependency.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Declared", into = "Declared")]
pub struct Dependency {
    /// Name in the report.
    pub name: String,
    /// Where it is.
    pub upstream: Upstream,
    /// What is spoken to it.
    pub protocol: Protocol,
    /// What readiness promises while it is away.
    pub readiness: Need,
    /// The circuit breaker that the service declares for it.
    pub breaker: Option<Breaker>,
}

/// Where a dependency is: what its clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// A Service of the cluster.
    Service {
        /// Its name.
        name: String,
        /// Its namespace; the target's when absent.
        namespace: Option<String>,
    },
    /// Any host, inside or outside of the cluster.
    Host {
        /// Its DNS name.
        host: String,
        /// The port that clients connect to.
        port: u16,
    },
}

/// What readiness promises while a dependency is away.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Ready only while it is confirmed.
    Required,
    /// Ready without it: breaker and fallback answer.
    Optional,
    /// Readiness does not look at it.
    None,
}

/// The same as it stands in the file.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Declared {
    /// Name in the report.
    name: String,
    /// A Service: NAME or NAME.NAMESPACE; in place of `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// Any host, inside or outside of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// The port of `host` that clients connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// What is spoken to it.
    protocol: Protocol,
    /// What readiness promises while it is away; required for postgres and redis when absent, else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    readiness: Option<Need>,
    /// The circuit breaker that the service declares for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    breaker: Option<Breaker>,
}

impl TryFrom<Declared> for Dependency {
    type Error = String;

    fn try_from(declared: Declared) -> Result<Self, Self::Error> {
        let Declared { name, service, host, port, protocol, readiness, breaker } = declared;
        let upstream =
            Upstream::declared(service, host, port).map_err(|why| format!("dependency `{name}`: {why}"))?;
        let readiness = readiness.unwrap_or(Need::usual(protocol));
        if breaker.is_some() && matches!(protocol, Protocol::Tcp | Protocol::Otlp) {
            return Err(format!(
                "dependency `{name}`: a `breaker` is judged by the calls it lets through, which are not known with protocol {}; leave it out",
                protocol.name()
            ));
        }
        Ok(Self { name, upstream, protocol, readiness, breaker })
    }
}

impl From<Dependency> for Declared {
    fn from(dependency: Dependency) -> Self {
        let Dependency { name, upstream, protocol, readiness, breaker } = dependency;
        let (service, host, port) = match upstream {
            Upstream::Host { host, port } => (None, Some(host), Some(port)),
            service @ Upstream::Service { .. } => (Some(service.to_string()), None, None),
        };
        Self { name, service, host, port, protocol, readiness: Some(readiness), breaker }
    }
}

impl Dependency {
    /// Whether something is asked of readiness while it is away. Of `tcp`, which may be anything, only where the file says what.
    pub fn is_promised(&self) -> bool {
        self.protocol.is_store() || self.protocol.can_be_lost() && self.readiness != Need::None
    }
}

impl Upstream {
    fn declared(service: Option<String>, host: Option<String>, port: Option<u16>) -> Result<Self, String> {
        match (service, host, port) {
            (Some(service), None, None) => Ok(Self::service(&service)),
            (None, Some(host), Some(port)) => Ok(Self::Host { host, port }),
            (None, Some(_), None) => Err("a `host` needs its `port`".into()),
            (Some(_), None, Some(_)) => Err("`port` goes with `host`: a Service has its own".into()),
            (Some(_), Some(_), _) => Err("expected `service` or `host`, not both".into()),
            (None, None, _) => Err("expected `service: NAME`, or `host: NAME` and `port: NUMBER`".into()),
        }
    }

    /// Whether a client in namespace `home` that names this address means it. A Service is `SERVICE.NAMESPACE.svc.DOMAIN` to the
    /// cluster's DNS, less of it by the search list of a pod, and its name alone at home (Kubernetes, DNS for Services and Pods).
    pub fn is_called(&self, address: &str, home: &str) -> bool {
        let address = address.trim_end_matches('.').to_ascii_lowercase();
        match self {
            Self::Service { name, namespace } => {
                let theirs = namespace.as_deref().unwrap_or(home);
                let Some((first, rest)) = address.split_once('.') else {
                    return address == *name && theirs == home;
                };
                let domain = rest.strip_prefix(theirs).filter(|_| first == name);
                domain.is_some_and(|end| end.is_empty() || end == ".svc" || end.starts_with(".svc."))
            }
            Self::Host { host, .. } => address == host.trim_end_matches('.').to_ascii_lowercase(),
        }
    }

    /// A Service as written in the file: `NAME` or `NAME.NAMESPACE`.
    fn service(text: &str) -> Self {
        let (name, namespace) = text.split_once('.').map_or((text, None), |(n, ns)| (n, Some(ns.to_owned())));
        Self::Service { name: name.to_owned(), namespace }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { name, namespace: None } => f.write_str(name),
            Self::Service { name, namespace: Some(namespace) } => write!(f, "{name}.{namespace}"),
            Self::Host { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl Need {
    /// What holds when nothing is declared: state is required, the rest is not looked at.
    fn usual(protocol: Protocol) -> Self {
        if protocol.is_store() { Self::Required } else { Self::None }
    }
}

/// What is spoken to a dependency.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Protocol {
    /// PostgreSQL's frontend/backend protocol 3.
    Postgres,
    /// RESP.
    Redis,
    /// OpenTelemetry protocol.
    Otlp,
    /// HTTP/1 or HTTP/2.
    Http,
    /// Anything else: only its connections and bytes are told.
    Tcp,
}

impl Protocol {
    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Otlp => "otlp",
            Self::Http => "http",
            Self::Tcp => "tcp",
        }
    }

    /// Whether the target keeps its state there: readiness depends on it.
    pub fn is_store(self) -> bool {
        matches!(self, Self::Postgres | Self::Redis)
    }

    /// Whether it is taken away from pods altogether: what keeps state, as far as is known. What is spoken over `tcp` nobody
    /// knows.
    pub fn can_be_lost(self) -> bool {
        self.is_store() || self == Self::Tcp
    }
}

/// Dependencies of which each has a name and an upstream of its own.
pub(super) fn distinct<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Dependency>, D::Error> {
    let all = Vec::<Dependency>::deserialize(from)?;
    for (at, one) in all.iter().enumerate() {
        if all[..at].iter().any(|other| other.name == one.name) {
            return Err(D::Error::custom(format!("two dependencies have the name `{}`", one.name)));
        }
        if all[..at].iter().any(|other| other.upstream == one.upstream) {
            return Err(D::Error::custom(format!("two dependencies have the upstream `{}`", one.upstream)));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::{Dependency, Need, Upstream};

    fn parsed(fields: &Value) -> Result<Dependency, String> {
        let mut declared = json!({ "name": "d", "protocol": "postgres" });
        declared.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        from_value(declared).map_err(|e| e.to_string())
    }

    #[test]
    fn an_upstream_is_a_service_also_of_another_namespace_or_a_host_and_its_port() {
        let (name, namespace) = ("postgres".to_owned(), Some("data".to_owned()));
        let upstream = |fields: &Value| parsed(fields).unwrap().upstream;
        assert_eq!(
            upstream(&json!({ "service": "postgres.data" })),
            Upstream::Service { name: name.clone(), namespace }
        );
        assert_eq!(upstream(&json!({ "service": "postgres" })), Upstream::Service { name, namespace: None });
        let host = json!({ "host": "db.example.com", "port": 5432 });
        assert_eq!(upstream(&host).to_string(), "db.example.com:5432");
    }

    #[test]
    fn a_service_is_called_by_its_names_in_dns_and_by_nothing_that_begins_like_them() {
        let at_home = parsed(&json!({ "service": "api" })).unwrap().upstream;
        for address in ["api", "API", "api.shop", "api.shop.svc", "api.shop.svc.cluster.local."] {
            assert!(at_home.is_called(address, "shop"), "{address}");
        }
        for address in ["api.example.com", "api.pay", "api.shopping", "api.shop.com", "web.shop", ""] {
            assert!(!at_home.is_called(address, "shop"), "{address}");
        }
        let away = parsed(&json!({ "service": "api.pay" })).unwrap().upstream;
        assert!(away.is_called("api.pay.svc.example.org", "shop"));
        assert!(!away.is_called("api", "shop") && !away.is_called("api.shop", "shop"));
        let host = parsed(&json!({ "host": "api.example.com", "port": 443 })).unwrap().upstream;
        assert!(host.is_called("api.example.com.", "shop") && !host.is_called("api", "shop"));
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let breaker = json!({ "consecutiveFailures": 5, "deadline": "1s", "openFor": "30s", "trials": 1 });
        for (fields, told) in [
            (json!({}), "expected `service"),
            (json!({ "host": "h" }), "needs its `port`"),
            (json!({ "service": "s", "host": "h" }), "not both"),
            (json!({ "service": "s", "port": 1 }), "goes with `host`"),
            (json!({ "service": "s", "protocol": "tcp", "breaker": breaker }), "leave it out"),
        ] {
            let error = parsed(&fields).unwrap_err();
            assert!(error.contains(told) && error.contains("`d`"), "{error}");
        }
    }

    #[test]
    fn a_plan_reads_back_what_it_wrote() {
        let one = parsed(&json!({ "service": "postgres.data", "readiness": "optional" })).unwrap();
        let again: Dependency = from_value(serde_json::to_value(&one).unwrap()).unwrap();
        assert_eq!((again.upstream, again.readiness), (one.upstream, Need::Optional));
        assert_eq!(parsed(&json!({ "service": "p" })).unwrap().readiness, Need::Required);
    }
}
