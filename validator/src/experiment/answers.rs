//! What a target says that does not answer as it should, and what that means for whoever declared it.

use std::collections::BTreeMap;

use crate::evidence::{Class, Fact, Outcome};
use crate::failure::Failure;

/// A share of the answers from which on they tell what is wrong.
const MOST: f64 = 0.5;

/// Why this load is not answered, if too little of it is: `least` is the share that should be.
pub(super) fn trouble(facts: &[Fact], least: f64) -> Option<Failure> {
    let counts = outcomes(facts);
    let total: u32 = counts.values().sum();
    let share = |wanted: fn(&Outcome) -> bool| {
        let matching = counts.iter().filter(|(outcome, _)| wanted(outcome)).map(|(_, count)| count);
        f64::from(matching.sum::<u32>()) / f64::from(total.max(1))
    };
    if share(|outcome| matches!(outcome, Outcome::Answered(401 | 403))) > MOST {
        return Some(
            Failure::environment("the target answers 401 or 403 to what it is asked")
                .hint("give `headers` to the requests in spec.traffic.requests"),
        );
    }
    if share(|outcome| matches!(outcome, Outcome::Answered(400 | 426))) > MOST {
        return Some(
            Failure::environment("the target answers 400 to what it is asked")
                .hint("does its port speak TLS? name the one that speaks HTTP in spec.target.port"),
        );
    }
    if total > 0 && share(|outcome| !outcome.is_lost()) >= least {
        return None;
    }
    let most = counts.iter().max_by_key(|(_, count)| **count);
    let told = most.map_or_else(|| "nothing".to_owned(), |(outcome, _)| outcome.name());
    let failure =
        Failure::environment(format!("the target does not answer before anything is touched: {told}"));
    Some(failure.hint(if unreadable(facts) {
        "what it says is not HTTP/1.1: does its port speak TLS, or gRPC? name the one that speaks HTTP"
    } else {
        "look at it with `kubectl logs`, and compare spec.traffic.requests with what it serves"
    }))
}

fn outcomes(facts: &[Fact]) -> BTreeMap<Outcome, u32> {
    let mut counts = BTreeMap::new();
    for fact in facts {
        let Fact::Second(second) = fact else { continue };
        for (outcome, count) in second.outcomes.iter().filter(|_| second.class != Class::Direct) {
            *counts.entry(*outcome).or_default() += *count;
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
            "fact": "second", "at": 0, "agent": "a", "node": "n", "class": "new", "due": 1, "on_time": 1, "lost": 0,
            "outcomes": outcomes, "open": 0, "times": vec![0; 18],
        });
        vec![from_value(second).unwrap()]
    }

    fn told(facts: &[Fact]) -> Option<String> {
        trouble(facts, 0.9).map(|failure| failure.to_string())
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
