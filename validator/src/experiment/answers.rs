//! What a target says that does not answer as it should, and what that means for whoever declared it.

use std::collections::BTreeMap;

use crate::config::RequestSpec;
use crate::evidence::{Class, Fact, Outcome};
use crate::failure::Failure;
use crate::timeline::refusal;

/// What became of the requests of each template.
type Counts = BTreeMap<usize, BTreeMap<Outcome, u32>>;

/// Why this load is not answered, if too little of it is: `least` is the share that should be.
pub(super) fn trouble(facts: &[Fact], requests: &[RequestSpec], least: f64) -> Option<Failure> {
    let counts = outcomes(facts);
    let refused = counts.iter().find_map(|(template, counts)| refusal(requests.get(*template)?, counts));
    if let Some(refused) = refused {
        return Some(
            Failure::environment(refused)
                .hint("docs/target-file.md, spec.traffic, says what a request can hold"),
        );
    }
    let right = |template: usize, outcome: Outcome| match (outcome, requests.get(template)) {
        (Outcome::Answered(status), Some(spec)) if !spec.expect.is_empty() => spec.expect.contains(&status),
        _ => !outcome.is_failure(),
    };
    let all = || counts.iter().flat_map(|(template, counts)| counts.iter().map(|(o, n)| (*template, *o, *n)));
    let total: u32 = all().map(|(_, _, count)| count).sum();
    let answered: u32 =
        all().filter(|(template, outcome, _)| right(*template, *outcome)).map(|(_, _, n)| n).sum();
    if total > 0 && f64::from(answered) >= least * f64::from(total) {
        return None;
    }
    let wrong = all().filter(|(template, outcome, _)| !right(*template, *outcome));
    let most = wrong.max_by_key(|(_, _, count)| *count);
    let told = most.map_or_else(|| "nothing".to_owned(), |(_, outcome, _)| outcome.name());
    let failure =
        Failure::environment(format!("the target does not answer before anything is touched: {told}"));
    Some(failure.hint(if unreadable(facts) {
        "what it says is not HTTP/1.1: does its port speak TLS, or gRPC? name the one that speaks HTTP"
    } else {
        "look at what it logs, and compare spec.traffic.requests with what it serves"
    }))
}

fn outcomes(facts: &[Fact]) -> Counts {
    let mut counts = Counts::new();
    for fact in facts {
        let Fact::Second(second) = fact else { continue };
        for (outcome, count) in second.outcomes.iter().filter(|_| second.class != Class::Direct) {
            *counts.entry(second.template).or_default().entry(*outcome).or_default() += *count;
        }
    }
    counts
}

/// Whether bytes came that no HTTP client can read (hyper says `invalid HTTP version parsed`, or the like).
fn unreadable(facts: &[Fact]) -> bool {
    let errors =
        facts.iter().filter_map(|fact| if let Fact::Request(r) = fact { r.error.as_deref() } else { None });
    let mut told = errors.map(str::to_lowercase);
    told.any(|error| error.contains("invalid http") || error.contains("parse"))
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn seconds(outcomes: &[(Outcome, u32)]) -> Vec<Fact> {
        let second = json!({
            "fact": "second", "at": 0, "agent": "a", "node": "n", "class": "new", "due": 1, "on_time": 1,
            "outcomes": outcomes, "open": 0, "times": vec![0; 18],
        });
        vec![from_value(second).unwrap()]
    }

    fn told(facts: &[Fact]) -> Option<String> {
        trouble(facts, &[RequestSpec::get("/".parse().unwrap()).unwrap()], 0.9)
            .map(|failure| failure.to_string())
    }

    #[test]
    fn what_is_wrong_with_the_answers_is_told_with_the_next_step() {
        assert_eq!(told(&seconds(&[(Outcome::Answered(200), 98), (Outcome::Answered(500), 2)])), None);
        let cases = [
            (vec![(Outcome::Answered(401), 99), (Outcome::Answered(200), 1)], "headers"),
            (vec![(Outcome::Answered(400), 99)], "TLS"),
            (vec![(Outcome::Answered(503), 99), (Outcome::Answered(200), 9)], "status 503"),
            (vec![], "nothing"),
        ];
        for (outcomes, wanted) in cases {
            let text = told(&seconds(&outcomes)).unwrap();
            assert!(text.contains(wanted) && text.contains("hint:"), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_http_are_told_from_silence() {
        let mut facts = seconds(&[(Outcome::Closed, 99)]);
        assert!(!told(&facts).unwrap().contains("gRPC"));
        facts.push(from_value(json!({
            "fact": "request", "due": 0, "sent": 0, "took_ms": 1.0, "agent": "a", "node": "n", "class": "new",
            "request": "GET /", "outcome": "closed", "error": "invalid HTTP version parsed",
        })).unwrap());
        assert!(told(&facts).unwrap().contains("gRPC"));
    }
}
