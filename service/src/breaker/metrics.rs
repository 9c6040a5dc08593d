use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric as _, LabelValueEncoder,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::gate::Gate;
use super::machine::Machine;
use super::{Class, State};

/// Metric families of all circuits of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    circuits: Arc<Mutex<Vec<Watched>>>,
    transitions: Family<TransitionLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    not_permitted: Family<NameLabel, Counter>,
    withheld: Family<NameLabel, Counter>,
}

/// The series of one circuit, looked up once: a call costs one addition.
pub(super) struct CircuitMetrics {
    breaker: &'static str,
    transitions: Family<TransitionLabels, Counter>,
    calls: [Counter; Outcome::ALL.len()],
    not_permitted: Counter,
    withheld: Counter,
}

type Watched = (&'static str, Arc<Gate<Machine>>);

/// Reads every circuit at the scrape, so that exactly one of its states is 1 in each.
struct States(Arc<Mutex<Vec<Watched>>>);

/// How a permitted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    Success,
    Failure,
    Deadline,
    /// Dropped by its caller after it had been slow.
    GivenUp,
    /// Dropped before that, or without any news of the dependency.
    NotCounted,
    Panic,
    /// Admitted before the last transition: dropped.
    Late,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabel {
    breaker: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    breaker: &'static str,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransitionLabels {
    breaker: &'static str,
    from: State,
    to: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    breaker: &'static str,
    outcome: Outcome,
}

impl Metrics {
    /// Adds the families to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(States(Arc::clone(&self.circuits))));
        registry.register("breaker_transitions", "Changes of state", self.transitions.clone());
        registry.register("breaker_calls", "Calls that were permitted, by outcome", self.calls.clone());
        registry.register("breaker_not_permitted", "Calls that were not made", self.not_permitted.clone());
        let help = "Openings that metrics_only withheld";
        registry.register("breaker_withheld_openings", help, self.withheld.clone());
    }

    pub(super) fn circuit(&self, breaker: &'static str, gate: &Arc<Gate<Machine>>) -> CircuitMetrics {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner).push((breaker, Arc::clone(gate)));
        let name = NameLabel { breaker };
        // There from the start, so that the first one is an increase.
        for (from, to) in State::TRANSITIONS {
            let _ = self.transitions.get_or_create(&TransitionLabels { breaker, from, to });
        }
        let calls =
            Outcome::ALL.map(|outcome| self.calls.get_or_create_owned(&CallLabels { breaker, outcome }));
        CircuitMetrics {
            breaker,
            transitions: self.transitions.clone(),
            calls,
            not_permitted: self.not_permitted.get_or_create_owned(&name),
            withheld: self.withheld.get_or_create_owned(&name),
        }
    }
}

impl CircuitMetrics {
    pub(super) fn transition(&self, from: State, to: State) {
        self.transitions.get_or_create(&TransitionLabels { breaker: self.breaker, from, to }).inc();
    }

    pub(super) fn call(&self, outcome: Outcome) {
        self.calls[outcome as usize].inc();
    }

    pub(super) fn not_permitted(&self) {
        self.not_permitted.inc();
    }

    pub(super) fn withheld(&self) {
        self.withheld.inc();
    }
}

impl Collector for States {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 for the state the circuit is in, else 0";
        let mut family = encoder.encode_descriptor("breaker_state", help, None, MetricType::Gauge)?;
        for (breaker, gate) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let current = gate.state();
            for state in State::ALL {
                let labels = StateLabels { breaker, state };
                ConstGauge::new(i64::from(state == current)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("States")
    }
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Success,
        Self::Failure,
        Self::Deadline,
        Self::GivenUp,
        Self::NotCounted,
        Self::Panic,
        Self::Late,
    ];

    pub(super) fn class(self) -> Class {
        match self {
            Self::Success => Class::Success,
            Self::Failure | Self::Deadline | Self::GivenUp | Self::Panic => Class::Failure,
            Self::NotCounted | Self::Late => Class::NotCounted,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Deadline => "deadline",
            Self::GivenUp => "given_up",
            Self::NotCounted => "not_counted",
            Self::Panic => "panic",
            Self::Late => "late",
        }
    }
}

impl From<Class> for Outcome {
    fn from(class: Class) -> Self {
        match class {
            Class::Failure => Self::Failure,
            Class::Success => Self::Success,
            Class::NotCounted => Self::NotCounted,
        }
    }
}

impl EncodeLabelValue for State {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        self.as_str().encode(encoder)
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        self.as_str().encode(encoder)
    }
}
