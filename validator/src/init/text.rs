//! The target file as text, with what it rests on as comments.

use std::fmt::Write;

use serde_json::Value;

use super::Path;
use super::dependencies::{At, Found};
use crate::config::Protocol;
use crate::report::legible;

pub(super) fn file(deployment: &Value, service: &Value, dependencies: &[Found], paths: &[Path]) -> String {
    let name = quoted(deployment["metadata"]["name"].as_str().unwrap_or_default());
    let namespace = quoted(deployment["metadata"]["namespace"].as_str().unwrap_or("default"));
    let mut text = format!(
        "# Written by `validator init`; docs/target-file.md explains every key. `validator plan -f` says what a run would do.
apiVersion: golive.dev/v1alpha1
kind: GoLiveCheck
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
{}  traffic:
    rate: 200 # requests per second, all kinds of clients together
    sampled: 20 # of these, with the sampled flag of traceparent
    requests:
",
        target(&name, service)
    );
    for path in paths {
        let note = path
            .guessed
            .as_deref()
            .map(|guessed| format!(" # guessed: {}", line(guessed)))
            .unwrap_or_default();
        let _ = writeln!(text, "      - get: {}{note}", quoted(&path.path));
    }
    if paths.is_empty() {
        text.push_str(
            "      - get: / # guessed: name what your users ask for, such as /api/users/{1..1000}\n",
        );
    }
    text.push_str(&depends(dependencies));
    text
}

fn target(name: &str, service: &Value) -> String {
    let of = |port: &Value| port["name"].as_str().map_or_else(|| port["port"].to_string(), quoted);
    let ports: Vec<String> = service["spec"]["ports"].as_array().into_iter().flatten().map(of).collect();
    let chosen = ports.iter().find(|port| port.as_str() == "http").or(ports.first());
    let port = chosen.map(|port| format!(", port: {port}")).unwrap_or_default();
    let note = if ports.len() > 1 { format!(" # ports: {}", ports.join(", ")) } else { String::new() };
    let service = quoted(service["metadata"]["name"].as_str().unwrap_or_default());
    format!("  target: {{ deployment: {name}, service: {service}{port} }}{note}\n")
}

fn depends(dependencies: &[Found]) -> String {
    if dependencies.is_empty() {
        return "  # Nothing in the environment names a dependency. Only what is declared is broken and proven; without a
  # dependency of protocol otlp tracing is not shown, and the verdict INCONCLUSIVE at best.
  dependencies: []
"
        .to_owned();
    }
    let begin = if dependencies.iter().any(|found| found.is_sure) {
        "  dependencies:\n"
    } else {
        "  dependencies: []\n"
    };
    let mut text = String::from(begin);
    for found in dependencies {
        text.push_str(&entry(found));
    }
    if !dependencies.iter().any(|found| found.protocol == Protocol::Otlp) {
        text.push_str("    # No collector is named: without one tracing is not shown, and the verdict INCONCLUSIVE at best.\n    # - { name: traces, service: otel-collector.observability, protocol: otlp }\n");
    }
    text
}

/// What is not sure is for a person to take in: a run breaks what stands there.
fn entry(found: &Found) -> String {
    let at = match &found.at {
        At::Service(service) => format!("service: {}", quoted(service)),
        At::Host(host, port) => format!("host: {}, port: {port}", quoted(host)),
    };
    let mark = if found.is_sure { "" } else { "# " };
    let guess = if found.guessed.is_some() { "guessed, " } else { "" };
    let (name, protocol, from) = (quoted(&found.name), found.protocol.name(), line(&found.from));
    let line = format!("    {mark}- {{ name: {name}, {at}, protocol: {protocol} }} # {guess}from {from}\n");
    if found.is_sure && found.protocol == Protocol::Postgres { line + BREAKER } else { line }
}

const BREAKER: &str =
    "      # A breaker before it is proven once it is declared; these are the service's own settings, nobody else knows them:
      # breaker: { errorRate: 0.5, window: 10s, minCalls: 10, deadline: 3s, openFor: 30s, trials: 1 }
      # What readiness promises while it is away: required (the default of a store), optional or none.
";

/// What others wrote, in a comment: it ends with its line.
fn line(text: &str) -> String {
    legible(text).replace(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'], " ")
}

/// As it stands where that is plain YAML in a flow mapping, else in quotes.
fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/-._".contains(c));
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let is_word =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if plain && begins && !is_word { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn what_others_wrote_stays_within_its_comment() {
        let path = "GET /x/{a\n      - { post: /admin/wipe }\r\n#}: \u{1b}[2Jx\u{2028}y";
        let told = line(path);
        assert!(!told.contains(['\n', '\r', '\u{1b}', '\u{2028}']), "{told:?}");
    }
}
