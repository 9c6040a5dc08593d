//! What a container declares of its probes and of its preStop hook, with the defaults of Kubernetes.

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, LifecycleHandler, Probe as Declared};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::service::{resolve, text};
use crate::config::{Handler, Header, Probe, Scheme};
use crate::failure::Failure;
use crate::plan::PreStop;

/// One probe of a container, if it is declared.
///
/// # Errors
/// Exit 2 for a probe that the kubelet could not ask either: a port without a number.
pub(crate) fn declared(probe: Option<&Declared>, container: &Container) -> Result<Option<Probe>, Failure> {
    let Some(probe) = probe else { return Ok(None) };
    let or = |value: Option<i32>, default| value.and_then(|v| u32::try_from(v).ok()).unwrap_or(default);
    // A field of 0 stands for its default (`pkg/apis/core/v1/defaults.go`).
    let set = |value: Option<i32>, default| Some(or(value, 0)).filter(|v| *v > 0).unwrap_or(default);
    Ok(Some(Probe {
        handler: handler(probe, container)?,
        timeout_s: set(probe.timeout_seconds, 1),
        period_s: set(probe.period_seconds, 10),
        failure_threshold: set(probe.failure_threshold, 3),
        success_threshold: set(probe.success_threshold, 1),
        initial_delay_s: or(probe.initial_delay_seconds, 0),
    }))
}

/// The probe of the container that serves. Where it has none, that of a container beside it which asks the port that
/// serves: an application behind a proxy of its own, asked as users come.
///
/// # Errors
/// As [`declared`].
pub(super) fn of_serving(
    (port, serving): (u16, &Container),
    beside: &[Container],
    which: fn(&Container) -> Option<&Declared>,
) -> Result<Option<Probe>, Failure> {
    if let Some(own) = declared(which(serving), serving)? {
        return Ok(Some(own));
    }
    for container in beside {
        let probe = declared(which(container), container)?;
        if let Some(probe) = probe.filter(|probe| probe.port() == Some(port)) {
            return Ok(Some(probe));
        }
    }
    Ok(None)
}

fn handler(probe: &Declared, container: &Container) -> Result<Handler, Failure> {
    if let Some(get) = &probe.http_get {
        return http(get, container);
    }
    if let Some(tcp) = &probe.tcp_socket {
        return Ok(Handler::TcpSocket { host: tcp.host.clone(), port: number(&tcp.port, container)? });
    }
    if let Some(grpc) = &probe.grpc {
        let port = number(&IntOrString::Int(grpc.port), container)?;
        return Ok(Handler::Grpc { port, service: grpc.service.clone().unwrap_or_default() });
    }
    Ok(Handler::Exec)
}

fn http(get: &HTTPGetAction, container: &Container) -> Result<Handler, Failure> {
    let path = get.path.as_deref().unwrap_or("/");
    let headers = get.http_headers.iter().flatten();
    Ok(Handler::HttpGet {
        scheme: if get.scheme.as_deref() == Some("HTTPS") { Scheme::Https } else { Scheme::Http },
        host: get.host.clone().filter(|host| !host.is_empty()),
        port: number(&get.port, container)?,
        path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        headers: headers.map(|h| Header { name: h.name.clone(), value: Some(h.value.clone()) }).collect(),
    })
}

/// A number stands for itself, whether or not the container declares that port.
fn number(port: &IntOrString, container: &Container) -> Result<u16, Failure> {
    let found = match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(_) => resolve(port, container),
    };
    found.ok_or_else(|| {
        let (name, port) = (&container.name, text(port));
        Failure::usage(format!("container `{name}`: a probe asks port `{port}`, which it has not"))
            .hint("compare the probe's port with the names of the container's ports")
    })
}

/// What a container does before its SIGTERM.
pub(crate) fn pre_stop(container: &Container) -> PreStop {
    let Some(hook) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref()) else {
        return PreStop::None;
    };
    let LifecycleHandler { sleep, exec, .. } = hook;
    if let Some(seconds) = sleep.as_ref().and_then(|sleep| u32::try_from(sleep.seconds).ok()) {
        return PreStop::Sleep(seconds);
    }
    let command = exec.as_ref().and_then(|exec| exec.command.as_deref()).unwrap_or_default();
    slept(command).map_or(PreStop::Unknown, PreStop::Sleep)
}

