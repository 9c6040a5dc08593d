use super::gate::{Gate, Pass, Settled};
use super::machine::Machine;
use super::row::Row;
use super::state::Epoch;
use super::window::{Marks, Window};
use super::{Class, Config, State};

/// What decides on transitions: the window for *closed*, the machine under the gate's lock for the others.
pub(super) struct Judge {
    window: Window,
    /// Nanoseconds of an opening.
    open_for: u64,
    min_calls: u64,
    error_rate: f64,
    slow_rate: Option<f64>,
    row: Option<Row>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) class: Class,
    pub(super) slow: bool,
}

impl Judge {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            window: Window::new(config.window.as_nanos() as u64),
            open_for: config.open_for.as_nanos() as u64,
            min_calls: config.min_calls,
            error_rate: config.error_rate,
            slow_rate: config.slow_rate,
            row: config.failures_in_a_row.map(Row::new),
        }
    }

    /// Counts how the call of `pass` ended at `now`, in nanoseconds.
    ///
    /// A success alone never opens a closed circuit, so it needs no lock, unless it was slow and that counts.
    pub(super) fn settle(&self, gate: &Gate<Machine>, pass: Pass<'_>, ended: Ended, now: u64) -> Settled {
        let ended = Ended { slow: ended.slow && self.slow_rate.is_some(), ..ended };
        if ended.class == Class::Success && !ended.slow && gate.is_counting(&pass) {
            self.count(pass.generation, ended, now);
            return Settled::Counted;
        }
        gate.settle(pass, |machine, epoch| {
            Some((self.decide(machine, epoch, ended, now)?, now + self.open_for))
        })
    }

    /// The state to move to, if any. *Metrics only* moves to itself where a closed circuit would have opened.
    fn decide(&self, machine: &Machine, epoch: Epoch, ended: Ended, now: u64) -> Option<State> {
        let to = match (epoch.state, ended.class) {
            (_, Class::NotCounted) | (State::Open | State::ForcedOpen | State::Disabled, _) => return None,
            (State::Closed | State::MetricsOnly, _) => {
                let in_a_row = self.count(epoch.generation, ended, now);
                // What went well opens nothing.
                if !ended.went_wrong() || !in_a_row && !self.trips(epoch.generation, now) {
                    return None;
                }
                if epoch.state == State::MetricsOnly {
                    return Some(State::MetricsOnly);
                }
                State::Open
            }
            (State::HalfOpen, _) if ended.went_wrong() => State::Open,
            (State::HalfOpen, _) => State::Closed,
        };
        machine.decide(if to == State::Open { Class::Failure } else { Class::Success });
        Some(to)
    }

    /// Whether it completes a row of failures.
    fn count(&self, generation: u64, ended: Ended, now: u64) -> bool {
        let failed = ended.class == Class::Failure;
        self.window.add(generation, now, Marks { failed, slow: ended.slow });
        if !failed {
            self.row.iter().for_each(Row::succeeded);
        }
        failed && self.row.as_ref().is_some_and(|row| row.failed(generation))
    }

    fn trips(&self, generation: u64, now: u64) -> bool {
        let counts = self.window.counts(generation, now);
        let reaches = |part: u64, share: f64| part as f64 >= share * counts.total as f64;
        counts.total >= self.min_calls
            && (reaches(counts.failed, self.error_rate)
                || self.slow_rate.is_some_and(|share| reaches(counts.slow, share)))
    }
}

impl Ended {
    /// Whether it may open the circuit.
    fn went_wrong(self) -> bool {
        self.class == Class::Failure || self.slow
    }
}
