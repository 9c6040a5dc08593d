//! One reconcile of a check: look, decide, do one thing, tell.

mod broken;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use serde::Deserialize as _;
use serde_json::{Value, from_value, to_value};

use super::Settings;
use super::candidate::{Candidate, is_settled};
use super::decide::{Next, Seen, decide, forgotten, wants_proof};
use super::job::Parts;
use super::kinds::{ABORT, DEMAND};
use super::objects::Objects;
use super::observed::Observed;
use super::policies;
use super::run::{Phase, Run, newest};
use super::status::{Known, status};
use super::traces::Traces;
use super::trouble::Trouble;
use crate::config::{Day, GoLivePolicy, Purpose, Spec};
use crate::moment::now;
use crate::report::Verdict;

/// How soon a run under way is looked at again, whatever the watches say.
const LOOK: Duration = Duration::from_secs(30);

/// How soon a check at rest is looked at: no watch tells that a verdict has become too old.
const REST: Duration = Duration::from_hours(1);

/// What every reconcile of a namespace has.
pub(super) struct Context {
    objects: Objects,
    settings: Settings,
}

impl Context {
    pub(super) fn new(client: Client, namespace: &str, settings: &Settings, traces: Traces) -> Self {
        Self { objects: Objects::new(client, namespace, traces), settings: settings.clone() }
    }
}

/// What was read of a check.
struct Target {
    spec: Spec,
    policy: GoLivePolicy,
}

/// Looks, decides, and does one thing. It can be dropped at any moment: whatever it does is found again by its name.
pub(super) async fn reconcile(check: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Trouble> {
    let whole = to_value(check.as_ref())?;
    let (objects, name) = (&context.objects, text(&whole["metadata"]["name"]));
    objects.traces().reconcile((objects.namespace(), name), Box::pin(once(&whole, &context))).await
}

async fn once(whole: &Value, context: &Context) -> Result<Action, Trouble> {
    let objects = &context.objects;
    let target = match target(whole, objects).await? {
        Ok(target) => target,
        Err(why) => return broken::told(whole, why, context).await,
    };
    let candidate = candidate(&target.spec.target.deployment, objects).await?;
    let runs = objects.runs().await?;
    let mut next = decide(&seen(whole, &target.spec, candidate.as_ref(), &runs));
    if matches!(next, Next::Start(..))
        && let Some(why) = hindrance(&target.spec, objects).await?
    {
        next = Next::Wait(why, LOOK);
    }
    let acted = act(whole, &target, candidate.as_ref(), &runs, &next, context).await?;
    let runs = if acted { objects.runs().await? } else { runs };
    let name = text(&whole["metadata"]["name"]);
    for old in forgotten(name, &runs, target.spec.always.keep) {
        objects.forget(old).await?;
    }
    let (stalled, waits, action) = match next {
        Next::Stall(why) => (Some(why), None, Action::requeue(REST)),
        Next::Wait(why, again) => (None, Some(why), Action::requeue(again)),
        Next::Rest(due) => (None, None, Action::requeue(due.map_or(REST, |due| due.min(REST)))),
        Next::Start(..) | Next::Follow(_) | Next::Abort(_) => (None, None, Action::requeue(LOOK)),
    };
    let known = known(whole, candidate.as_ref(), &runs, stalled, waits);
    objects.tell(whole, &status(&known, &whole["status"], &stamp())).await?;
    Ok(action)
}

/// What the check says, or why that cannot be run.
async fn target(check: &Value, objects: &Objects) -> Result<Result<Target, String>, Trouble> {
    let spec: Spec = match from_value(check["spec"].clone()) {
        Ok(spec) => spec,
        Err(e) => return Ok(Err(format!("spec: {e}"))),
    };
    Ok(policy(&spec.policy, objects).await?.map(|policy| Target { spec, policy }))
}

/// What would serve by a deployment, and whether it is settled; nothing without one.
async fn candidate(deployment: &str, objects: &Objects) -> Result<Option<(Candidate, bool)>, Trouble> {
    let found = objects.deployment(deployment).await?;
    Ok(found.as_ref().map(|found| (Candidate::of(found), is_settled(found))))
}

/// The policy of a name, or why nobody can be judged by it.
async fn policy(name: &str, objects: &Objects) -> Result<Result<GoLivePolicy, String>, Trouble> {
    if name == GoLivePolicy::BUILT_IN {
        return Ok(Ok(GoLivePolicy::default()));
    }
    let found = objects.policy(name).await?;
    Ok(policies::named(name, found.as_ref()).map_err(|why| format!("spec.policy: {why}")))
}

/// Why a run that is due cannot begin yet, where neither a run nor the deployment shows it.
async fn hindrance(spec: &Spec, objects: &Objects) -> Result<Option<String>, Trouble> {
    // It would find the Lease taken, end without a verdict, and never be repeated.
    if let Some(pod) = objects.unfinished().await? {
        return Ok(Some(format!("pod {pod} of an earlier run has not ended yet")));
    }
    let Some(claim) = &spec.always.evidence_claim else { return Ok(None) };
    if objects.has_claim(claim).await? {
        return Ok(None);
    }
    // Its pod would wait for the volume until the run is out of time.
    let namespace = objects.namespace();
    Ok(Some(format!("spec.always.evidenceClaim: there is no PersistentVolumeClaim `{claim}` in {namespace}")))
}

fn seen<'a>(
    check: &'a Value,
    spec: &Spec,
    candidate: Option<&'a (Candidate, bool)>,
    runs: &'a [Run],
) -> Seen<'a> {
    let (metadata, annotations) = (&check["metadata"], &check["metadata"]["annotations"]);
    let is_look = spec.always.every.is_some() && !spec.always.plan.proves();
    Seen {
        check: (text(&metadata["name"]), text(&metadata["uid"])),
        demand: text(&annotations[DEMAND]),
        abort: text(&annotations[ABORT]),
        candidate: candidate.map(|(candidate, settled)| (candidate, *settled)),
        runs,
        every: spec.always.every.map(|every| Duration::from_secs_f64(every.0)),
        plan: spec.always.plan,
        idle: spec.unobservable().filter(|_| is_look),
        now: now(),
    }
}

