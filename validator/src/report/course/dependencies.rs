//! Each dependency as its agent saw it: calls per second, faults, and the circuits before it.

use super::{Axis, Stretch};
use crate::config::Protocol;
use crate::evidence::{Fault, FaultFact};
use crate::timeline::{Circuit, Opening, Timeline};

/// One dependency.
#[derive(Clone, Debug, PartialEq)]
pub struct DependencyTrack {
    /// Its name.
    pub name: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// Calls of all pods per second, by column.
    pub calls: Vec<f64>,
    /// What was done to its callers, by begin.
    pub faults: Vec<FaultBar>,
    /// The circuit of each pod before it, as far as it was put under test.
    pub circuits: Vec<CircuitLane>,
}

/// One fault on one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultBar {
    /// The pod.
    pub pod: String,
    /// Name of the fault.
    pub kind: &'static str,
    /// When, and in words.
    pub stretch: Stretch,
}

/// The circuit of one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitLane {
    /// The pod.
    pub pod: String,
    /// Its states, in order.
    pub states: Vec<(CircuitState, Stretch)>,
}

/// What is known of a circuit from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// Calls reach the dependency.
    Closed,
    /// None does.
    Open,
    /// One is let through.
    HalfOpen,
    /// It should have opened, and requests went on waiting.
    StaysClosed,
}

impl CircuitState {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open: one trial call",
            Self::StaysClosed => "never opened",
        }
    }
}

pub(super) fn tracks(timeline: &Timeline, axis: Axis) -> Vec<DependencyTrack> {
    timeline
        .plan()
        .dependencies
        .iter()
        .map(|dependency| DependencyTrack {
            name: dependency.name.clone(),
            protocol: dependency.protocol,
            calls: calls(timeline, &dependency.name, axis),
            faults: faults(timeline, &dependency.name, axis),
            circuits: timeline
                .circuits
                .iter()
                .filter(|circuit| circuit.dependency == dependency.name)
                .filter_map(|circuit| lane(circuit, axis))
                .collect(),
        })
        .collect()
}

fn calls(timeline: &Timeline, dependency: &str, axis: Axis) -> Vec<f64> {
    let mut columns = vec![0.0; axis.columns];
    for pod in &timeline.pods {
        for (_, call) in timeline.calls.of(dependency, &pod.name).seconds((axis.started, i64::MAX)) {
            if let Some(column) = axis.column(call.at) {
                columns[column] += f64::from(call.total()) / axis.column_s;
            }
        }
    }
    columns
}

fn faults(timeline: &Timeline, dependency: &str, axis: Axis) -> Vec<FaultBar> {
    let mine = timeline.faults.all.iter().filter(|(_, fault)| fault.dependency == dependency);
    mine.map(|(_, fault)| FaultBar {
        pod: fault.pod.clone(),
        kind: fault.fault.name(),
        stretch: axis.stretch((fault.began, fault.ended), told(fault)),
    })
    .collect()
}

fn told(fault: &FaultFact) -> String {
    let what = match &fault.fault {
        Fault::Hang => "every statement waits".to_owned(),
        Fault::Stall => "every byte waits".to_owned(),
        Fault::Hold { hold_ms, .. } => format!("some answers are held for {hold_ms} ms"),
        Fault::Trial { .. } => "one trial call is watched".to_owned(),
        Fault::Fail { share_percent, .. } => format!("{share_percent} % of the calls fail"),
        Fault::Slow { delay_ms } => format!("every call takes {delay_ms} ms more"),
        Fault::Miss => "every read of the cache misses".to_owned(),
        Fault::Refuse => "connections are refused".to_owned(),
        Fault::Reset => "connections are reset".to_owned(),
        Fault::Silence => "nothing is passed on".to_owned(),
    };
    let took = (fault.ended - fault.began) as f64 / 1000.0;
    format!("{}: {what}, {took:.1} s, met {} times", fault.fault.name(), fault.hits)
}

fn lane(circuit: &Circuit, axis: Axis) -> Option<CircuitLane> {
    let began = circuit.hang.began;
    let state = |state: CircuitState, from, to| (state, axis.stretch((from, to), state.name()));
    let mut states = match circuit.opening {
        Opening::Unseen(_) => return None,
        Opening::Never => vec![state(CircuitState::StaysClosed, began, circuit.hang.ended)],
        Opening::At(opened) => vec![state(CircuitState::Closed, began, opened.last)],
    };
    let mut open = circuit.opened().map(|opened| opened.last);
    for held in circuit.trials.iter().filter_map(|trial| trial.fact.held.first()) {
        if let Some(since) = open {
            states.push(state(CircuitState::Open, since, held.from));
        }
        states.push(state(CircuitState::HalfOpen, held.from, held.to));
        open = held.given_up.then_some(held.to);
        if !held.given_up {
            states.push(state(CircuitState::Closed, held.to, held.to + 3_000));
        }
    }
    if let Some(since) = open {
        states.push(state(CircuitState::Open, since, circuit.hang.ended.max(since)));
    }
    Some(CircuitLane { pod: circuit.pod.to_owned(), states })
}
