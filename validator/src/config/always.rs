//! When the operator asks again, and what it keeps.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Purpose, Seconds};

/// Within this time the operator has read what a Job has said, also if it was away for a while.
const MIN_TTL: Seconds = Seconds(600.0);

/// A year: a schedule may be rarer than anything that a gate waits for.
const MAX_EVERY_HOURS: u32 = 8_760;

/// For the operator; a run from the command line does not look at it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Always {
    /// How long after a run the next one is due, though the candidate is the same, at most 8760h; never when absent.
    #[serde(deserialize_with = "seldom", skip_serializing_if = "Option::is_none")]
    pub every: Option<Seconds>,
    /// What a run does that is due: `prove`, as for a new candidate; or `observe`, which changes nothing and breaks nothing, sends a few
    /// requests that only read, and is no verdict.
    pub plan: Purpose,
    /// How many ended runs of either plan are kept; the last one and the last one that was decided in any case.
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

fn seldom<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seconds>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let every = text.map(|text| Seconds::up_to(MAX_EVERY_HOURS, &text)).transpose();
    every.map_err(|why| serde::de::Error::custom(format!("every {why}")))
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

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::{Always, Seconds};

    #[test]
    fn a_schedule_may_be_a_weekly_one() {
        let every = |text: &str| {
            let always = from_value::<Always>(json!({ "every": text })).map_err(|e| e.to_string());
            always.map(|always| always.every)
        };
        assert_eq!(every("168h"), Ok(Some(Seconds(604_800.0))));
        let refused = every("8761h").unwrap_err();
        assert!(refused.contains("every `8761h`: expected at most 8760h"), "{refused}");
        assert_eq!(from_value::<Always>(json!({})).unwrap().every, None);
    }
}
