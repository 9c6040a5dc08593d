//! Environment variables that cannot work, and secrets that everybody can read.

use serde_json::Value;

use super::Rule;
use crate::check::Severity;
use crate::lint::bundle::Bundle;
use crate::lint::workload::{Said, Workload, said};

pub(super) const OTLP_ENDPOINT: Rule = Rule {
    id: "GL-T051",
    slug: "otlp-endpoint-can-work",
    severity: Severity::Major,
    why: "An exporter that talks to the wrong port or path drops every span and says so in its own log only.",
    remedy: "gRPC goes to port 4317, http/protobuf to 4318; OTEL_EXPORTER_OTLP_ENDPOINT is a base to which /v1/traces is added.",
    find: otlp_endpoint,
};

pub(super) const TRACING_ON: Rule = Rule {
    id: "GL-T052",
    slug: "tracing-not-switched-off",
    severity: Severity::Major,
    why: "A service without spans cannot be followed when it fails.",
    remedy: "Remove the variable, or sample a small share by the parent: parentbased_traceidratio.",
    find: tracing_on,
};

pub(super) const SERVICE_NAME: Rule = Rule {
    id: "GL-T053",
    slug: "spans-name-their-service",
    severity: Severity::Minor,
    why: "Spans of unknown_service cannot be told from those of any other.",
    remedy: "Set OTEL_SERVICE_NAME, and service.version in OTEL_RESOURCE_ATTRIBUTES.",
    find: service_name,
};

pub(super) const SECRETS: Rule = Rule {
    id: "GL-R055",
    slug: "no-secret-in-plain-env",
    severity: Severity::Major,
    why: "Whoever may read a Deployment, or the repository, has the secret.",
    remedy: "Move the value into a Secret and refer to it by valueFrom.secretKeyRef.",
    find: secrets,
};

/// A variable in the clear: its pointer, name, value.
type Variable<'a> = (String, &'a str, &'a str);

/// Those of one container, which is all that its process sees.
fn variables<'a>(at: &str, container: &'a Value) -> Vec<Variable<'a>> {
    let all = container["env"].as_array().into_iter().flatten().enumerate();
    all.filter_map(|(number, variable)| {
        Some((format!("{at}/env/{number}"), variable["name"].as_str()?, variable["value"].as_str()?))
    })
    .collect()
}

/// Those of the container that serves.
fn of_serving(workload: &Workload) -> Vec<Variable<'_>> {
    variables(&workload.container_at(), workload.container())
}

fn value_of<'a>(variables: &[Variable<'a>], wanted: &[&str]) -> Option<&'a str> {
    wanted
        .iter()
        .find_map(|name| variables.iter().find(|(_, other, _)| other == name).map(|(_, _, value)| *value))
}

fn otlp_endpoint(workload: &Workload, _: &Bundle) -> Vec<Said> {
    workload.containers().flat_map(|(at, container)| wrong_endpoints(&variables(&at, container))).collect()
}

