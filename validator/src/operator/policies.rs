//! A `GoLivePolicy` of the cluster, held to the same rules as one of a file.

use serde_json::{Value, from_value};

use crate::config::GoLivePolicy;
use crate::policy;

/// The policy of a name, as it was found.
///
/// # Errors
/// Why nobody can be judged by it.
pub(crate) fn named(name: &str, found: Option<&Value>) -> Result<GoLivePolicy, String> {
    let Some(found) = found else { return Err(format!("there is no GoLivePolicy `{name}`")) };
    let mut policy = GoLivePolicy::default();
    name.clone_into(&mut policy.metadata.name);
    policy.spec = from_value(found["spec"].clone()).map_err(|e| format!("GoLivePolicy `{name}`: {e}"))?;
    match policy::refusal(&policy) {
        Some(why) => Err(format!("GoLivePolicy `{name}`: {why}")),
        None => Ok(policy),
    }
}
