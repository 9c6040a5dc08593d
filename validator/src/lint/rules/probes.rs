//! Probes that cannot be asked, and those that the container has no room to answer.

use serde_json::Value;

use super::Rule;
use crate::check::Severity;
use crate::lint::bundle::Bundle;
use crate::lint::declared::unreadable_probe;
use crate::lint::workload::{Said, Workload, said};

pub(super) const PORT_EXISTS: Rule = Rule {
    id: "GL-H051",
    slug: "probe-port-exists",
    severity: Severity::Blocker,
    why: "A probe that asks a port by a name that nobody declares fails for ever: the pod never becomes Ready, or is restarted.",
    remedy: "Name a port that the container declares.",
    find: port_exists,
};

pub(super) const ROOM: Rule = Rule {
    id: "GL-H052",
    slug: "probes-have-room",
    severity: Severity::Minor,
    why: "A container that is throttled for most of each 100 ms answers its probe late, and is restarted when it is busiest.",
    remedy: "Raise the CPU limit to 200m or more, or remove it, or raise timeoutSeconds.",
    find: room,
};

pub(super) const STARTUP: Rule = Rule {
    id: "GL-H053",
    slug: "slow-start-has-a-startup-probe",
    severity: Severity::Minor,
    why: "A liveness probe that has to wait for the slowest start waits as long when the process is stuck.",
    remedy: "Declare a startupProbe with the start's budget, and drop initialDelaySeconds of livenessProbe.",
    find: startup,
};

/// Below this a process is stopped for most of every period of the kernel.
const THROTTLED_M: u64 = 200;

/// A start that takes longer than this is slow.
const SLOW_START_S: u64 = 30;

fn port_exists(workload: &Workload, _: &Bundle) -> Vec<Said> {
    unreadable_probe(workload).map(|(at, text)| said(at, text)).into_iter().collect()
}

fn room(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let container = workload.container();
    let limit = container.pointer("/resources/limits/cpu").and_then(millicores);
    let tight = |field: &str| {
        let probe = container.get(field)?;
        let timeout = probe["timeoutSeconds"].as_u64().unwrap_or(1);
        let limit = limit.filter(|limit| *limit < THROTTLED_M && timeout <= 1)?;
        let text = format!("{field} must be answered within {timeout} s with a CPU limit of {limit}m");
        Some(said(format!("{}/resources/limits/cpu", workload.container_at()), text))
    };
    ["livenessProbe", "readinessProbe"].into_iter().filter_map(tight).take(1).collect()
}

fn startup(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let container = workload.container();
    let delay = container.pointer("/livenessProbe/initialDelaySeconds").and_then(Value::as_u64).unwrap_or(0);
    if delay <= SLOW_START_S || container.get("startupProbe").is_some() {
        return Vec::new();
    }
    let at = format!("{}/livenessProbe/initialDelaySeconds", workload.container_at());
    vec![said(at, format!("livenessProbe waits {delay} s for the start, and there is no startupProbe"))]
}

fn millicores(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => match text.strip_suffix('m') {
            Some(milli) => milli.parse().ok(),
            None => text.parse::<f64>().ok().map(|cores| (cores * 1000.0) as u64),
        },
        other => other.as_f64().map(|cores| (cores * 1000.0) as u64),
    }
}