fn wrong_endpoints(variables: &[Variable]) -> Vec<Said> {
    let protocol =
        value_of(variables, &["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
    let endpoints = variables.iter().filter(|(_, name, _)| {
        matches!(*name, "OTEL_EXPORTER_OTLP_ENDPOINT" | "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    });
    endpoints.filter_map(|(at, name, value)| Some(said(at, endpoint(name, value, protocol)?))).collect()
}

/// What is wrong with an endpoint (OpenTelemetry specification, OTLP exporter configuration).
fn endpoint(name: &str, value: &str, protocol: Option<&str>) -> Option<String> {
    if value.contains("$(") {
        return None;
    }
    let Some((_, rest)) = value.split_once("://").filter(|(scheme, _)| scheme.starts_with("http")) else {
        // A user and a password may stand before the host.
        let host = value.rsplit('@').next().unwrap_or(value);
        return Some(format!(
            "{name}: `{host}` has no http:// or https://, which most SDKs refuse or misread"
        ));
    };
    let (host, path) =
        rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path.trim_end_matches('/')));
    if name == "OTEL_EXPORTER_OTLP_ENDPOINT" && path.ends_with("v1/traces") {
        return Some(format!("{name} ends in /v1/traces, which the SDK adds once more"));
    }
    match (protocol, host.rsplit_once(':').map(|(_, port)| port)) {
        (Some(protocol), Some("4317")) if protocol.starts_with("http") => {
            Some(format!("{name}: {protocol} goes to 4317, the port of gRPC"))
        }
        (Some("grpc"), Some("4318")) => Some(format!("{name}: grpc goes to 4318, the port of http/protobuf")),
        _ => None,
    }
}

fn tracing_on(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let off = |name: &str, value: &str| match name {
        "OTEL_SDK_DISABLED" => value.eq_ignore_ascii_case("true"),
        "OTEL_TRACES_EXPORTER" => value == "none",
        "OTEL_TRACES_SAMPLER" => value == "always_off",
        _ => false,
    };
    let variables = of_serving(workload);
    let found = variables.iter().filter(|(_, name, value)| off(name, value));
    found.map(|(at, name, value)| said(at, format!("{name}={value} switches tracing off"))).collect()
}

fn service_name(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let at = workload.container_at();
    let names: Vec<&str> = workload.container()["env"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    let exports = names.iter().any(|name| name.starts_with("OTEL_EXPORTER_OTLP"));
    let variables = of_serving(workload);
    let attributes = value_of(&variables, &["OTEL_RESOURCE_ATTRIBUTES"]).unwrap_or_default();
    let named = names.contains(&"OTEL_SERVICE_NAME") || attributes.contains("service.name=");
    if exports && !named {
        return vec![said(format!("{at}/env"), "spans are exported, and nothing names the service")];
    }
    Vec::new()
}

fn secrets(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let variables: Vec<_> = workload.containers().flat_map(|(at, one)| variables(&at, one)).collect();
    let found = variables.iter().filter(|(_, name, value)| is_secret(name, value));
    found.map(|(at, name, _)| said(at, format!("`{name}` holds a secret in the clear"))).collect()
}

/// By how its name ends, or a URL with a password in it; references to other variables and files are none, and neither is what
/// only tells of a secret (`TOKEN_ISSUER`, `PASSWORD_HASH`).
fn is_secret(name: &str, value: &str) -> bool {
    const ENDS: [&str; 9] = [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "API_KEY",
        "PRIVATE_KEY",
        "ACCESS_KEY",
    ];
    const WORDS: [&str; 5] = ["PASS", "PWD", "AUTH", "CREDENTIAL", "CREDENTIALS"];
    // Ways to authenticate, and switches.
    const NONE: [&str; 9] = ["true", "false", "basic", "bearer", "digest", "ldap", "none", "oauth2", "oidc"];
    if value.is_empty() || value.contains("$(") || value.starts_with('/') {
        return false;
    }
    let upper = name.to_uppercase();
    let last = upper.rsplit('_').next().unwrap_or_default();
    let named = ENDS.iter().any(|end| upper.ends_with(end))
        || upper.ends_with("SECRET_KEY")
        || (WORDS.contains(&last) && upper != last);
    named && !NONE.contains(&value.to_lowercase().as_str()) || has_password(value)
}

fn has_password(value: &str) -> bool {
    let user = value.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::{endpoint, is_secret};

    #[test]
    fn endpoints_that_cannot_work_are_told_from_those_that_can() {
        let base = "OTEL_EXPORTER_OTLP_ENDPOINT";
        for (value, protocol, told) in [
            ("http://otel:4318/v1/traces", None, "once more"),
            ("otel:4317", None, "no http://"),
            ("user:hunter3@otel:4317", None, "`otel:4317` has no http://"),
            ("http://otel:4317", Some("http/protobuf"), "port of gRPC"),
            ("http://otel:4318", Some("grpc"), "http/protobuf"),
        ] {
            assert!(endpoint(base, value, protocol).unwrap().contains(told), "{value}");
        }
        assert_eq!(endpoint(base, "http://otel:4317", Some("grpc")), None);
        assert_eq!(endpoint(base, "http://$(NODE_IP):4317", Some("http/protobuf")), None);
        assert_eq!(endpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://otel:4318/v1/traces", None), None);
    }

    #[test]
    fn secrets_are_known_by_name_and_by_the_password_in_a_url() {
        for (name, value) in [
            ("DB_PASSWORD", "hunter2"),
            ("DATABASE_URL", "postgres://u:p@db/x"),
            ("DB_PASS", "hunter2"),
            ("REDIS_AUTH", "hunter2"),
            ("GCP_CREDENTIALS", "{}"),
            ("PIN_PASSWORD", "123456"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("DB_PASSWORD_FILE", "/run/x"),
            ("TOKEN_TTL", "30s"),
            ("DATABASE_URL", "postgres://db/x"),
            ("MAX_TOKENS", "100"),
            ("API_KEY", "$(KEY)"),
            ("USE_SECRET", "true"),
            ("TOKEN_ISSUER", "https://id.example.com"),
            ("TOKEN_AUDIENCE", "shop"),
            ("PASSWORD_HASH", "bcrypt"),
            ("COMPASS", "north"),
            ("PROXY_AUTH", "basic"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }
}
