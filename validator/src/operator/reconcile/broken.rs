//! A check that can be run no more, since its spec or its policy was broken: what is known of it stays.

use kube::runtime::controller::Action;
use serde_json::Value;

use super::{Context, LOOK, candidate, known, policy, stamp, text};
use crate::config::{GoLivePolicy, Policy, Validity};
use crate::operator::kinds::ABORT;
use crate::operator::objects::Objects;
use crate::operator::run::Run;
use crate::operator::status::status;
use crate::operator::trouble::Trouble;

/// Follows a run under way, which has a spec and a policy of its own, and tells why there will be no other one.
pub(super) async fn told(check: &Value, why: String, context: &Context) -> Result<Action, Trouble> {
    let objects = &context.objects;
    let candidate = match deployment(check) {
        Some(name) => candidate(name, objects).await?,
        None => None,
    };
    let mut runs = objects.runs().await?;
    let name = text(&check["metadata"]["name"]);
    let under_way = runs.iter().find(|run| run.check == name && run.is_running()).cloned();
    if let Some(run) = under_way {
        follow(check, &run, objects).await?;
        runs = objects.runs().await?;
    }
    let known = known(check, candidate.as_ref(), &runs, Some(why), None);
    objects.tell(check, &status(&known, &check["status"], &stamp())).await?;
    // Policies have no namespace and are not watched.
    Ok(Action::requeue(LOOK))
}

/// The name of the deployment, where it can be one: nobody has read this spec.
fn deployment(check: &Value) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let name = check["spec"]["target"]["deployment"].as_str()?;
    (!name.is_empty() && name.chars().all(is_part)).then_some(name)
}

async fn follow(check: &Value, run: &Run, objects: &Objects) -> Result<(), Trouble> {
    if run.name == text(&check["metadata"]["annotations"][ABORT]) {
        return objects.stop(&run.name, "aborted").await;
    }
    let named = check["spec"]["policy"].as_str().unwrap_or(GoLivePolicy::BUILT_IN);
    let policy = policy(named, objects).await?.map_or_else(|_| unknown(), |policy| policy.spec);
    objects.mirror(&run.name, &policy).await?;
    Ok(())
}

/// Nobody knows how long a verdict is good by a policy that cannot be read: through the day on which it was found.
fn unknown() -> Policy {
    Policy { verdict: Validity { valid_for_days: 0 }, ..Policy::default() }
}
