//! What may fail, where, why, and until when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scope;
use crate::config::{CheckCode, Day, Words};

/// A failure that somebody answers for, for a time.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The check, by its code.
    pub check: CheckCode,
    /// For which services.
    pub scope: Scope,
    /// Why it may fail.
    pub reason: Words,
    /// Who repairs it.
    pub owner: Words,
    /// Who allowed it.
    pub approver: Words,
    /// The last day on which it holds, in UTC.
    pub until: Day,
}
