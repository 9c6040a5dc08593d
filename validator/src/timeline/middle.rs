//! What the middle agents could stand before, and what happened to them.

use std::collections::BTreeMap;

use super::Unmeasured;
use crate::config::{Dependency, Protocol};
use crate::evidence::{Evidence, ExportFact, Fact, MiddleFact, MiddleTrouble, Millis, OutgoingFact, Trouble};

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
    /// Exports that the collector did not take.
    pub refused: Vec<(usize, &'a ExportFact)>,
}

impl<'a> MiddleView<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let mut view = Self::default();
        for (line, fact) in evidence.numbered() {
            match fact {
                Fact::Middle(middle) => view.standings.push((line, middle)),
                Fact::Trouble(trouble) => view.troubles.push((line, trouble)),
                Fact::Outgoing(outgoing) => view.outgoing.push((line, outgoing)),
                Fact::Export(export) => view.refused.push((line, export)),
                _ => {}
            }
        }
        view
    }

    /// Why nothing can be said of what the target told a dependency, or was told; nothing if an agent stood before it,
    /// undisturbed, and could read. A record with a hole in it is none: what is missing would be held against the target.
    pub fn why_not(&self, dependency: &str) -> Option<String> {
        self.disbelief(dependency, |_| true).or_else(|| self.only_bytes(dependency))
    }

    /// Of a dependency with protocol tcp nothing that is said is read.
    fn only_bytes(&self, dependency: &str) -> Option<String> {
        let mut standings = self.standings.iter().map(|(_, middle)| middle);
        let tcp = standings.any(|m| m.dependency == dependency && m.protocol == Protocol::Tcp);
        tcp.then(|| format!("{dependency}: with protocol tcp only its connections and bytes are known"))
    }

    /// What the collector did not take, by what was asked and answered, the most frequent first, with its lines.
    pub fn refusals(&self) -> Vec<(String, Vec<usize>)> {
        let mut by_text: BTreeMap<String, (u32, Vec<usize>)> = BTreeMap::new();
        for (line, export) in &self.refused {
            let (exports, lines) = by_text.entry(export.to_string()).or_default();
            *exports += export.exports;
            lines.push(*line);
        }
        let mut all: Vec<_> = by_text.into_iter().collect();
        all.sort_by_key(|(_, (exports, _))| std::cmp::Reverse(*exports));
        let told = |(text, (exports, lines))| (format!("{text} ({exports} exports)"), lines);
        all.into_iter().map(told).collect()
    }

    /// Why not even the connections to a dependency are known, and what was done to them.
    pub fn why_no_connections(&self, dependency: &str) -> Option<String> {
        self.disbelief(dependency, |trouble| !trouble.hides_only_content())
    }

    fn disbelief(&self, dependency: &str, heeded: fn(&Trouble) -> bool) -> Option<String> {
        let standing = self.standings.iter().rfind(|(_, middle)| middle.dependency == dependency);
        let Some((_, standing)) = standing else {
            return Some(format!("no middle agent stood before {dependency}"));
        };
        if let Err(reason) = &standing.standing {
            return Some(format!("no middle agent can stand before {dependency}: {reason}"));
        }
        let mine = self.troubles.iter().map(|(_, t)| t).filter(|t| t.dependency == dependency);
        let told = mine.filter(|t| heeded(&t.trouble)).map(|t| t.trouble.disbelief()).next();
        told.map(|told| format!("{dependency}: {told}"))
    }
}

impl super::Timeline<'_> {
    /// The collector whose agent has seen, and read, whatever the pods exported.
    ///
    /// # Errors
    /// Why a span would not have been seen.
    pub fn read_collector(&self) -> Result<&str, Unmeasured> {
        let of_kind = |d: &&Dependency| d.protocol == Protocol::Otlp;
        let mut collectors = self.plan().dependencies.iter().filter(of_kind);
        if let Some(reason) = collectors.clone().find_map(|d| self.middle.why_not(&d.name)) {
            return Err(Unmeasured::NotSeen(reason));
        }
        let Some(Dependency { name, .. }) = collectors.next() else {
            let remedy = "no collector is declared: add a dependency with protocol otlp";
            return Err(Unmeasured::NotSeen(remedy.into()));
        };
        Ok(name)
    }

    /// The collector past which no span of ours came, although one would have been seen.
    ///
    /// # Errors
    /// Why a span would not have been seen.
    pub fn silent_collector(&self) -> Result<&str, Unmeasured> {
        let name = self.read_collector()?;
        let connections: u32 =
            self.pods.iter().map(|pod| self.calls.of(name, &pod.name).most_open(EVER)).sum();
        let exports: u64 = self.pods.iter().map(|pod| self.calls.of(name, &pod.name).within(EVER)).sum();
        if connections > 0 && exports == 0 {
            let unread = format!("what goes to {name} cannot be read: it is no OTLP over plain HTTP");
            return Err(Unmeasured::NotSeen(unread));
        }
        Ok(name)
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

    #[test]
    fn of_a_dependency_with_protocol_tcp_only_connections_are_known() {
        let clock = MiddleClock { offset_ms: 0.0, uncertainty_ms: 0.1 };
        let (dependency, service) = ("queue".to_owned(), "queue".to_owned());
        let standing = Ok(clock);
        let middle = MiddleFact { at: 0, dependency, service, protocol: Protocol::Tcp, standing };
        let evidence = Evidence::new(header(), vec![Fact::Middle(middle)]);
        let view = MiddleView::new(&evidence);
        assert!(view.why_not("queue").unwrap().contains("only its connections and bytes"));
        assert_eq!(view.why_no_connections("queue"), None);
    }

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
        let disturbed = [
            Trouble::Encrypted,
            Trouble::FailedOpen,
            Trouble::Lost("its pod is gone".into()),
            Trouble::Unread("it is HTTP/2".into()),
            Trouble::Incomplete("too many spans".into()),
        ];
        for trouble in disturbed {
            let told = why_not(Ok(clock), Some(trouble.clone())).unwrap();
            assert_eq!(told, format!("postgres: {}", trouble.disbelief()));
        }
        assert!(why_not(Err("it is not TCP".into()), None).unwrap().ends_with("it is not TCP"));
        assert!(MiddleView::default().why_not("postgres").unwrap().starts_with("no middle agent"));
    }
}
