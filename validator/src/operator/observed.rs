//! What runs that look on say of a check: a condition and a place of its own in the status, beside the verdict. Pure.

use serde_json::{Value, json};

use super::conditions::Condition;
use super::run::Run;

/// What is known of a target that is looked at again and again.
#[derive(Default)]
pub(super) struct Observed<'a> {
    /// Whether the check asks for such runs.
    pub(super) is_asked: bool,
    /// Whether what serves is of one template, and all of it available.
    pub(super) is_settled: bool,
    /// Whether a proof of what serves is due or under way.
    pub(super) is_awaited: bool,
    /// The last such run that has ended.
    pub(super) last: Option<&'a Run>,
    /// The last run that proved something: a GO, with or without warnings.
    pub(super) go: Option<&'a Run>,
}

/// What a look comes to.
enum Look {
    /// All was well, and what serves is what the last GO was about.
    AsProven,
    /// A check that gates failed.
    Failing(String),
    /// What serves is something else than the last GO was about.
    Drifted(String),
    /// Nobody can tell, in one word and in more.
    Unknown(&'static str, String),
}

impl Observed<'_> {
    /// The condition `Observed`, of the candidate with this hash; none where nobody asks for it.
    pub(super) fn condition(&self, hash: Option<&str>) -> Option<Condition> {
        if !self.is_asked {
            return None;
        }
        let (status, reason, message) = match self.look(hash) {
            Look::AsProven => ("True", "AsProven", "what serves is as the last GO proved it".to_owned()),
            Look::Failing(what) => ("False", "Failing", what),
            Look::Drifted(how) => ("False", "Drifted", how),
            Look::Unknown(reason, why) => ("Unknown", reason, why),
        };
        Some(Condition { kind: "Observed", status, reason: reason.to_owned(), message })
    }

    /// The last look, for the status.
    pub(super) fn told(&self) -> Option<Value> {
        let run = self.last?;
        let mut told = json!({ "run": run.name });
        for field in ["verdict", "digest", "templateHash", "ended", "findings", "report"] {
            let value = run.ended().and_then(|status| status.get(field));
            if let Some(value) = value.filter(|value| !value.is_null()) {
                told[field] = value.clone();
            }
        }
        Some(told)
    }

    /// That the template is another one shows without a run; what serves it shows in the last one. A release is no drift: it is
    /// proven first.
    fn look(&self, hash: Option<&str>) -> Look {
        let Some(hash) = hash else {
            return Look::Unknown("NotObserved", "there is nothing to look at".into());
        };
        if !self.is_settled {
            let told = "the deployment is not settled: not all its pods are of its template and available";
            return Look::Unknown("NotSettled", told.into());
        }
        if self.is_awaited && self.go.is_none_or(|go| go.hash != hash) {
            return Look::Unknown("NotProven", "a proof of this candidate is due or under way".into());
        }
        if let Some(go) = self.go.filter(|go| go.hash != hash) {
            let told = format!("the pod template is another one than that of the last GO, run {}", go.name);
            return Look::Drifted(told);
        }
        // What was seen before the last GO says nothing of what that has proven since.
        let is_later = |run: &&Run| self.go.is_none_or(|go| run.created >= go.created);
        match self.last.filter(|run| run.hash == hash).filter(is_later).and_then(Run::ended) {
            Some(status) => self.of(status),
            None => Look::Unknown(
                "NotObserved",
                "nobody has looked at this candidate since its last GO; spec.always.every says when".into(),
            ),
        }
    }

