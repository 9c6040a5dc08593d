//! The steps of a run as given, when, then, with what was measured in each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Step, StepTrouble};
use crate::timeline::{StepSpan, Timeline};

/// One step of the run.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct StepLine {
    /// Its name.
    pub name: String,
    /// When it began, in seconds since the start of the run.
    pub from_s: f64,
    /// How long it took, in seconds; one that did not end lasts as long as anything is known of the run.
    pub took_s: f64,
    /// What held before it.
    pub given: String,
    /// What was done.
    pub when: String,
    /// What ought to follow.
    pub then: String,
    /// Whether nothing was broken on purpose in it: only then a request that is not answered as usual is a loss.
    pub in_peace: bool,
    /// Requests through the Service that were due in it.
    pub requests: u64,
    /// Of these, not answered as usual.
    pub lost: u64,
    /// The time below which 99 % of the answers lay, in ms; none without answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// Why it ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

pub(super) fn lines(timeline: &Timeline) -> Vec<StepLine> {
    timeline.steps.iter().map(|span| line(timeline, span)).collect()
}

fn line(timeline: &Timeline, span: &StepSpan) -> StepLine {
    let end = span.end.unwrap_or_else(|| timeline.ended());
    let load = timeline.load.all((span.begin, (end - 1).max(span.begin)));
    let (given, when, then) = story(span.step);
    let answers = load.times.0.iter().any(|count| *count > 0);
    StepLine {
        name: span.step.name().to_owned(),
        from_s: (span.begin - timeline.evidence.header.started) as f64 / 1000.0,
        took_s: (end - span.begin) as f64 / 1000.0,
        given: given.to_owned(),
        when: when.to_owned(),
        then: then.to_owned(),
        in_peace: span.step.is_peace(),
        requests: load.due,
        lost: load.lost,
        p99_ms: answers.then(|| (load.times.quantile_ms(0.99) * 10.0).round() / 10.0),
        trouble: span.trouble.as_ref().map(|trouble| match trouble {
            StepTrouble::Stuck(why) | StepTrouble::OutOfTime(why) => why.clone(),
        }),
    }
}

/// Given, when, then.
fn story(step: Step) -> (&'static str, &'static str, &'static str) {
    match step {
        Step::Baseline => (
            "the version as found, with nothing of ours in its way",
            "users send the declared load",
            "they are answered; what is answered here is what they may expect from now on",
        ),
        Step::Observation => (
            "the version that serves, with nothing of ours in its way",
            "a few requests that only read are sent, the probes are asked, pods and endpoints are watched",
            "users are answered, probes succeed, every endpoint stays ready",
        ),
        Step::RollIn => (
            "the load goes on, and the agents stand ready",
            "the candidate replaces the old pods, its dependencies' names lead to the agents, its cache is cold",
            "no request is lost, no ready endpoint is missing, no circuit opens",
        ),
        Step::Learning => (
            "the candidate serves behind the agents",
            "the load pauses",
            "what still comes to the dependencies are health pings, and they are learned",
        ),
        Step::Quiet => (
            "the candidate serves behind the agents",
            "the load is back and nothing is broken",
            "answers take what they took before",
        ),
        Step::Hang => (
            "every circuit is closed",
            "every statement hangs; health pings are answered",
            "each circuit opens as declared, statements stop, users get the fallback at once",
        ),
        Step::Trials => (
            "the circuits are open",
            "trial calls are watched, then hiccups, a restart of the store and a collector that is gone",
            "one call tries, its end decides; nothing opens for a hiccup; a pod ends without the collector",
        ),
        Step::Degraded => (
            "every pod has all it needs, and each is looked at on its own",
            "some calls fail, all are slow, a cache only reads, a database fails over or takes no more; clients hang up",
            "nothing opens below the declared rate, users get an answer or an honest 503, all is well after it",
        ),
        Step::Loss => (
            "every pod has all it needs",
            "each pod loses one store: refused, reset or silent",
            "readiness says what is declared, liveness stays, users are answered",
        ),
        Step::Blackout => (
            "each pod has lost one store",
            "the others are lost too",
            "users are told 503 with Retry-After at once; no process ends",
        ),
        Step::Partial => (
            "every store is away",
            "the first one comes back",
            "readiness still says what is declared for the other one",
        ),
        Step::Recovery => (
            "one store is still away",
            "everything is back",
            "all is as before, without a rush of calls or connections",
        ),
        Step::RollOut => (
            "the load goes on, the candidate's pods are behind the agents",
            "they are replaced by pods that are not; some of their answers are held meanwhile",
            "no request is lost, what is in flight is finished, the last spans are delivered, exit 0 in time",
        ),
        Step::Tail => (
            "the last pod that was replaced is gone",
            "the load goes on for a moment",
            "what reaches every node late hurts nobody",
        ),
    }
}
