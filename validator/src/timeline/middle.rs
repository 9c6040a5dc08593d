//! What the middle agents could stand before, and what happened to them.

use crate::config::Protocol;
use crate::evidence::{Evidence, Fact, MiddleFact, MiddleTrouble, OutgoingFact, Trouble};

/// All facts of the middle agents themselves, with their lines.
#[derive(Debug, Default)]
pub struct MiddleView<'a> {
    /// Where an agent stood, or why not.
    pub standings: Vec<(usize, &'a MiddleFact)>,
    /// What takes the belief in them away.
    pub troubles: Vec<(usize, &'a MiddleTrouble)>,
    /// Trace contexts of requests to HTTP dependencies.
    pub outgoing: Vec<(usize, &'a OutgoingFact)>,
}

impl<'a> MiddleView<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let mut view = Self::default();
        for (line, fact) in evidence.numbered() {
            match fact {
                Fact::Middle(middle) => view.standings.push((line, middle)),
                Fact::Trouble(trouble) => view.troubles.push((line, trouble)),
                Fact::Outgoing(outgoing) => view.outgoing.push((line, outgoing)),
                _ => {}
            }
        }
        view
    }

    /// Why nothing can be said of a dependency; nothing if an agent stood before it and could read.
    pub fn why_not(&self, dependency: &str) -> Option<String> {
        let standing = self.standings.iter().rfind(|(_, middle)| middle.dependency == dependency);
        let Some((_, standing)) = standing else {
            return Some(format!("no middle agent stood before {dependency}"));
        };
        if let Err(reason) = &standing.standing {
            return Some(format!("no middle agent can stand before {dependency}: {reason}"));
        }
        let mut troubles = self.troubles.iter().filter(|(_, t)| t.dependency == dependency);
        let unreadable = troubles.any(|(_, t)| t.trouble == Trouble::Encrypted);
        // Who speaks TLS to the collector or over HTTP still shows the fate of its connections.
        let counts = matches!(standing.protocol, Protocol::Postgres | Protocol::Redis);
        (unreadable && counts).then(|| format!("the connections to {dependency} are encrypted"))
    }
}

impl super::Timeline<'_> {
    /// Why there is no trace at all.
    pub fn no_traces(&self) -> super::Unmeasured {
        let collector = self.plan().dependencies.iter().find(|d| d.protocol == Protocol::Otlp);
        super::Unmeasured::NotSeen(match collector {
            None => "no collector is declared: add a dependency with protocol otlp".to_owned(),
            Some(dependency) => {
                let reason = self.middle.why_not(&dependency.name);
                reason.unwrap_or_else(|| format!("no span of ours came by on the way to {}", dependency.name))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::MiddleView;
    use crate::config::Protocol;
    use crate::evidence::{Evidence, Fact, MiddleClock, MiddleFact, MiddleTrouble, Trouble};
    use crate::timeline::tests::header;

    fn why_not(standing: Result<MiddleClock, String>, trouble: Option<Trouble>) -> Option<String> {
        let (dependency, service) = ("postgres".to_owned(), "postgres".to_owned());
        let middle = MiddleFact { at: 0, dependency, service, protocol: Protocol::Postgres, standing };
        let trouble = trouble.map(|trouble| MiddleTrouble { at: 1, dependency: "postgres".into(), trouble });
        let facts = [Fact::Middle(middle)].into_iter().chain(trouble.map(Fact::Trouble)).collect();
        MiddleView::new(&Evidence::new(header(), facts)).why_not("postgres")
    }

    #[test]
    fn the_reason_is_told_in_the_words_of_the_one_who_found_it() {
        let clock = MiddleClock { offset_ms: 0.0, uncertainty_ms: 0.1 };
        assert_eq!(why_not(Ok(clock), None), None);
        assert_eq!(why_not(Ok(clock), Some(Trouble::Cut(1))), None);
        assert!(why_not(Ok(clock), Some(Trouble::Encrypted)).unwrap().contains("encrypted"));
        assert!(why_not(Err("it has no selector".into()), None).unwrap().ends_with("it has no selector"));
        assert!(MiddleView::default().why_not("postgres").unwrap().starts_with("no middle agent"));
    }
}
