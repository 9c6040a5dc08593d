use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::circuit::Circuit;
use super::tally::Outcome;
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

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let circuits = self.circuits();
        let help = "1 for the state the circuit is in, else 0";
        let mut family = encoder.encode_descriptor("breaker_state", help, None, MetricType::Gauge)?;
        // Exactly one state is 1 in each scrape.
        for circuit in circuits.iter() {
            let current = circuit.state();
            for state in State::ALL {
                let labels = [("breaker", circuit.name()), ("state", state.as_str())];
                ConstGauge::new(i64::from(state == current)).encode(family.encode_family(&labels)?)?;
            }
        }
        let counter = MetricType::Counter;
        let mut family =
            encoder.encode_descriptor("breaker_transitions", "Changes of state", None, counter)?;
        for circuit in circuits.iter() {
            for (from, to, count) in transitions(circuit) {
                let labels = [("breaker", circuit.name()), ("from", from.as_str()), ("to", to.as_str())];
                put(family.encode_family(&labels)?, count)?;
            }
        }
        let help = "Calls that were permitted, by outcome";
        let mut family = encoder.encode_descriptor("breaker_calls", help, None, counter)?;
        for circuit in circuits.iter() {
            for outcome in Outcome::ALL {
                let labels = [("breaker", circuit.name()), ("outcome", outcome.as_str())];
                put(family.encode_family(&labels)?, circuit.tally.calls(outcome))?;
            }
        }
        let help = "Calls that were not made";
        let mut family = encoder.encode_descriptor("breaker_not_permitted", help, None, counter)?;
        for circuit in circuits.iter() {
            let labels = [("breaker", circuit.name())];
            put(family.encode_family(&labels)?, circuit.tally.not_permitted_calls())?;
        }
        let help = "Calls that were not made because as many as may were under way";
        let mut family = encoder.encode_descriptor("breaker_full", help, None, counter)?;
        for circuit in circuits.iter() {
            let labels = [("breaker", circuit.name())];
            put(family.encode_family(&labels)?, circuit.tally.full_calls())?;
        }
        let help = "Calls that took long enough to be slow";
        let mut family = encoder.encode_descriptor("breaker_slow_calls", help, None, counter)?;
        for circuit in circuits.iter() {
            let labels = [("breaker", circuit.name())];
            put(family.encode_family(&labels)?, circuit.tally.slow_calls())?;
        }
        let help = "Openings that metrics_only withheld";
        let mut family = encoder.encode_descriptor("breaker_withheld_openings", help, None, counter)?;
        for circuit in circuits.iter() {
            let labels = [("breaker", circuit.name())];
            put(family.encode_family(&labels)?, circuit.tally.withheld_openings())?;
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