/// The seconds of `sleep 5`, `/bin/sleep 5` and `sh -c 'sleep 5'`, which is how it is written where `sleep` is too new.
fn slept(command: &[String]) -> Option<u32> {
    let words: Vec<&str> = match command {
        [shell, flag, line] if flag == "-c" && shell.ends_with("sh") => line.split_whitespace().collect(),
        words => words.iter().map(String::as_str).collect(),
    };
    let [name, seconds] = words[..] else { return None };
    let seconds = seconds.strip_suffix('s').unwrap_or(seconds);
    (name == "sleep" || name.ends_with("/sleep")).then(|| seconds.parse().ok())?
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Container;
    use serde_json::{Value, from_value, json};

    use super::{declared, of_serving, pre_stop};
    use crate::config::{Handler, Probe, Scheme};
    use crate::plan::PreStop;

    fn container(fields: &Value) -> Container {
        let ports = json!([{ "name": "http", "containerPort": 8080 }]);
        let mut container = json!({ "name": "web", "ports": ports });
        container.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        from_value(container).unwrap()
    }

    fn readiness(probe: &Value) -> Result<Option<Probe>, crate::failure::Failure> {
        let container = container(&json!({ "readinessProbe": probe }));
        declared(container.readiness_probe.as_ref(), &container)
    }

    #[test]
    fn what_is_not_declared_of_a_probe_has_the_defaults_of_kubernetes() {
        let probe = readiness(&json!({ "httpGet": { "port": "http" } })).unwrap().unwrap();
        let (path, headers) = ("/".to_owned(), Vec::new());
        let handler = Handler::HttpGet { scheme: Scheme::Http, host: None, port: 8080, path, headers };
        assert_eq!(probe.handler, handler);
        assert_eq!((probe.timeout_s, probe.period_s), (1, 10));
        assert_eq!((probe.failure_threshold, probe.success_threshold, probe.initial_delay_s), (3, 1, 0));
    }

    #[test]
    fn a_probe_of_the_application_through_its_proxy_is_the_one_that_counts() {
        let proxy = container(&json!({}));
        let beside =
            |port: Value| vec![container(&json!({ "readinessProbe": { "httpGet": { "port": port } } }))];
        let of = |beside: &[Container]| {
            of_serving((8080, &proxy), beside, |c| c.readiness_probe.as_ref()).unwrap()
        };
        assert_eq!(of(&beside(json!(8080))).and_then(|probe| probe.port()), Some(8080));
        assert!(of(&beside(json!(8081))).is_none(), "that one asks past the proxy");
        let own = container(&json!({ "readinessProbe": { "tcpSocket": { "port": 9 } } }));
        let found = of_serving((8080, &own), &beside(json!(8080)), |c| c.readiness_probe.as_ref()).unwrap();
        assert_eq!(found.and_then(|probe| probe.port()), Some(9));
    }

    #[test]
    fn every_kind_of_probe_is_read_as_declared() {
        let of = |probe: Value| readiness(&probe).unwrap().unwrap().handler;
        let header = json!([{ "name": "Host", "value": "example.com" }]);
        let get = json!({ "port": 8443, "scheme": "HTTPS", "path": "up", "httpHeaders": header });
        let Handler::HttpGet { scheme: Scheme::Https, port: 8443, path, headers, .. } =
            of(json!({ "httpGet": get }))
        else {
            panic!("an HTTPS probe is one")
        };
        assert_eq!((path.as_str(), headers[0].value.as_deref()), ("/up", Some("example.com")));
        assert_eq!(
            of(json!({ "tcpSocket": { "port": "http" } })),
            Handler::TcpSocket { host: None, port: 8080 }
        );
        assert_eq!(
            of(json!({ "grpc": { "port": 9000 } })),
            Handler::Grpc { port: 9000, service: String::new() }
        );
        assert_eq!(of(json!({ "exec": { "command": ["true"] } })), Handler::Exec);
        assert!(declared(None, &container(&json!({}))).unwrap().is_none());
    }

    #[test]
    fn a_probe_of_a_port_that_does_not_exist_is_refused() {
        let refused = readiness(&json!({ "httpGet": { "port": "admin" } })).unwrap_err();
        assert!(refused.to_string().contains("`admin`"), "{refused}");
    }

    #[test]
    fn a_hook_that_sleeps_says_for_how_long() {
        let hook = |hook: Value| pre_stop(&container(&json!({ "lifecycle": { "preStop": hook } })));
        let exec = |command: &[&str]| hook(json!({ "exec": { "command": command } }));
        assert_eq!(hook(json!({ "sleep": { "seconds": 15 } })), PreStop::Sleep(15));
        assert_eq!(exec(&["/bin/sleep", "5"]), PreStop::Sleep(5));
        assert_eq!(exec(&["sh", "-c", "sleep 10s"]), PreStop::Sleep(10));
        assert_eq!(exec(&["/bin/sh", "-c", "nginx -s quit; sleep 3"]), PreStop::Unknown);
        assert_eq!(hook(json!({ "httpGet": { "port": 80 } })), PreStop::Unknown);
        assert_eq!(pre_stop(&container(&json!({}))), PreStop::None);
    }
}
