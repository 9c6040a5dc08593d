//! When the operator asks again, and what it keeps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Seconds;

/// For the operator; a run from the command line does not look at it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Always {
    /// How long after a run the next one is due, though the candidate is the same; never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Seconds>,
    /// How many ended runs are kept, the last one in any case.
    pub keep: usize,
}

impl Default for Always {
    fn default() -> Self {
        Self { every: None, keep: 5 }
    }
}
