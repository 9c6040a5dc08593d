//! What is to be done about a check: pure, so that every branch is tested without a server.

use std::time::Duration;

use super::candidate::{Candidate, short};
use super::run::{Run, newest};
use crate::config::Purpose;

/// How soon somebody looks again who waits for something that no watch tells.
const LOOK: Duration = Duration::from_secs(10);

/// What there is.
pub(super) struct Seen<'a> {
    /// Name and identity of the check.
    pub(super) check: (&'a str, &'a str),
    /// The demand on it; empty where there is none.
    pub(super) demand: &'a str,
    /// The run that is to end; empty where there is none.
    pub(super) abort: &'a str,
    /// The candidate, and whether it is settled; none without a deployment.
    pub(super) candidate: Option<(&'a Candidate, bool)>,
    /// All runs of the namespace.
    pub(super) runs: &'a [Run],
    /// How long after the last run another one is due.
    pub(super) every: Option<Duration>,
    /// What that one is for.
    pub(super) plan: Purpose,
    /// Why that one could do nothing, if it could not.
    pub(super) idle: Option<&'a str>,
    /// Unix milliseconds.
    pub(super) now: i64,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Create a run of this name, for this.
    Start(String, Purpose),
    /// A run of the check is under way: see what has become of it.
    Follow(String),
    /// End a run.
    Abort(String),
    /// Look again, for this reason.
    Wait(String, Duration),
    /// Nothing, until something changes or it is due again.
    Rest(Option<Duration>),
    /// There is nothing to gate, or nothing that a run may do.
    Stall(String),
}

/// One thing at a time. A run that ended, however it did, is followed by another one only for another candidate, another
/// demand, or when it is due: never by itself. A candidate is proven first; to look at one that was not answers nothing.
pub(super) fn decide(seen: &Seen<'_>) -> Next {
    let mine = || seen.runs.iter().filter(|run| run.check == seen.check.0);
    if let Some(run) = mine().find(|run| run.is_running()) {
        let aborted = run.name == seen.abort;
        return if aborted { Next::Abort(run.name.clone()) } else { Next::Follow(run.name.clone()) };
    }
    let Some((candidate, settled)) = seen.candidate else {
        return Next::Stall("there is no such deployment".into());
    };
    let proof = newest(mine().filter(|run| run.purpose.proves()));
    let last = newest(mine());
    let since = if seen.plan.proves() { proof } else { last };
    let due = since.and_then(|since| Some(due_in(since, seen.every?, seen.now)));
    let is_new = wants_proof(candidate, seen.demand, proof);
    // Told as soon as nothing but that would come, and not at each time that it is due.
    if let Some(why) = seen.idle.filter(|_| !is_new) {
        return Next::Stall(why.to_owned());
    }
    let purpose = match due {
        _ if is_new => Purpose::Prove,
        Some(Duration::ZERO) => seen.plan,
        left => return Next::Rest(left),
    };
    if !settled {
        return Next::Wait("the deployment is not settled".into(), LOOK);
    }
    if let Some(other) = seen.runs.iter().find(|run| run.is_running()) {
        return Next::Wait(format!("run {} is under way in this namespace", other.name), LOOK);
    }
    let after = last.map_or("", |last| last.name.as_str());
    Next::Start(named(seen, candidate, (purpose, after)), purpose)
}

/// Whether a candidate is to be proven, after the last proof: of another one, or on a demand that it did not answer.
pub(super) fn wants_proof(candidate: &Candidate, demand: &str, last: Option<&Run>) -> bool {
    last.is_none_or(|proof| {
        let asked = !demand.is_empty() && proof.demand != demand;
        asked || proof.hash != candidate.hash
    })
}

/// A run is called by what caused it, also which run it came after: two operators that decide alike create one object.
fn named(seen: &Seen<'_>, candidate: &Candidate, (purpose, after): (Purpose, &str)) -> String {
    let (name, uid) = seen.check;
    let hash = short(&[uid, &candidate.hash, seen.demand, after, purpose.name()]);
    // With what is added to it, it stays a label and the name of a Job (63 characters).
    let name: String = name.chars().take(40).collect();
    format!("{}-{hash}", name.trim_end_matches(['-', '.']))
}

fn due_in(last: &Run, every: Duration, now: i64) -> Duration {
    let passed = Duration::from_millis(now.saturating_sub(last.created).try_into().unwrap_or(0));
    every.saturating_sub(passed)
}