/// Does it; says whether a run is another one now.
async fn act(
    check: &Value,
    target: &Target,
    candidate: Option<&(Candidate, bool)>,
    runs: &[Run],
    next: &Next,
    context: &Context,
) -> Result<bool, Trouble> {
    let objects = &context.objects;
    let find = |name: &str| runs.iter().find(|run| run.name == name);
    match (next, candidate) {
        (Next::Start(name, purpose), Some((candidate, _))) => {
            let parts = parts(check, target, (name, candidate, *purpose), objects)?;
            objects.start(&parts, &context.settings).await?;
            Ok(true)
        }
        (Next::Follow(name), _) => match find(name) {
            Some(run) if run.phase == Phase::Asked => {
                let candidate = Candidate { image: run.image.clone(), hash: run.hash.clone() };
                let parts = parts(check, target, (name, &candidate, run.purpose), objects)?;
                objects.start(&parts, &context.settings).await?;
                Ok(true)
            }
            Some(_) => Ok(objects.mirror(name, &target.policy.spec).await?),
            None => Ok(false),
        },
        (Next::Abort(name), _) => {
            objects.stop(name, "aborted").await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn parts<'a>(
    check: &'a Value,
    target: &'a Target,
    (name, candidate, purpose): (&'a str, &'a Candidate, Purpose),
    objects: &'a Objects,
) -> Result<Parts<'a>, Trouble> {
    let is_built_in = target.policy.metadata.name == GoLivePolicy::BUILT_IN;
    let policy = if is_built_in { None } else { Some(to_value(&target.policy)?) };
    let demand = text(&check["metadata"]["annotations"][DEMAND]);
    let (namespace, always) = (objects.namespace(), &target.spec.always);
    let Candidate { image, hash } = candidate;
    Ok(Parts { name, namespace, check, image, hash, demand, purpose, policy, always })
}

/// What stands in the status. `runs` are those of the namespace.
fn known<'a>(
    check: &Value,
    candidate: Option<&'a (Candidate, bool)>,
    runs: &'a [Run],
    stalled: Option<String>,
    waits: Option<String>,
) -> Known<'a> {
    let name = text(&check["metadata"]["name"]);
    let proofs = || runs.iter().filter(|run| run.check == name && run.purpose.proves());
    let is_about = |run: &&Run| candidate.is_some_and(|(candidate, _)| run.hash == candidate.hash);
    let ended = || proofs().filter(is_about).filter(|run| !run.is_running());
    let ended = newest(ended().filter(|run| run.is_decided())).or_else(|| newest(ended()));
    let last = newest(proofs());
    let mut observed = observed(check, runs);
    // A run that proves unsettles it.
    let proving = || last.is_some_and(Run::is_running);
    observed.is_settled = candidate.is_some_and(|(_, settled)| *settled || proving());
    let demand = text(&check["metadata"]["annotations"][DEMAND]);
    observed.is_awaited =
        proving() || candidate.is_some_and(|(candidate, _)| wants_proof(candidate, demand, last));
    let candidate = candidate.map(|(candidate, _)| (candidate.hash.as_str(), candidate.image.as_str()));
    let generation = check["metadata"]["generation"].as_i64().unwrap_or(0);
    Known { generation, candidate, last, ended, observed, stalled, waits, today: Day::of(now()) }
}

/// The last look, and what it is held against.
fn observed<'a>(check: &Value, runs: &'a [Run]) -> Observed<'a> {
    let name = text(&check["metadata"]["name"]);
    let last =
        |wanted: &dyn Fn(&Run) -> bool| newest(runs.iter().filter(|run| run.check == name && wanted(run)));
    let is_go = |run: &Run| run.ended().is_some_and(|status| is_go(&status["verdict"]));
    Observed {
        is_asked: check["spec"]["always"]["plan"] == Purpose::Observe.name(),
        last: last(&|run| !run.purpose.proves() && !run.is_running()),
        go: last(&|run| run.purpose.proves() && is_go(run)),
        ..Observed::default()
    }
}

fn is_go(verdict: &Value) -> bool {
    Verdict::deserialize(verdict).is_ok_and(Verdict::lets_stay)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn stamp() -> String {
    jiff::Timestamp::from_second(now() / 1000).map_or_else(|_| String::new(), |at| at.to_string())
}

#[cfg(test)]
mod tests;
