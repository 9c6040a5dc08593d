//! How long a verdict is believed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a GO is too old.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Validity {
    /// For how many days after the run a GO is good; dependencies and clusters change under an image that does not.
    pub valid_for_days: u32,
}

impl Default for Validity {
    fn default() -> Self {
        Self { valid_for_days: 30 }
    }
}
