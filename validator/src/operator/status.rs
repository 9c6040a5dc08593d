//! The status of a check, from its last run: pure.

use serde_json::{Value, json};

use super::conditions::Condition;
use super::observed::Observed;
use super::run::Run;
use crate::config::Day;

/// What is known of a check.
pub(super) struct Known<'a> {
    pub(super) generation: i64,
    /// Hash and image of the candidate, if there is one.
    pub(super) candidate: Option<(&'a str, &'a str)>,
    /// Its last run that proves, or is to.
    pub(super) last: Option<&'a Run>,
    /// The last of them about this candidate that has ended, and was decided if one was: its verdict stands until another one takes
    /// its place.
    pub(super) ended: Option<&'a Run>,
    /// What runs say that only look on.
    pub(super) observed: Observed<'a>,
    /// Why nothing can be done, if nothing can.
    pub(super) stalled: Option<String>,
    /// Why it waits, if it does.
    pub(super) waits: Option<String>,
    pub(super) today: Day,
}

/// The whole status; what stood there before gives the times of the conditions.
pub(super) fn status(known: &Known<'_>, before: &Value, now: &str) -> Value {
    let current = known.ended.and_then(Run::ended);
    let observed = known.observed.condition(known.candidate.map(|(hash, _)| hash));
    let complete = complete(known, current);
    let reconciling = reconciling(known, &complete);
    let conditions = [complete, go_live(known, current), stalled(known)];
    let conditions: Vec<Value> = conditions
        .iter()
        .chain(&observed)
        .chain(&reconciling)
        .map(|condition| condition.over(before, known.generation, now))
        .collect();
    let mut status = json!({ "observedGeneration": known.generation, "conditions": conditions });
    if let Some((hash, image)) = known.candidate {
        status["candidate"] = json!(image);
        status["candidateHash"] = json!(hash);
    }
    if let Some(run) = known.last {
        status["run"] = json!(run.name);
    }
    if let Some(told) = known.observed.told() {
        status["observed"] = told;
    }
    for field in [
        "verdict",
        "passing",
        "digest",
        "templateHash",
        "policy",
        "ended",
        "validUntil",
        "findings",
        "report",
    ] {
        if let Some(value) = current.and_then(|current| current.get(field)).filter(|value| !value.is_null()) {
            status[field] = value.clone();
        }
    }
    status
}

fn complete(known: &Known<'_>, current: Option<&Value>) -> Condition {
    let (status, reason, message) = match (known.last, current, &known.waits) {
        (Some(run), _, _) if run.is_running() => ("False", "Running", format!("run {}", run.name)),
        (Some(run), Some(_), None) if !run.is_decided() => ("True", "RunEnded", undecided(run)),
        (_, _, Some(why)) => ("False", "Waiting", why.clone()),
        (_, Some(_), None) => ("True", "RunEnded", "the candidate was run".to_owned()),
        (_, None, None) => ("False", "NotRun", "the candidate was not run".to_owned()),
    };
    Condition { kind: "Complete", status, reason: reason.to_owned(), message }
}

fn undecided(run: &Run) -> String {
    let text = |field: &str| run.ended().and_then(|status| status[field].as_str());
    match text("verdict") {
        Some(verdict) => format!("run {} ended {verdict}", run.name),
        None => format!("run {} ended without a verdict: {}", run.name, text("message").unwrap_or_default()),
    }
}

