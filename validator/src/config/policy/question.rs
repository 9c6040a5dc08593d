//! What only a human can answer, and the answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Day, Words};

/// A question that every service answers in its target file.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// Its name in target files.
    pub id: Words,
    /// What is asked.
    pub ask: Words,
    /// For how many days an answer is good.
    pub valid_for_days: u32,
}

/// A service's answer.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The question, by its id in the policy.
    pub question: Words,
    /// Where the evidence is: a runbook, a rota, a dashboard.
    pub link: Words,
    /// Who answered.
    pub by: Words,
    /// The day of the answer.
    pub on: Day,
}
