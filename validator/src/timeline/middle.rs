//! What the middle agents could stand before, and what happened to them.

use std::collections::BTreeMap;

use super::Unmeasured;
use crate::config::{Dependency, Protocol};
use crate::evidence::{Evidence, ExportFact, Fact, MiddleFact, MiddleTrouble, Millis, OutgoingFact};

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
}

impl super::Timeline<'_> {
    /// The collector whose agent has seen, and read, whatever the pods exported.
    ///
    /// # Errors
    /// Why a span would not have been seen.
    pub fn read_collector(&self) -> Result<&str, Unmeasured> {
        let of_kind = |d: &&Dependency| d.protocol == Protocol::Otlp;
        let mut collectors = self.plan().dependencies.iter().filter(of_kind);
        collectors.clone().try_for_each(|d| self.trust.was_read(&d.name))?;
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
