//! What all of our own pods have in common: no privilege, little room, one image.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Value, json};

const MAX_NAME: usize = 63;

/// Label of every object that a run creates; the value is the run's name.
pub const RUN_LABEL: &str = "golive.dev/run";

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

/// Name of an object of a run: within the 63 characters of a DNS label (RFC 1123). The end of a longer one is replaced
/// by its digest, so that two of them stay apart.
pub(super) fn object_name(run: &str, part: &str) -> String {
    let mut name = format!("{run}-{part}");
    if name.len() > MAX_NAME {
        let mut digest = DefaultHasher::new();
        name.hash(&mut digest);
        name.truncate(MAX_NAME - 9);
        name = format!("{}-{:08x}", name.trim_end_matches('-'), digest.finish() as u32);
    }
    name
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

#[cfg(test)]
mod tests {
    use super::object_name;

    #[test]
    fn names_fit_a_label_and_stay_apart() {
        assert_eq!(object_name("golive-users-ab12cd", "postgres"), "golive-users-ab12cd-postgres");
        let run = format!("golive-{}-ab12cd", "u".repeat(40));
        let (one, two) = (object_name(&run, "postgres-reader"), object_name(&run, "postgres-writer"));
        assert!(one.len() <= 63 && two.len() <= 63, "{one} {two}");
        assert_ne!(one, two);
    }
}
