//! What a port speaks, as far as the objects tell: the load that stands for users is plain HTTP/1.1.

use k8s_openapi::api::core::v1::{Container, Probe, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::service::resolve;
use crate::failure::Failure;

/// What is told of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// HTTP/1.1 without TLS.
    Http,
    /// TLS.
    Tls,
    /// gRPC.
    Grpc,
    /// No HTTP at all.
    Other,
}

/// By `appProtocol`, else by the beginning of the port's name, as service meshes read it; nothing if neither says. What
/// speaks HTTP/2 by prior knowledge often answers HTTP/1.1 as well, and what is called tcp may be anything.
pub(super) fn by_name(port: &ServicePort) -> Option<Spoken> {
    if matches!(port.protocol.as_deref(), Some("UDP" | "SCTP")) {
        return Some(Spoken::Other);
    }
    let told = port.app_protocol.as_deref().or(port.name.as_deref())?.to_ascii_lowercase();
    match told.rsplit('/').next()?.split('-').next()? {
        "http" | "web" | "ws" => Some(Spoken::Http),
        "https" | "tls" | "wss" => Some(Spoken::Tls),
        "grpc" => Some(Spoken::Grpc),
        "redis" | "mongo" | "mysql" | "postgres" => Some(Spoken::Other),
        _ => None,
    }
}

/// Refuses a port that no request of ours would be answered on.
///
/// # Errors
/// Exit 2, before anything is broken, with what to do.
pub(super) fn plain_http(port: &ServicePort, number: u16, container: &Container) -> Result<(), Failure> {
    let (what, hint) = match spoken(port, number, container) {
        Spoken::Http => return Ok(()),
        Spoken::Tls => (
            "TLS",
            "add a port without TLS, such as the one that a mesh or an ingress which ends TLS leads to",
        ),
        Spoken::Grpc => {
            ("gRPC", "add a port that answers HTTP/1.1, such as that of a gateway or a transcoder")
        }
        Spoken::Other => ("no HTTP", "add the port that answers HTTP"),
    };
    let name = port.name.clone().unwrap_or_else(|| port.port.to_string());
    Err(Failure::usage(format!("port `{name}` of the Service speaks {what}: the load is plain HTTP/1.1"))
        .hint(format!(
            "{hint}, to the Service and name it http; what its users reach cannot be judged otherwise yet"
        )))
}

/// Its name, corrected by a probe that speaks TLS to it; without a name that says so, by one that speaks gRPC.
fn spoken(port: &ServicePort, number: u16, container: &Container) -> Spoken {
    let probes = [&container.readiness_probe, &container.liveness_probe, &container.startup_probe];
    let asked: Vec<Spoken> =
        probes.into_iter().flatten().filter_map(|probe| by_probe(number, container, probe)).collect();
    match by_name(port) {
        None | Some(Spoken::Http) if asked.contains(&Spoken::Tls) => Spoken::Tls,
        None if asked.contains(&Spoken::Grpc) && !asked.contains(&Spoken::Http) => Spoken::Grpc,
        named => named.unwrap_or(Spoken::Http),
    }
}

fn by_probe(number: u16, container: &Container, probe: &Probe) -> Option<Spoken> {
    if let Some(get) = &probe.http_get {
        let port = match &get.port {
            IntOrString::Int(port) => u16::try_from(*port).ok(),
            name @ IntOrString::String(_) => resolve(name, container),
        };
        let tls = get.scheme.as_deref() == Some("HTTPS");
        return (port == Some(number)).then_some(if tls { Spoken::Tls } else { Spoken::Http });
    }
    probe.grpc.as_ref().filter(|grpc| u16::try_from(grpc.port) == Ok(number)).map(|_| Spoken::Grpc)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::plain_http;
    use crate::exit::Exit;

    fn refused(port: Value, probe: &Value) -> Option<String> {
        let ports = json!([{ "name": "main", "containerPort": 8443 }]);
        let container = json!({ "name": "web", "ports": ports, "readinessProbe": probe });
        let refused = plain_http(&from_value(port).unwrap(), 8443, &from_value(container).unwrap()).err()?;
        assert_eq!(refused.exit(), Exit::Usage);
        Some(refused.to_string())
    }

    #[test]
    fn a_port_that_speaks_tls_is_refused_with_what_to_do() {
        let plain = json!({ "httpGet": { "port": "main" } });
        for told in [json!({ "port": 443, "name": "https" }), json!({ "port": 443, "appProtocol": "https" })]
        {
            let text = refused(told, &plain).unwrap();
            assert!(text.contains("TLS") && text.contains("name it http"), "{text}");
        }
        let probe = json!({ "httpGet": { "port": "main", "scheme": "HTTPS" } });
        assert!(refused(json!({ "port": 80, "name": "http" }), &probe).unwrap().contains("TLS"));
    }

    #[test]
    fn a_port_that_speaks_only_grpc_is_refused_and_one_called_http_is_not() {
        let health = json!({ "grpc": { "port": 8443 } });
        for told in [
            json!({ "port": 80, "name": "grpc-api" }),
            json!({ "port": 80, "appProtocol": "example.com/grpc" }),
        ] {
            assert!(refused(told, &health).unwrap().contains("gRPC"));
        }
        assert!(refused(json!({ "port": 80 }), &health).unwrap().contains("gRPC"));
        assert_eq!(refused(json!({ "port": 80, "name": "http" }), &health), None);
        assert_eq!(refused(json!({ "port": 80, "name": "http" }), &json!({ "exec": {} })), None);
        assert_eq!(refused(json!({ "port": 80 }), &json!({ "httpGet": { "port": 8443 } })), None);
    }
}
