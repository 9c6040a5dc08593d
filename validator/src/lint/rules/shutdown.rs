//! Whether SIGTERM arrives, and in time.

use k8s_openapi::api::core::v1::Container;
use serde_json::Value;

use super::Rule;
use crate::check::Severity;
use crate::cluster::declared_pre_stop;
use crate::lint::bundle::Bundle;
use crate::lint::workload::{Said, Workload, said};
use crate::plan::PreStop;

pub(super) const PRE_STOP_FITS: Rule = Rule {
    id: "GL-S051",
    slug: "pre-stop-fits-into-grace",
    severity: Severity::Blocker,
    why: "The grace period counts from the deletion: a hook that uses it up is followed by SIGKILL at once.",
    remedy: "Raise terminationGracePeriodSeconds to the hook and the drain together.",
    find: pre_stop_fits,
};

pub(super) const SIGNAL_ARRIVES: Rule = Rule {
    id: "GL-S052",
    slug: "sigterm-reaches-the-process",
    severity: Severity::Major,
    why: "A shell as PID 1 passes no signal on: the process never hears of its end and is killed with its requests.",
    remedy: "Let the shell `exec` the process, or start it without a shell.",
    find: signal_arrives,
};

/// What Kubernetes grants where nothing is declared.
const DEFAULT_GRACE_S: u64 = 30;

fn pre_stop_fits(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let Ok(container) = serde_json::from_value::<Container>(workload.container().clone()) else {
        return Vec::new();
    };
    let grace = workload.pod()["terminationGracePeriodSeconds"].as_u64().unwrap_or(DEFAULT_GRACE_S);
    match declared_pre_stop(&container) {
        PreStop::Sleep(seconds) if u64::from(seconds) >= grace => {
            let text = format!(
                "preStop sleeps {seconds} s of a grace period of {grace} s: SIGTERM comes with SIGKILL"
            );
            vec![said(format!("{}/lifecycle/preStop", workload.container_at()), text)]
        }
        _ => Vec::new(),
    }
}

fn signal_arrives(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let in_shell = workload.containers().filter(|(_, container)| is_shell(container));
    in_shell
        .map(|(at, container)| {
            let name = container["name"].as_str().unwrap_or_default();
            said(format!("{at}/command"), format!("container `{name}` runs in a shell that does not exec it"))
        })
        .collect()
}

/// `sh -c "..."` whose last command is not handed over with `exec`; `command` and `args` make one line.
fn is_shell(container: &Value) -> bool {
    let words = |field: &str| container[field].as_array().into_iter().flatten().filter_map(Value::as_str);
    let line: Vec<&str> = words("command").chain(words("args")).collect();
    let [shell, flags, script, ..] = line[..] else { return false };
    // bash hands over by itself to the last simple command; dash does not, and what `sh` is depends on the image.
    let is_shell = ["sh", "ash", "dash"].contains(&shell.rsplit('/').next().unwrap_or(shell));
    let script = script.replace("\\\n", " ");
    let last =
        script.trim().rsplit(['\n', ';']).map(str::trim).find(|part| !part.is_empty()).unwrap_or_default();
    is_shell
        && flags.starts_with('-')
        && flags.ends_with('c')
        && !last.rsplit("&&").next().unwrap_or(last).trim_start().starts_with("exec ")
        && !script.contains("trap ")
}

#[cfg(test)]
mod tests {
    use super::is_shell;
    use serde_json::json;

    #[test]
    fn a_shell_that_hands_over_is_none() {
        let runs = |command: &[&str]| is_shell(&json!({ "command": command }));
        assert!(runs(&["sh", "-c", "migrate && node server.js"]));
        assert!(runs(&["/bin/dash", "-ec", "node server.js"]));
        assert!(!runs(&["/bin/bash", "-c", "migrate && node server.js"]), "bash 5.2 execs its last command");
        assert!(!runs(&["sh", "-c", "migrate; exec node server.js"]));
        assert!(!runs(&["sh", "-c", "exec java -Xmx1g \\\n  -jar /app.jar\n"]), "one command over two lines");
        assert!(!runs(&["sh", "-c", "migrate && exec node server.js"]));
        assert!(!runs(&["sh", "-c", "trap 'kill 0' TERM; node x & wait"]));
        assert!(!runs(&["node", "server.js"]) && !runs(&[]));
        assert!(is_shell(&json!({ "command": ["sh", "-c"], "args": ["node server.js"] })));
    }
}
