use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Class, State};

/// Metric families of all circuits of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    state: Family<StateLabels, Gauge>,
    transitions: Family<TransitionLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    not_permitted: Family<NameLabel, Counter>,
}

/// How a permitted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    Success,
    Failure,
    Deadline,
    NotCounted,
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
        registry.register("breaker_state", "1 for the state the circuit is in, else 0", self.state.clone());
        registry.register("breaker_transitions", "Changes of state", self.transitions.clone());
        registry.register("breaker_calls", "Calls that were permitted, by outcome", self.calls.clone());
        registry.register("breaker_not_permitted", "Calls that were not made", self.not_permitted.clone());
    }

    pub(super) fn enter(&self, breaker: &'static str, current: State) {
        for state in State::ALL {
            self.state.get_or_create(&StateLabels { breaker, state }).set(i64::from(state == current));
        }
    }

    pub(super) fn transition(&self, breaker: &'static str, from: State, to: State) {
        self.enter(breaker, to);
        self.transitions.get_or_create(&TransitionLabels { breaker, from, to }).inc();
    }

    pub(super) fn call(&self, breaker: &'static str, outcome: Outcome) {
        self.calls.get_or_create(&CallLabels { breaker, outcome }).inc();
    }

    pub(super) fn not_permitted(&self, breaker: &'static str) {
        self.not_permitted.get_or_create(&NameLabel { breaker }).inc();
    }
}

impl Outcome {
    pub(super) fn class(self) -> Class {
        match self {
            Self::Success => Class::Success,
            Self::Failure | Self::Deadline => Class::Failure,
            Self::NotCounted | Self::Late => Class::NotCounted,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Deadline => "deadline",
            Self::NotCounted => "not_counted",
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
