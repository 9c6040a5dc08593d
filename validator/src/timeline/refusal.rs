//! Answers in quiet that prove nothing about a service, and what to do about them.

use std::collections::BTreeMap;

use crate::config::RequestSpec;
use crate::evidence::Outcome;

/// So many refusals are no matter of single users.
const MOST: f64 = 0.5;

/// Why the answers to one request of the plan prove nothing, with the next step; nothing if they do, or if they are what
/// the request says that it expects.
pub fn refusal(spec: &RequestSpec, answers: &BTreeMap<Outcome, u32>) -> Option<String> {
    let total: u32 = answers.values().sum();
    let (usual, count) = answers.iter().max_by_key(|(_, count)| **count)?;
    let Outcome::Answered(status) = *usual else { return None };
    if !spec.expect.is_empty() {
        return None;
    }
    let most = f64::from(*count) > MOST * f64::from(total);
    let right = answers.keys().any(|outcome| matches!(outcome, Outcome::Answered(status) if *status < 400));
    let what = match status {
        401 | 403 if most => "give `headers` (from a Secret or a file, or --header)",
        400 | 426 if !right => {
            "does the port speak TLS, or gRPC? Name the one that speaks HTTP/1.1 in `port`"
        }
        400..500 if !right => "is the path right?",
        _ => return None,
    };
    let told = format!("{}: {count} of {total} were answered with {status}", spec.name());
    Some(format!("{told}: {what}; if that is what users get, say `expect: [{status}]`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(answers: &[(u16, u32)], expect: &[u16]) -> Option<String> {
        let mut spec = RequestSpec::get("/x".parse().unwrap()).unwrap();
        spec.expect = expect.to_vec();
        let answers = answers.iter().map(|(status, count)| (Outcome::Answered(*status), *count)).collect();
        refusal(&spec, &answers)
    }

    #[test]
    fn a_refusal_is_told_with_what_to_change_and_an_expected_one_is_none() {
        for (status, what) in [(401, "headers"), (403, "headers"), (400, "TLS"), (404, "path"), (405, "path")]
        {
            let text = told(&[(status, 90)], &[]).unwrap();
            assert!(text.contains(what) && text.contains(&format!("expect: [{status}]")), "{text}");
            assert_eq!(told(&[(status, 90)], &[status]), None);
        }
        assert_eq!(told(&[(200, 60), (401, 40)], &[]), None);
        assert_eq!(told(&[(404, 60), (200, 40)], &[]), None);
        assert_eq!(told(&[(500, 60)], &[]), None);
        assert!(told(&[(401, 60), (200, 40)], &[]).is_some());
    }
}
