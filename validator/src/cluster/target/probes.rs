//! The probes of the container that serves: where they ask, and what they say of the length of a roll.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::service::resolve;
use crate::failure::Failure;
use crate::plan::{Endpoint, TargetPlan};

/// What is asked past the Service is asked over HTTP.
pub(super) fn over_http(container: &Container) -> Result<(), Failure> {
    let probes = [&container.readiness_probe, &container.liveness_probe];
    let mut gets = probes.into_iter().flatten().filter_map(|probe| probe.http_get.as_ref());
    if gets.all(|get| get.scheme.as_deref().unwrap_or("HTTP") == "HTTP") {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "container `{}` has a probe over HTTPS, which cannot be asked yet",
        container.name
    ))
    .hint("declare the probes on a port that speaks HTTP, such as a management port"))
}

/// Where a probe asks; the usual path on the serving port if none is declared.
pub(super) fn endpoint(probe: Option<&Probe>, container: &Container, usual: &str, serving: u16) -> Endpoint {
    let declared = probe.and_then(|p| p.http_get.as_ref()).and_then(|get| {
        let HTTPGetAction { path, port, .. } = get;
        let port = match port {
            IntOrString::Int(number) => u16::try_from(*number).ok(),
            IntOrString::String(_) => resolve(port, container),
        }?;
        Some(Endpoint { port, path: path.clone().unwrap_or_else(|| "/".into()), declared: true })
    });
    declared.unwrap_or_else(|| Endpoint { port: serving, path: usual.to_owned(), declared: false })
}

/// One pod after the other becomes ready, then the last old one drains.
pub(super) fn expected_roll(plan: &TargetPlan, readiness: Option<&Probe>) -> Duration {
    let of = |value: Option<i32>, default| u64::try_from(value.unwrap_or(default)).unwrap_or(0);
    let delay = of(readiness.and_then(|p| p.initial_delay_seconds), 0);
    let period = of(readiness.and_then(|p| p.period_seconds), 10);
    let replicas = u64::try_from(plan.replicas).unwrap_or(1);
    Duration::from_secs(replicas * (delay + period / 2 + 2) + 20)
}

/// Every pod waits for its first probe and then stays ready for the declared time.
pub(super) fn least_roll(plan: &TargetPlan, readiness: Option<&Probe>, ready_for: u64) -> Duration {
    let delay = readiness.and_then(|p| p.initial_delay_seconds).unwrap_or(0);
    let replicas = u64::try_from(plan.replicas).unwrap_or(1);
    Duration::from_secs(replicas * (u64::try_from(delay).unwrap_or(0) + ready_for))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Container;
    use serde_json::{from_value, json};

    use super::over_http;

    #[test]
    fn probes_over_https_are_refused() {
        let container = |scheme: &str| {
            let get = json!({ "port": 8443, "scheme": scheme });
            from_value::<Container>(json!({ "name": "web", "readinessProbe": { "httpGet": get } })).unwrap()
        };
        assert!(over_http(&container("HTTP")).is_ok());
        assert!(over_http(&container("HTTPS")).unwrap_err().to_string().contains("HTTPS"));
    }
}
