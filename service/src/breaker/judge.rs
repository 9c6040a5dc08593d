use std::time::Duration;

use super::machine::Machine;
use super::window::Window;
use super::{Args, Class, State};

/// What decides on transitions: the window for *closed*, the machine for the others.
pub(super) struct Judge {
    window: Window,
    machine: Machine,
    min_calls: u64,
    error_rate: f64,
    open_for: Duration,
}

/// What an outcome means for the circuit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Stay,
    Move(State),
    /// Under *metrics only*: it would have opened.
    WouldOpen,
}

impl Judge {
    pub(super) fn new(args: &Args) -> Self {
        Self {
            window: Window::new(args.breaker_window),
            machine: Machine::new(args.breaker_open_for),
            min_calls: args.breaker_min_calls,
            error_rate: args.breaker_error_rate,
            open_for: args.breaker_open_for,
        }
    }

    /// Whether a trial is due; turns the machine from *open* to *half-open* if it is.
    pub(super) fn is_due(&self) -> bool {
        self.machine.permits()
    }

    /// Counts one outcome at `now`, since the start of the clock.
    pub(super) fn count(&mut self, state: State, class: Class, now: Duration) -> Verdict {
        match (state, class) {
            (_, Class::NotCounted) | (State::Open | State::ForcedOpen | State::Disabled, _) => Verdict::Stay,
            (State::Closed | State::MetricsOnly, _) => match self.trips(class, now) {
                false => Verdict::Stay,
                true if state == State::MetricsOnly => {
                    self.window.clear();
                    Verdict::WouldOpen
                }
                true => self.decide(State::Open, class),
            },
            (State::HalfOpen, Class::Failure) => self.decide(State::Open, class),
            (State::HalfOpen, Class::Success) => self.decide(State::Closed, class),
        }
    }

    /// Forgets everything, as a circuit that has just been made.
    pub(super) fn reset(&mut self) {
        self.window.clear();
        self.machine = Machine::new(self.open_for);
    }

    fn trips(&mut self, class: Class, now: Duration) -> bool {
        let counts = self.window.record(now, class == Class::Failure);
        class == Class::Failure
            && counts.total >= self.min_calls
            && counts.failed as f64 >= self.error_rate * counts.total as f64
    }

    fn decide(&mut self, to: State, class: Class) -> Verdict {
        self.machine.decide(class);
        self.window.clear();
        Verdict::Move(to)
    }
}
