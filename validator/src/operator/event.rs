//! What a person sees of a change in `kubectl describe`: pure.

use serde_json::{Value, json};

use super::candidate::short;
use super::kinds::MANAGER;

/// The Event of a status that takes the place of the check's own, if what is said of its candidate is another thing.
///
/// Its name is what it tells, so that two operators write it once.
pub(super) fn event(check: &Value, status: &Value) -> Option<Value> {
    let (before, after) = (go_live(&check["status"]), go_live(status));
    if before["reason"] == after["reason"] || after["status"] == "Unknown" && before.is_null() {
        return None;
    }
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let (metadata, reason, at) = (&check["metadata"], &after["reason"], &after["lastTransitionTime"]);
    let (name, run) = (text(&metadata["name"]), text(&status["run"]));
    let id = short(&[&name, &run, &reason.to_string(), &at.to_string()]);
    Some(json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": format!("{name}.{id}"), "namespace": metadata["namespace"] },
        "involvedObject": {
            "apiVersion": "golive.dev/v1alpha1", "kind": "GoLiveCheck", "name": name,
            "namespace": metadata["namespace"], "uid": metadata["uid"]
        },
        "type": kind(after), "reason": reason, "message": message(&run, status, after),
        "source": { "component": MANAGER }, "firstTimestamp": at, "lastTimestamp": at, "count": 1
    }))
}

/// A candidate that is being run is no reason to worry; one that was run and has no GO is.
fn kind(condition: &Value) -> &'static str {
    match condition["reason"].as_str() {
        Some("NoGo" | "Inconclusive" | "NoVerdict" | "Expired") => "Warning",
        _ => "Normal",
    }
}

fn message(run: &str, status: &Value, condition: &Value) -> String {
    let told = [&status["verdict"], &status["passing"], &condition["message"]];
    let told = told.iter().filter_map(|one| one.as_str()).filter(|one| !one.is_empty());
    format!("run {run}: {}", told.collect::<Vec<_>>().join(", "))
}

/// The condition of a status that a person waits for.
fn go_live(status: &Value) -> &Value {
    let all = status["conditions"].as_array();
    all.into_iter().flatten().find(|one| one["type"] == "GoLive").unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::event;

    fn status(reason: &str, condition: &str, message: &str, verdict: Option<&str>) -> Value {
        let condition = json!({
            "type": "GoLive", "status": condition, "reason": reason, "message": message, "lastTransitionTime": "t"
        });
        let passing = verdict.map(|_| "4/4");
        json!({ "run": "users-1", "verdict": verdict, "passing": passing, "conditions": [condition] })
    }

    fn told(before: &Value, after: &Value) -> Option<(String, String)> {
        let check = json!({ "metadata": { "name": "users", "namespace": "demo" }, "status": before });
        let event = event(&check, after)?;
        Some((event["type"].as_str().unwrap().into(), event["message"].as_str().unwrap().into()))
    }

    #[test]
    fn a_change_is_told_once_with_what_was_found() {
        let running = status("Running", "Unknown", "there is no verdict", None);
        let go = status("Go", "True", "", Some("GO"));
        let no_go = status("NoGo", "False", "GL-S201: lost", Some("NO-GO"));
        assert_eq!(told(&Value::Null, &running), None);
        assert_eq!(told(&running, &go), Some(("Normal".into(), "run users-1: GO, 4/4".into())));
        assert_eq!(told(&go, &go), None);
        let warned = ("Warning".into(), "run users-1: NO-GO, 4/4, GL-S201: lost".into());
        assert_eq!(told(&running, &no_go), Some(warned));
        assert_eq!(told(&go, &running).unwrap().0, "Normal", "a new candidate is no trouble");
    }
}
