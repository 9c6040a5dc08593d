//! Disturbances of the middle agents.

use super::disturbance::{Disturbance, Source};
use crate::evidence::{Evidence, Fact, MiddleTrouble, Millis, Trouble};

/// An agent is found to be lost at most so long after it was: it forwards everything after 15 s without a word.
const UNNOTICED_MS: Millis = 15_000;

pub(super) fn disturbances(evidence: &Evidence) -> Vec<Disturbance> {
    let troubles = evidence.facts.iter().filter_map(|fact| match fact {
        Fact::Trouble(trouble) => Some(trouble),
        _ => None,
    });
    absent(evidence).into_iter().chain(troubles.flat_map(of_trouble)).collect()
}

/// Dependencies before which no agent stood.
fn absent(evidence: &Evidence) -> Vec<Disturbance> {
    let names = evidence.plan().dependencies.iter().map(|dependency| &dependency.name);
    let why = |name: &String| {
        let standing = evidence.facts.iter().rev().find_map(|fact| match fact {
            Fact::Middle(middle) if middle.dependency == *name => Some(middle),
            _ => None,
        });
        match standing.map(|middle| &middle.standing) {
            None => Some(format!("no middle agent stood before {name}")),
            Some(Err(reason)) => Some(format!("no middle agent can stand before {name}: {reason}")),
            Some(Ok(_)) => None,
        }
    };
    names.filter_map(|name| Some(ever(Source::Record(name.clone()), why(name)?))).collect()
}

/// A record with a hole in it is none, whenever one looks: what is missing would be held against the target.
fn of_trouble(fact: &MiddleTrouble) -> Vec<Disturbance> {
    let name = || fact.dependency.clone();
    let Some(told) = fact.trouble.disbelief() else { return Vec::new() };
    let why = || format!("{}: {told}", fact.dependency);
    match fact.trouble {
        Trouble::Encrypted | Trouble::Unread(_) => vec![ever(Source::Content(name()), why())],
        Trouble::Lost(_) => {
            let gone = ever(Source::Agent(name()), why());
            vec![ever(Source::Record(name()), why()), Disturbance { from: fact.at - UNNOTICED_MS, ..gone }]
        }
        _ => vec![ever(Source::Record(name()), why())],
    }
}

fn ever(source: Source, why: String) -> Disturbance {
    Disturbance { from: Millis::MIN, to: Millis::MAX, source, why }
}

#[cfg(test)]
mod tests {
    use crate::config::Protocol;
    use crate::evidence::{Evidence, Fact, MiddleClock, MiddleFact, MiddleTrouble, Trouble};
    use crate::timeline::tests::header;
    use crate::timeline::{About, Kind, Timeline, Unmeasured};

    const STANDS: Result<MiddleClock, String> = Ok(MiddleClock { offset_ms: 0.0, uncertainty_ms: 0.1 });

    fn evidence(standing: Result<MiddleClock, String>, trouble: Option<Trouble>) -> Evidence {
        let (dependency, service) = ("postgres".to_owned(), "postgres".to_owned());
        let middle = MiddleFact { at: 0, dependency, service, protocol: Protocol::Postgres, standing };
        let trouble =
            trouble.map(|trouble| MiddleTrouble { at: 60_000, dependency: "postgres".into(), trouble });
        Evidence::new(
            header(),
            [Fact::Middle(middle)].into_iter().chain(trouble.map(Fact::Trouble)).collect(),
        )
    }

    fn why(evidence: &Evidence) -> Option<String> {
        match Timeline::new(evidence).trust.was_read("postgres") {
            Err(Unmeasured::NotSeen(reason)) => Some(reason),
            other => other.map(|()| None).unwrap(),
        }
    }

    #[test]
    fn the_reason_is_told_in_the_words_of_the_one_who_found_it() {
        assert_eq!(why(&evidence(STANDS, None)), None);
        assert_eq!(why(&evidence(STANDS, Some(Trouble::Unreached("refused".into())))), None);
        let disturbed = [
            Trouble::Encrypted,
            Trouble::FailedOpen,
            Trouble::Lost("its pod is gone".into()),
            Trouble::Unread("it is HTTP/2".into()),
            Trouble::Incomplete("too many spans".into()),
        ];
        for trouble in disturbed {
            let told = why(&evidence(STANDS, Some(trouble.clone()))).unwrap();
            assert_eq!(told, format!("postgres: {}", trouble.disbelief().unwrap()));
        }
        assert!(why(&evidence(Err("it is an IP".into()), None)).unwrap().ends_with("it is an IP"));
        assert!(why(&Evidence::new(header(), vec![])).unwrap().starts_with("no middle agent"));
    }

    #[test]
    fn an_agent_that_is_gone_disturbs_from_shortly_before_it_was_missed() {
        let evidence = evidence(STANDS, Some(Trouble::Lost("its pod is gone".into())));
        let trust = Timeline::new(&evidence).trust;
        assert_eq!(trust.during(&[Kind::Agent], About::default(), (0, 44_000)).count(), 0);
        assert_eq!(trust.during(&[Kind::Agent], About::dependency("postgres"), (50_000, 50_001)).count(), 1);
        // What is about another dependency may have been slow for want of this one.
        assert_eq!(trust.during(&[Kind::Agent], About::dependency("redis"), (50_000, 90_000)).count(), 1);
        assert_eq!(trust.during(&[Kind::Record], About::dependency("redis"), (50_000, 90_000)).count(), 0);
        assert_eq!(trust.during(&[Kind::Record], About::dependency("postgres"), (50_000, 90_000)).count(), 1);
        // What is about no dependency was not read off its record.
        assert_eq!(trust.during(&[Kind::Record], About::default(), (50_000, 90_000)).count(), 0);
    }

    #[test]
    fn of_a_dependency_with_protocol_tcp_only_connections_are_known() {
        let mut evidence = evidence(STANDS, None);
        for fact in &mut evidence.facts {
            if let Fact::Middle(middle) = fact {
                middle.protocol = Protocol::Tcp;
            }
        }
        assert!(why(&evidence).unwrap().contains("only its connections and bytes"));
        let trust = Timeline::new(&evidence).trust;
        assert!(trust.was_connected("postgres").is_ok());
        assert_eq!(
            trust.during(&[Kind::Content], About::default(), (0, 1)).count(),
            0,
            "it disturbs no other"
        );
    }

    #[test]
    fn encryption_hides_what_was_said_and_not_the_connections() {
        let evidence = evidence(STANDS, Some(Trouble::Encrypted));
        let trust = Timeline::new(&evidence).trust;
        assert!(trust.was_read("postgres").is_err());
        assert!(trust.was_connected("postgres").is_ok());
    }
}
