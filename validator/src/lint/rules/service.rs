//! Whether the Service leads anywhere.

use serde_json::Value;

use super::Rule;
use crate::check::Severity;
use crate::lint::bundle::Bundle;
use crate::lint::workload::{Said, Workload, said};

pub(super) const PORT: Rule = Rule {
    id: "GL-R051",
    slug: "service-port-leads-somewhere",
    severity: Severity::Blocker,
    why: "A Service whose targetPort no container has refuses every connection.",
    remedy: "Let targetPort name a port that a container of the template declares.",
    find: port,
};

/// A number leads somewhere whether or not it is declared; a name only if it is.
fn port(workload: &Workload, bundle: &Bundle) -> Vec<Said> {
    let names: Vec<&str> = workload.port_names().collect();
    let ports = bundle.services_of(workload).flat_map(|service| {
        let ports = service.get("/spec/ports").and_then(Value::as_array).into_iter().flatten();
        ports.filter_map(|port| Some((service.name(), port["targetPort"].as_str()?)))
    });
    let lost = ports.filter(|(_, port)| port.parse::<u16>().is_err() && !names.contains(port));
    lost.map(|(service, port)| {
        said(
            workload.container_at(),
            format!("Service `{service}` leads to port `{port}`, which no container declares"),
        )
    })
    .collect()
}
