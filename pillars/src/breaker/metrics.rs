#[cfg(feature = "otlp-metrics")]
mod observe;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::circuit::Circuit;
use super::tally::{Outcome, Tally};
use super::{Breaker, State};

/// Metric families of all circuits of a process, read at each scrape. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Vec<Arc<Circuit>>>>);

impl Metrics {
    /// Adds a circuit. Its name is its label, so that two of the same name would be one series. It is kept as long
    /// as the families are: this is for circuits that live as long as the process.
    pub fn watch(&self, breaker: &Breaker) {
        self.circuits().push(Arc::clone(&breaker.circuit));
    }

    /// Adds the families to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }

    fn circuits(&self) -> MutexGuard<'_, Vec<Arc<Circuit>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a circuit has one counter of: its name behind `breaker_`, what it counts, and where that stands.
type Count = (&'static str, &'static str, fn(&Tally) -> u64);

const COUNTS: [Count; 4] = [
    ("not_permitted", "Calls that were not made", Tally::not_permitted_calls),
    ("full", "Calls that were not made because as many as may were under way", Tally::full_calls),
    ("slow_calls", "Calls that took long enough to be slow", Tally::slow_calls),
    ("withheld_openings", "Openings that metrics_only withheld", Tally::withheld_openings),
];
const STATE: &str = "1 for the state the circuit is in, else 0";
const TRANSITIONS: &str = "Changes of state";
const CALLS: &str = "Calls that were permitted, by outcome";

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let circuits = self.circuits();
        let mut family = encoder.encode_descriptor("breaker_state", STATE, None, MetricType::Gauge)?;
        // Exactly one state is 1 in each scrape.
        for circuit in circuits.iter() {
            let current = circuit.state();
            for state in State::ALL {
                let labels = [("breaker", circuit.name()), ("state", state.as_str())];
                ConstGauge::new(i64::from(state == current)).encode(family.encode_family(&labels)?)?;
            }
        }
        let counter = MetricType::Counter;
        let mut family = encoder.encode_descriptor("breaker_transitions", TRANSITIONS, None, counter)?;
        for circuit in circuits.iter() {
            for (from, to, count) in transitions(circuit) {
                let labels = [("breaker", circuit.name()), ("from", from.as_str()), ("to", to.as_str())];
                put(family.encode_family(&labels)?, count)?;
            }
        }
        let mut family = encoder.encode_descriptor("breaker_calls", CALLS, None, counter)?;
        for circuit in circuits.iter() {
            for outcome in Outcome::ALL {
                let labels = [("breaker", circuit.name()), ("outcome", outcome.as_str())];
                put(family.encode_family(&labels)?, circuit.tally.calls(outcome))?;
            }
        }
        for (name, help, count) in COUNTS {
            let name = format!("breaker_{name}");
            let mut family = encoder.encode_descriptor(&name, help, None, counter)?;
            for circuit in circuits.iter() {
                let labels = [("breaker", circuit.name())];
                put(family.encode_family(&labels)?, count(&circuit.tally))?;
            }
        }
        Ok(())
    }
}

fn put(encoder: MetricEncoder<'_>, count: u64) -> fmt::Result {
    ConstCounter::new(count).encode(encoder)
}

/// Those that nobody sets by hand are there from the start, so that the first one is an increase.
fn transitions(circuit: &Circuit) -> impl Iterator<Item = (State, State, u64)> {
    let pairs = State::ALL.into_iter().flat_map(|from| State::ALL.into_iter().map(move |to| (from, to)));
    let counted = pairs.map(|(from, to)| (from, to, circuit.tally.transitions(from, to)));
    counted.filter(|(from, to, count)| *count > 0 || State::TRANSITIONS.contains(&(*from, *to)))
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}
