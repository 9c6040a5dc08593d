//! When the operator asks again, and what it keeps.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Purpose, Seconds};

/// Within this time the operator has read what a Job has said, also if it was away for a while.
const MIN_TTL: Seconds = Seconds(600.0);

/// For the operator; a run from the command line does not look at it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Always {
    /// How long after a run the next one is due, though the candidate is the same; never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Seconds>,
    /// What a run does that is due: `prove`, as for a new candidate; or `observe`, which changes nothing and breaks nothing, sends a few
    /// requests that only read, and is no verdict.
    pub plan: Purpose,
    /// How many ended runs of either plan are kept, the last one in any case.
    pub keep: usize,
    /// How long the Job of a run is kept, with its pod and log, after it has ended: 10m to 24h. The report outlives it.
    #[serde(deserialize_with = "long_enough")]
    pub ttl_after_finished: Seconds,
    /// PersistentVolumeClaim of the namespace on which runs leave their evidence; it goes with the pod when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_claim: Option<String>,
}

impl Default for Always {
    fn default() -> Self {
        Self {
            every: None,
            plan: Purpose::Prove,
            keep: 5,
            ttl_after_finished: Seconds(86_400.0),
            evidence_claim: None,
        }
    }
}

fn long_enough<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seconds, D::Error> {
    let ttl = Seconds::deserialize(deserializer)?;
    if ttl < MIN_TTL {
        let told = format!(
            "ttlAfterFinished {ttl}: expected at least 10m, in which the operator reads what the Job has said"
        );
        return Err(serde::de::Error::custom(told));
    }
    Ok(ttl)
}
