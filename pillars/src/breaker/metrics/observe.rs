use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::{CALLS, COUNTS, Circuit, Metrics, Outcome, STATE, State, TRANSITIONS, transitions};

impl Metrics {
    /// The same families for `meter`, with a dot behind `breaker`; read at each export.
    pub fn observe(&self, meter: &Meter) {
        self.observe_states(meter);
        self.observe_calls(meter);
        for (name, help, count) in COUNTS {
            let families = self.clone();
            meter
                .u64_observable_counter(format!("breaker.{name}"))
                .with_description(help)
                .with_callback(move |counter| {
                    for circuit in families.circuits().iter() {
                        counter.observe(count(&circuit.tally), &[label(circuit)]);
                    }
                })
                .build();
        }
    }

    fn observe_states(&self, meter: &Meter) {
        let families = self.clone();
        meter
            .u64_observable_gauge("breaker.state")
            .with_description(STATE)
            .with_callback(move |gauge| {
                for circuit in families.circuits().iter() {
                    let current = circuit.state();
                    for state in State::ALL {
                        let labels = [label(circuit), KeyValue::new("state", state.as_str())];
                        gauge.observe(u64::from(state == current), &labels);
                    }
                }
            })
            .build();
        let families = self.clone();
        meter
            .u64_observable_counter("breaker.transitions")
            .with_description(TRANSITIONS)
            .with_callback(move |counter| {
                for circuit in families.circuits().iter() {
                    for (from, to, count) in transitions(circuit) {
                        let (from, to) = (from.as_str(), to.as_str());
                        let labels = [label(circuit), KeyValue::new("from", from), KeyValue::new("to", to)];
                        counter.observe(count, &labels);
                    }
                }
            })
            .build();
    }

    fn observe_calls(&self, meter: &Meter) {
        let families = self.clone();
        meter
            .u64_observable_counter("breaker.calls")
            .with_description(CALLS)
            .with_callback(move |counter| {
                for circuit in families.circuits().iter() {
                    for outcome in Outcome::ALL {
                        let labels = [label(circuit), KeyValue::new("outcome", outcome.as_str())];
                        counter.observe(circuit.tally.calls(outcome), &labels);
                    }
                }
            })
            .build();
    }
}

fn label(circuit: &Circuit) -> KeyValue {
    KeyValue::new("breaker", circuit.name().to_owned())
}
