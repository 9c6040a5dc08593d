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
    /// The day of the answer. Once called `on`, which YAML 1.1, as kubectl reads it, takes for `true` where it is not quoted.
    #[serde(alias = "on")]
    pub date: Day,
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn the_day_of_an_answer_is_read_under_the_name_that_it_had() {
        let of = |key: &str| {
            serde_saphyr::from_str::<Answer>(&format!("{{ question: q, link: l, by: b, {key}: 2026-06-15 }}"))
        };
        assert_eq!(of("date").unwrap(), of("on").unwrap());
        assert!(of("day").is_err());
    }
}
