//! What the middle agents could stand before, and what happened to them.

use super::Unmeasured;
use crate::config::{Dependency, Protocol};
use crate::evidence::{Evidence, Fact, MiddleFact, MiddleTrouble, Millis, OutgoingFact, Trouble};

/// The whole run.
const EVER: (Millis, Millis) = (0, Millis::MAX);

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
    /// The collector past which no span of ours came, although one would have been seen.
    ///
    /// # Errors
    /// Why a span would not have been seen.
    pub fn silent_collector(&self) -> Result<&str, Unmeasured> {
        let collector = self.plan().dependencies.iter().find(|d| d.protocol == Protocol::Otlp);
        let Some(Dependency { name, .. }) = collector else {
            let remedy = "no collector is declared: add a dependency with protocol otlp";
            return Err(Unmeasured::NotSeen(remedy.into()));
        };
        let connections: u32 =
            self.pods.iter().map(|pod| self.calls.of(name, &pod.name).most_open(EVER)).sum();
        let exports: u64 = self.pods.iter().map(|pod| self.calls.of(name, &pod.name).within(EVER)).sum();
        let reason = self.middle.why_not(name).or_else(|| {
            let unread = connections > 0 && exports == 0;
            unread.then(|| format!("what goes to {name} cannot be read: it is no OTLP over plain HTTP/1.1"))
        });
        reason.map_or(Ok(name), |reason| Err(Unmeasured::NotSeen(reason)))
    }

    /// Why there is no trace at all.
    pub fn no_traces(&self) -> Unmeasured {
        let silent = |name: &str| format!("no span of ours came by on the way to {name}");
        self.silent_collector().map_or_else(|why| why, |name| Unmeasured::NotSeen(silent(name)))
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