fn go_live(known: &Known<'_>, current: Option<&Value>) -> Condition {
    let unknown = |reason: &str, message: &str| Condition {
        kind: "GoLive",
        status: "Unknown",
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    let Some(current) = current else {
        let running = known.last.is_some_and(Run::is_running);
        return unknown(
            if running { "Running" } else { "NotRun" },
            "there is no verdict about this candidate",
        );
    };
    let until = current["validUntil"].as_str().and_then(|day| Day::try_from(day.to_owned()).ok());
    if let Some(until) = until.filter(|until| *until < known.today) {
        return unknown("Expired", &format!("the verdict was good until {until}"));
    }
    let findings = current["findings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let message = findings.collect::<Vec<_>>().join("; ");
    let (status, reason) = match current["verdict"].as_str() {
        Some("GO") => ("True", "Go"),
        Some("GO-WITH-WARNINGS") => ("True", "GoWithWarnings"),
        Some("NO-GO") => ("False", "NoGo"),
        Some(_) => ("Unknown", "Inconclusive"),
        None => return unknown("NoVerdict", current["message"].as_str().unwrap_or_default()),
    };
    Condition { kind: "GoLive", status, reason: reason.to_owned(), message }
}

fn stalled(known: &Known<'_>) -> Condition {
    let (status, reason, message) = match &known.stalled {
        Some(why) => ("True", "CannotRun", why.clone()),
        None => ("False", "CanRun", String::new()),
    };
    Condition { kind: "Stalled", status, reason: reason.to_owned(), message }
}

/// That a run is still due, awaited or under way, in the words of `Complete`. It is absent else, and where the check is stalled: kstatus
/// takes the one for "in progress" and the other for "failed", and what is stalled comes no further by itself.
fn reconciling(known: &Known<'_>, complete: &Condition) -> Option<Condition> {
    let is_to_come = complete.status == "False" && known.stalled.is_none();
    is_to_come.then(|| Condition {
        kind: "Reconciling",
        status: "True",
        reason: complete.reason.clone(),
        message: complete.message.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::run::{Phase, Run};
    use super::{Known, Observed, status};
    use crate::config::{Day, Purpose};

    fn run(phase: Phase) -> Run {
        let (name, check, hash) = ("users-1".into(), "users".into(), "a".into());
        let (image, demand, purpose) = (String::new(), String::new(), Purpose::Prove);
        Run { name, check, image, hash, demand, purpose, created: 0, phase }
    }

    fn today() -> Day {
        Day::try_from("2026-06-15".to_owned()).unwrap()
    }

    fn of(status: &Value, kind: &str) -> (String, String) {
        let all = status["conditions"].as_array().unwrap();
        let one = all.iter().find(|condition| condition["type"] == kind).unwrap();
        (one["status"].as_str().unwrap().into(), one["reason"].as_str().unwrap().into())
    }

    fn told(run: Option<&Run>, hash: &str) -> Value {
        let known = Known {
            generation: 3,
            candidate: Some((hash, "users:1")),
            last: run,
            ended: run.filter(|run| run.hash == hash && !run.is_running()),
            observed: Observed::default(),
            stalled: None,
            waits: None,
            today: today(),
        };
        status(&known, &json!({}), "2026-11-26T00:00:00Z")
    }

    #[test]
    fn a_verdict_is_about_its_candidate_and_about_no_other() {
        let ended =
            run(Phase::Ended(json!({ "verdict": "NO-GO", "passing": 3, "findings": ["GL-B201: never"] })));
        let no_go = told(Some(&ended), "a");
        assert_eq!(of(&no_go, "GoLive"), ("False".into(), "NoGo".into()));
        assert_eq!((of(&no_go, "Complete").0.as_str(), &no_go["verdict"]), ("True", &json!("NO-GO")));
        let newer = told(Some(&ended), "b");
        assert_eq!(of(&newer, "GoLive").0, "Unknown");
        assert_eq!((of(&newer, "Complete").0.as_str(), newer.get("verdict")), ("False", None));
        assert_eq!(
            of(&told(Some(&run(Phase::Running)), "a"), "Complete"),
            ("False".into(), "Running".into())
        );
        let (first, second) = (run(Phase::Ended(json!({ "verdict": "GO" }))), run(Phase::Running));
        let again = Known {
            generation: 3,
            candidate: Some(("a", "users:1")),
            last: Some(&second),
            ended: Some(&first),
            observed: Observed::default(),
            stalled: None,
            waits: None,
            today: today(),
        };
        let again = status(&again, &json!({}), "2026-11-26T00:00:00Z");
        assert_eq!((of(&again, "GoLive").0.as_str(), of(&again, "Complete").0.as_str()), ("True", "False"));
        let failed = run(Phase::Ended(json!({ "message": "exit 3: no connection" })));
        assert_eq!(of(&told(Some(&failed), "a"), "GoLive"), ("Unknown".into(), "NoVerdict".into()));
    }

    #[test]
    fn a_look_has_a_place_of_its_own_and_leaves_the_verdict_as_it_is() {
        let proof =
            json!({ "verdict": "GO", "digest": "u@sha256:1", "validUntil": "2026-06-15", "passing": "4/4" });
        let proof = run(Phase::Ended(proof));
        let found = json!({ "verdict": "NO-GO", "findings": ["GL-H103 fail: 503"], "digest": "u@sha256:1", "ended": "t" });
        let look = Run { name: "users-2".into(), purpose: Purpose::Observe, ..run(Phase::Ended(found)) };
        let known = |last| Known {
            generation: 3,
            candidate: Some(("a", "users:1")),
            last: Some(&proof),
            ended: Some(&proof),
            observed: Observed {
                is_asked: true,
                is_settled: true,
                last,
                go: Some(&proof),
                ..Observed::default()
            },
            stalled: None,
            waits: None,
            today: today(),
        };
        let before = status(&known(None), &json!({}), "1");
        let after = status(&known(Some(&look)), &before, "2");
        assert_eq!(of(&after, "Observed"), ("False".into(), "Failing".into()));
        assert_eq!(
            (&after["observed"]["run"], &after["observed"]["ended"]),
            (&json!("users-2"), &json!("t"))
        );
        for kind in ["GoLive", "Complete", "Stalled"] {
            assert_eq!(of(&after, kind), of(&before, kind), "{kind}");
        }
        for field in ["verdict", "digest", "validUntil", "passing", "run"] {
            assert_eq!((&after[field], after[field].is_null()), (&before[field], false), "{field}");
        }
    }

    #[test]
    fn a_verdict_is_good_through_its_last_day() {
        let until =
            |day: &str| run(Phase::Ended(json!({ "verdict": "GO", "validUntil": day, "digest": null })));
        let last_day = told(Some(&until("2026-06-15")), "a");
        assert_eq!(of(&last_day, "GoLive").0, "True");
        assert!(last_day.get("digest").is_none(), "what is not known is absent: {last_day}");
        let after = told(Some(&until("2026-06-14")), "a");
        assert_eq!(of(&after, "GoLive"), ("Unknown".into(), "Expired".into()));
        assert_eq!(of(&after, "Complete").0, "True", "it was run all the same");
    }

    #[test]
    fn a_run_that_is_to_come_is_reconciling_and_what_has_ended_or_is_stalled_is_not() {
        let reconciling = |status: &Value| {
            let all = status["conditions"].as_array().unwrap();
            all.iter().find(|one| one["type"] == "Reconciling").map(|one| one["reason"].clone())
        };
        let under_way = run(Phase::Running);
        let known = |stalled: Option<&str>, waits: Option<&str>, last| Known {
            generation: 3,
            candidate: Some(("a", "users:1")),
            last,
            ended: None,
            observed: Observed::default(),
            stalled: stalled.map(str::to_owned),
            waits: waits.map(str::to_owned),
            today: today(),
        };
        let told = |known| reconciling(&status(&known, &json!({}), "1"));
        assert_eq!(told(known(None, None, Some(&under_way))), Some(json!("Running")));
        assert_eq!(told(known(None, Some("not settled"), None)), Some(json!("Waiting")));
        assert_eq!(told(known(Some("no policy"), None, None)), None);
        assert_eq!(told(known(Some("no policy"), None, Some(&under_way))), None, "somebody has to repair it");
        let ended = run(Phase::Ended(json!({ "verdict": "NO-GO" })));
        assert_eq!(reconciling(&self::told(Some(&ended), "a")), None);
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let known = |stalled| Known {
            generation: 3,
            candidate: None,
            last: None,
            ended: None,
            observed: Observed::default(),
            stalled,
            waits: None,
            today: today(),
        };
        let first = status(&known(None), &json!({}), "1");
        assert_eq!(status(&known(None), &first, "2"), first, "nothing is written without a change");
        let stalled = status(&known(Some("why".into())), &first, "2");
        let time = |status: &Value, at: usize| status["conditions"][at]["lastTransitionTime"].clone();
        assert_eq!((time(&stalled, 0), time(&stalled, 2)), (json!("1"), json!("2")));
    }
}
