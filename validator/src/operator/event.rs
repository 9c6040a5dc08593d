//! What a person sees of a change in `kubectl describe`: pure.

use serde_json::{Value, json};

use super::candidate::short;
use super::kinds::MANAGER;

/// The Events of a status that takes the place of the check's own: one for each condition that a person waits for, if it says
/// another thing now.
pub(super) fn events(check: &Value, status: &Value) -> Vec<Value> {
    let run = |of: &Value| of["run"].as_str().unwrap_or_default().to_owned();
    let proven = event(check, status, ("GoLive", &run(status)), &[&status["verdict"], &status["passing"]]);
    let observed = event(check, status, ("Observed", &run(&status["observed"])), &[]);
    proven.into_iter().chain(observed).collect()
}

/// Its name is what it tells and what was told before, so that two operators write it once, and one that could not write the
/// status after it does not write it again.
fn event(check: &Value, status: &Value, (kind, run): (&str, &str), found: &[&Value]) -> Option<Value> {
    let (before, after) = (condition(&check["status"], kind), condition(status, kind));
    if after.is_null()
        || before["reason"] == after["reason"]
        || after["status"] == "Unknown" && before.is_null()
    {
        return None;
    }
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let (metadata, reason, at) = (&check["metadata"], &after["reason"], &after["lastTransitionTime"]);
    let name = text(&metadata["name"]);
    let was = format!("{kind} {} since {}", before["reason"], before["lastTransitionTime"]);
    let id = short(&[&text(&metadata["uid"]), run, &reason.to_string(), &was]);
    Some(json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": format!("{name}.{id}"), "namespace": metadata["namespace"] },
        "involvedObject": {
            "apiVersion": "golive.dev/v1alpha1", "kind": "GoLiveCheck", "name": name,
            "namespace": metadata["namespace"], "uid": metadata["uid"]
        },
        "type": weight(after), "reason": reason, "message": message(run, found, after),
        "source": { "component": MANAGER }, "firstTimestamp": at, "lastTimestamp": at, "count": 1
    }))
}

/// A candidate that is being run is no reason to worry; one that was run and has no GO is, and so is what is not well any more.
fn weight(condition: &Value) -> &'static str {
    match condition["reason"].as_str() {
        Some("NoGo" | "Inconclusive" | "NoVerdict" | "Expired" | "Failing" | "Drifted") => "Warning",
        _ => "Normal",
    }
}

fn message(run: &str, found: &[&Value], condition: &Value) -> String {
    let told = found.iter().copied().chain([&condition["message"]]);
    let told = told.filter_map(|one| one.as_str()).filter(|one| !one.is_empty());
    format!("run {run}: {}", told.collect::<Vec<_>>().join(", "))
}

/// A condition of a status by its type.
fn condition<'s>(status: &'s Value, kind: &str) -> &'s Value {
    let all = status["conditions"].as_array();
    all.into_iter().flatten().find(|one| one["type"] == kind).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::events;

    fn status(reason: &str, condition: &str, message: &str, verdict: Option<&str>) -> Value {
        let condition = json!({
            "type": "GoLive", "status": condition, "reason": reason, "message": message, "lastTransitionTime": "t"
        });
        let passing = verdict.map(|_| "4/4");
        json!({ "run": "users-1", "verdict": verdict, "passing": passing, "conditions": [condition] })
    }

    fn told(before: &Value, after: &Value) -> Option<(String, String)> {
        let check = json!({ "metadata": { "name": "users", "namespace": "demo" }, "status": before });
        let event = events(&check, after).pop()?;
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

    #[test]
    fn a_change_has_one_name_whenever_it_is_told_and_another_time_another() {
        let name = |before: &Value, after: &Value| {
            let check = json!({ "metadata": { "name": "users", "namespace": "demo", "uid": "u1" }, "status": before });
            events(&check, after).pop().unwrap()["metadata"]["name"].clone()
        };
        let at = |mut status: Value, time: &str| {
            status["conditions"][0]["lastTransitionTime"] = json!(time);
            status
        };
        let running = status("Running", "Unknown", "there is no verdict", None);
        let no_go = status("NoGo", "False", "GL-S201: lost", Some("NO-GO"));
        let first = name(&at(running.clone(), "1"), &at(no_go.clone(), "2"));
        assert_eq!(first, name(&at(running.clone(), "1"), &at(no_go.clone(), "3")), "it is tried again");
        assert_ne!(first, name(&at(running, "4"), &at(no_go, "5")), "it happens again");
    }

    #[test]
    fn what_has_drifted_is_told_beside_a_verdict_that_stands() {
        let observed = |reason: &str, status: &str, message: &str| {
            let go = json!({ "type": "GoLive", "status": "True", "reason": "Go", "lastTransitionTime": "t" });
            let own = json!({
                "type": "Observed", "status": status, "reason": reason, "message": message, "lastTransitionTime": "t"
            });
            json!({ "run": "users-1", "verdict": "GO", "observed": { "run": "users-2" }, "conditions": [go, own] })
        };
        let well = observed("AsProven", "True", "");
        let drifted = observed("Drifted", "False", "a tag was moved");
        let warned = ("Warning".to_owned(), "run users-2: a tag was moved".to_owned());
        assert_eq!(told(&well, &drifted), Some(warned));
        assert_eq!(told(&drifted, &drifted), None);
        assert_eq!(told(&drifted, &well).unwrap().0, "Normal");
    }
}