    /// What the status of the last look comes to.
    fn of(&self, status: &Value) -> Look {
        let findings = status["findings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let findings = findings.collect::<Vec<_>>().join("; ");
        match status["verdict"].as_str() {
            Some("NO-GO") => Look::Failing(findings),
            Some("INCONCLUSIVE") => Look::Unknown("Inconclusive", findings),
            Some(_) => self.held_against_the_go(status),
            None => Look::Unknown("NoVerdict", status["message"].as_str().unwrap_or_default().to_owned()),
        }
    }

    fn held_against_the_go(&self, status: &Value) -> Look {
        let Some(go) = self.go else {
            return Look::Unknown("NotProven", "all is well, and there is no GO to hold it against".into());
        };
        let proven = go.ended().and_then(digest);
        match (digest(status), proven) {
            (Some(serves), Some(proven)) if serves != proven => Look::Drifted(format!(
                "{serves} serves, and run {} proved {proven}: a tag was moved",
                go.name
            )),
            _ => Look::AsProven,
        }
    }
}

/// The bits, by whatever name: a mirror has another one for them.
fn digest(status: &Value) -> Option<&str> {
    let named = status["digest"].as_str()?;
    Some(named.rsplit_once('@').map_or(named, |(_, digest)| digest))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::run::{Phase, Run};
    use super::Observed;
    use crate::config::Purpose;

    fn run(name: &str, hash: &str, purpose: Purpose, status: Value) -> Run {
        let (name, check, hash) = (name.to_owned(), "users".to_owned(), hash.to_owned());
        let (image, demand) = (String::new(), String::new());
        Run { name, check, image, hash, demand, purpose, created: 0, phase: Phase::Ended(status) }
    }

    fn look(hash: &str, status: Value) -> Run {
        run("users-2", hash, Purpose::Observe, status)
    }

    fn go() -> Run {
        run("users-1", "a", Purpose::Prove, json!({ "verdict": "GO", "digest": "r/users@sha256:1" }))
    }

    fn told(last: Option<&Run>, go: Option<&Run>, settled: bool) -> (&'static str, String, String) {
        let observed = Observed { is_asked: true, is_settled: settled, is_awaited: false, last, go };
        let condition = observed.condition(Some("a")).unwrap();
        (condition.status, condition.reason, condition.message)
    }

    #[test]
    fn what_is_well_is_held_against_the_last_go() {
        let well = look("a", json!({ "verdict": "GO-IN-PART", "digest": "mirror/users@sha256:1" }));
        let go = go();
        let (status, reason, _) = told(Some(&well), Some(&go), true);
        assert_eq!((status, reason.as_str()), ("True", "AsProven"), "by the digest, whatever the name");
        let moved = look("a", json!({ "verdict": "GO-IN-PART", "digest": "r/users@sha256:2" }));
        let (status, reason, message) = told(Some(&moved), Some(&go), true);
        assert_eq!((status, reason.as_str()), ("False", "Drifted"));
        assert!(message.contains("sha256:2 serves, and run users-1 proved sha256:1"), "{message}");
        let (status, reason, _) = told(Some(&well), None, true);
        assert_eq!((status, reason.as_str()), ("Unknown", "NotProven"), "nothing was ever proven");
        let unseen = look("a", json!({ "verdict": "GO-IN-PART" }));
        assert_eq!(told(Some(&unseen), Some(&go), true).0, "True", "no digest is known to be another one");
    }

    #[test]
    fn another_template_has_drifted_before_anybody_looks() {
        let other = Run { hash: "b".into(), ..go() };
        let (status, reason, message) = told(None, Some(&other), true);
        assert_eq!((status, reason.as_str()), ("False", "Drifted"));
        assert!(message.contains("template") && message.contains("users-1"), "{message}");
    }

    #[test]
    fn a_release_has_not_drifted_while_it_is_to_be_proven() {
        let (other, same) = (Run { hash: "b".into(), ..go() }, go());
        let reason = |go: Option<&Run>| {
            let observed = Observed { is_asked: true, is_settled: true, is_awaited: true, last: None, go };
            let condition = observed.condition(Some("a")).unwrap();
            format!("{} {}", condition.status, condition.reason)
        };
        assert_eq!(reason(Some(&other)), "Unknown NotProven");
        assert_eq!(reason(None), "Unknown NotProven");
        assert_eq!(reason(Some(&same)), "Unknown NotObserved", "its GO stands while it is proven again");
    }

    #[test]
    fn what_fails_is_told_and_what_nobody_knows_is_unknown() {
        let go = go();
        let reason = |run: Option<&Run>, settled| {
            let (status, reason, _) = told(run, Some(&go), settled);
            format!("{status} {reason}")
        };
        let failing = look("a", json!({ "verdict": "NO-GO", "findings": ["GL-H103 fail: 503"] }));
        assert_eq!(
            told(Some(&failing), Some(&go), true),
            ("False", "Failing".into(), "GL-H103 fail: 503".into())
        );
        assert_eq!(reason(Some(&failing), false), "Unknown NotSettled", "that was before");
        assert_eq!(
            reason(Some(&look("a", json!({ "verdict": "INCONCLUSIVE" }))), true),
            "Unknown Inconclusive"
        );
        assert_eq!(reason(Some(&look("a", json!({ "message": "exit 3" }))), true), "Unknown NoVerdict");
        assert_eq!(reason(Some(&look("b", json!({ "verdict": "GO-IN-PART" }))), true), "Unknown NotObserved");
        assert_eq!(reason(None, true), "Unknown NotObserved");
        let proven_since = Run { created: 1, ..go.clone() };
        assert_eq!(told(Some(&failing), Some(&proven_since), true).1, "NotObserved", "it was repaired since");
    }

    #[test]
    fn who_asks_for_no_look_has_no_condition_and_an_older_look_stays_told() {
        assert!(Observed::default().condition(Some("a")).is_none());
        let well =
            look("a", json!({ "verdict": "GO-IN-PART", "ended": "t", "passing": "1/4", "digest": null }));
        let observed = Observed { last: Some(&well), is_settled: true, ..Observed::default() };
        assert!(observed.condition(Some("a")).is_none(), "nobody asks any more");
        let told = observed.told().unwrap();
        assert_eq!(told, json!({ "run": "users-2", "verdict": "GO-IN-PART", "ended": "t" }));
    }
}
