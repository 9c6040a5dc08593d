use super::gate::{Gate, Pass, Settled};
use super::machine::Machine;
use super::row::Row;
use super::state::Epoch;
use super::window::Window;
use super::{Class, Config, State};

/// What decides on transitions: the window for *closed*, the machine under the gate's lock for the others.
pub(super) struct Judge {
    window: Window,
    min_calls: u64,
    error_rate: f64,
    row: Option<Row>,
}

impl Judge {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            window: Window::new(config.window.as_nanos() as u64),
            min_calls: config.min_calls,
            error_rate: config.error_rate,
            row: config.failures_in_a_row.map(Row::new),
        }
    }

    /// Counts how the call of `pass` ended at `now`; an opening lasts until `open_until`. Nanoseconds, both.
    ///
    /// A success alone never opens a closed circuit, so it needs no lock.
    pub(super) fn settle(
        &self,
        gate: &Gate<Machine>,
        pass: Pass<'_>,
        class: Class,
        now: u64,
        open_until: u64,
    ) -> Settled {
        if class == Class::Success && gate.is_counting(&pass) {
            self.window.add(pass.generation, now, false);
            self.row.iter().for_each(Row::succeeded);
            return Settled::Counted;
        }
        gate.settle(pass, |machine, epoch| Some((self.decide(machine, epoch, class, now)?, open_until)))
    }

    /// The state to move to, if any. *Metrics only* moves to itself where a closed circuit would have opened.
    fn decide(&self, machine: &Machine, epoch: Epoch, class: Class, now: u64) -> Option<State> {
        let to = match (epoch.state, class) {
            (_, Class::NotCounted) | (State::Open | State::ForcedOpen | State::Disabled, _) => return None,
            (State::Closed | State::MetricsOnly, _) => {
                self.window.add(epoch.generation, now, class == Class::Failure);
                if class == Class::Success {
                    self.row.iter().for_each(Row::succeeded);
                    return None;
                }
                let in_a_row = self.row.as_ref().is_some_and(|row| row.failed(epoch.generation));
                if !in_a_row && !self.trips(epoch.generation, now) {
                    return None;
                }
                if epoch.state == State::MetricsOnly {
                    return Some(State::MetricsOnly);
                }
                State::Open
            }
            (State::HalfOpen, Class::Failure) => State::Open,
            (State::HalfOpen, Class::Success) => State::Closed,
        };
        machine.decide(class);
        Some(to)
    }

    fn trips(&self, generation: u64, now: u64) -> bool {
        let counts = self.window.counts(generation, now);
        counts.total >= self.min_calls && counts.failed as f64 >= self.error_rate * counts.total as f64
    }
}