/// Ended runs beyond those that are kept, the oldest first. The last one stays: it is what keeps a candidate from being run again.
/// So does the last one that was decided: runs that were aborted take nothing away. Those that prove and those that look on are counted
/// apart, since the many of the one would push out the others.
pub(super) fn forgotten<'a>(check: &str, runs: &'a [Run], keep: usize) -> Vec<&'a str> {
    let of = |purpose| beyond(check, runs, (purpose, keep));
    [of(Purpose::Prove), of(Purpose::Observe)].concat()
}

fn beyond<'a>(check: &str, runs: &'a [Run], (purpose, keep): (Purpose, usize)) -> Vec<&'a str> {
    let mine = runs.iter().filter(|run| run.check == check && run.purpose == purpose);
    let mut ended: Vec<&Run> = mine.filter(|run| !run.is_running()).collect();
    ended.sort_by_key(|run| (run.created, &run.name));
    let decided = ended.iter().rfind(|run| run.is_decided()).map(|run| run.name.as_str());
    let beyond = ended.len().saturating_sub(keep.max(1));
    let names = ended.iter().take(beyond).map(|run| run.name.as_str());
    names.filter(|name| Some(*name) != decided).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::candidate::Candidate;
    use super::super::run::{Phase, Run};
    use super::{Next, Seen, decide, forgotten};
    use crate::config::Purpose;

    fn run(name: &str, check: &str, hash: &str, created: i64, phase: Phase) -> Run {
        let (name, check, hash) = (name.to_owned(), check.to_owned(), hash.to_owned());
        let (image, demand, purpose) = (String::new(), String::new(), Purpose::Prove);
        Run { name, check, image, hash, demand, purpose, created, phase }
    }

    fn ended() -> Phase {
        Phase::Ended(json!({ "phase": "Ended", "verdict": "NO-GO" }))
    }

    fn candidate(hash: &str) -> Candidate {
        Candidate { image: "users:1".into(), hash: hash.into() }
    }

    fn seen<'a>(candidate: &'a Candidate, runs: &'a [Run]) -> Seen<'a> {
        let candidate = Some((candidate, true));
        let (check, every, plan, idle) = (("users", "u1"), None, Purpose::Prove, None);
        Seen { check, demand: "", abort: "", candidate, runs, every, plan, idle, now: 60_000 }
    }

    #[test]
    fn a_new_candidate_is_run_once_whatever_came_of_it() {
        let (one, two) = (candidate("a"), candidate("b"));
        let Next::Start(name, Purpose::Prove) = decide(&seen(&one, &[])) else { panic!() };
        assert!(name.starts_with("users-") && name.len() < 63);
        assert_eq!(
            decide(&seen(&one, &[])),
            Next::Start(name.clone(), Purpose::Prove),
            "the same cause has the same name"
        );
        let runs = [run(&name, "users", "a", 1_000, ended())];
        assert_eq!(decide(&seen(&one, &runs)), Next::Rest(None), "a NO-GO is not repeated");
        let Next::Start(other, _) = decide(&seen(&two, &runs)) else { panic!() };
        assert_ne!(other, name);
        let back = [run(&name, "users", "a", 1_000, ended()), run(&other, "users", "b", 2_000, ended())];
        let Next::Start(again, _) = decide(&seen(&one, &back)) else {
            panic!("the one before is a candidate again")
        };
        assert!(again != name && again != other, "and its run another one");
    }

    #[test]
    fn a_candidate_that_is_still_rolled_out_and_a_namespace_with_a_run_are_waited_for() {
        let one = candidate("a");
        let mut moving = seen(&one, &[]);
        moving.candidate = Some((&one, false));
        assert!(matches!(decide(&moving), Next::Wait(why, _) if why.contains("not settled")));
        let busy = [run("orders-1", "orders", "x", 1_000, Phase::Running)];
        assert!(matches!(decide(&seen(&one, &busy)), Next::Wait(why, _) if why.contains("orders-1")));
        let own = [run("users-1", "users", "old", 1_000, Phase::Running)];
        assert_eq!(
            decide(&seen(&one, &own)),
            Next::Follow("users-1".into()),
            "also while there is a newer one"
        );
        let mut gone = seen(&one, &[]);
        gone.candidate = None;
        assert!(matches!(decide(&gone), Next::Stall(_)));
    }

    #[test]
    fn a_demand_and_a_schedule_ask_again_and_an_abort_ends() {
        let one = candidate("a");
        let runs = [run("users-1", "users", "a", 1_000, ended())];
        let mut asked = seen(&one, &runs);
        asked.demand = "again";
        assert!(matches!(decide(&asked), Next::Start(_, Purpose::Prove)));
        let mut answered = runs.clone();
        answered[0].demand = "again".into();
        assert_eq!(
            decide(&seen(&one, &answered)),
            Next::Rest(None),
            "who takes the demand away asks for nothing"
        );
        let mut due = seen(&one, &runs);
        due.every = Some(Duration::from_mins(1));
        assert_eq!(decide(&due), Next::Rest(Some(Duration::from_secs(1))));
        due.now = 61_000;
        assert!(matches!(decide(&due), Next::Start(_, Purpose::Prove)));
        let running = [run("users-1", "users", "a", 1_000, Phase::Running)];
        let mut abort = seen(&one, &running);
        abort.abort = "users-1";
        assert_eq!(decide(&abort), Next::Abort("users-1".into()));
        abort.abort = "users-0";
        assert_eq!(decide(&abort), Next::Follow("users-1".into()), "that one has ended long ago");
    }

    #[test]
    fn what_is_due_looks_on_where_the_check_says_so_and_a_new_candidate_is_proven_all_the_same() {
        let (one, two) = (candidate("a"), candidate("b"));
        let proof = run("users-1", "users", "a", 1_000, ended());
        let looked = Run { purpose: Purpose::Observe, ..run("users-2", "users", "a", 30_000, ended()) };
        let observing = |candidate, runs, now| {
            let every = Some(Duration::from_secs(30));
            decide(&Seen { every, plan: Purpose::Observe, now, ..seen(candidate, runs) })
        };
        let (proven, both) = ([proof.clone()], [proof, looked]);
        let Next::Start(name, Purpose::Observe) = observing(&one, &proven, 31_000) else { panic!() };
        assert!(matches!(observing(&one, &[], 31_000), Next::Start(_, Purpose::Prove)), "first it is proven");
        assert!(matches!(observing(&two, &both, 31_000), Next::Start(_, Purpose::Prove)));
        assert_eq!(
            observing(&one, &both, 31_000),
            Next::Rest(Some(Duration::from_secs(29))),
            "since the last look"
        );
        let Next::Start(again, Purpose::Observe) = observing(&one, &both, 60_000) else { panic!() };
        assert_ne!(name, again);
        let mut asked = Seen { demand: "again", ..seen(&one, &both) };
        assert!(matches!(decide(&asked), Next::Start(_, Purpose::Prove)), "a look answers no demand");
        // Whoever goes back to proofs counts from the last one.
        (asked.demand, asked.every, asked.now) = ("", Some(Duration::from_secs(50)), 40_000);
        assert_eq!(decide(&asked), Next::Rest(Some(Duration::from_secs(11))));
    }

    #[test]
    fn a_look_that_could_send_nothing_is_never_started_and_a_new_candidate_is_proven_all_the_same() {
        let (one, two) = (candidate("a"), candidate("b"));
        let runs = [run("users-1", "users", "a", 1_000, ended())];
        let looking = |candidate| {
            let (every, idle) = (Some(Duration::from_secs(30)), Some("every request writes"));
            Seen { every, idle, plan: Purpose::Observe, ..seen(candidate, &runs) }
        };
        let stalled = Next::Stall("every request writes".into());
        assert_eq!(decide(&looking(&one)), stalled, "it is due");
        assert_eq!(decide(&Seen { now: 2_000, ..looking(&one) }), stalled, "before it is due too");
        assert!(matches!(decide(&looking(&two)), Next::Start(_, Purpose::Prove)));
        let asked = Seen { demand: "again", ..looking(&one) };
        assert!(matches!(decide(&asked), Next::Start(_, Purpose::Prove)));
    }

    #[test]
    fn many_looks_push_no_proof_out() {
        let look =
            |at: i64| Run { purpose: Purpose::Observe, ..run(&format!("l{at}"), "users", "a", at, ended()) };
        let all = [run("p0", "users", "a", 0, ended()), look(1), look(2), look(3)];
        assert_eq!(forgotten("users", &all, 2), ["l1"]);
        assert_eq!(forgotten("users", &all, 0), ["l1", "l2"]);
    }

    #[test]
    fn the_oldest_runs_are_forgotten_and_never_the_last_or_one_under_way() {
        let all: Vec<Run> = (0..4).map(|at| run(&format!("r{at}"), "users", "a", at, ended())).collect();
        assert_eq!(forgotten("users", &all, 2), ["r0", "r1"]);
        assert_eq!(forgotten("users", &all, 0), ["r0", "r1", "r2"]);
        assert_eq!(forgotten("orders", &all, 1), [""; 0]);
        let running = [run("r0", "users", "a", 0, Phase::Running), run("r1", "users", "a", 1, ended())];
        assert_eq!(forgotten("users", &running, 1), [""; 0]);
    }
}
