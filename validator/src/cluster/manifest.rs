//! What all of our own pods have in common: no privilege, little room, one image.

use serde_json::{Value, json};

use super::RUN_LABEL;

/// Label with the part an object plays in a run.
pub(super) const ROLE_LABEL: &str = "golive.dev/role";

/// Labels of an object of a run.
pub(super) fn labels(run: &str, role: &str) -> Value {
    json!({
        "app.kubernetes.io/name": format!("golive-{role}"),
        "app.kubernetes.io/managed-by": "golive-validator",
        RUN_LABEL: run,
        ROLE_LABEL: role,
    })
}

/// Name of an object of a run: within the 63 characters of a DNS label (RFC 1123).
pub(super) fn object_name(run: &str, part: &str) -> String {
    let mut name = format!("{run}-{part}");
    name.truncate(63);
    name.trim_end_matches('-').to_owned()
}

/// The spec of a pod that runs the validator's image with these arguments.
pub(super) fn pod_spec(role: &str, image: &str, args: &[String], ports: &Value) -> Value {
    json!({
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": false,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
            "seccompProfile": { "type": "RuntimeDefault" },
            // A dependency may listen on a port below 1024; this sysctl is namespaced and on the safe list.
            "sysctls": [{ "name": "net.ipv4.ip_unprivileged_port_start", "value": "0" }],
        },
        "containers": [{
            "name": role,
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "args": args,
            "ports": ports,
            "resources": {
                "requests": { "cpu": "50m", "memory": "64Mi" },
                "limits": { "memory": "512Mi" },
            },
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
        }],
    })
}
