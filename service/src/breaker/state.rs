use std::sync::atomic::{AtomicU64, Ordering};

/// State of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// No call passes.
    Open,
    /// One call at a time passes, as the trial.
    HalfOpen,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A state together with the number of transitions that led to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    pub(super) state: State,
    pub(super) generation: u64,
}

/// An [`Epoch`] in one atomic word, so that admission needs no lock. Written only under the circuit's lock.
#[derive(Default)]
pub(super) struct Word(AtomicU64);

const STATE_BITS: u32 = 2;
const STATE_MASK: u64 = (1 << STATE_BITS) - 1;

impl Word {
    pub(super) fn load(&self) -> Epoch {
        let word = self.0.load(Ordering::Acquire);
        let state = match word & STATE_MASK {
            0 => State::Closed,
            1 => State::Open,
            _ => State::HalfOpen,
        };
        Epoch { state, generation: word >> STATE_BITS }
    }

    pub(super) fn advance(&self, state: State) -> Epoch {
        let generation = self.load().generation + 1;
        let bits = match state {
            State::Closed => 0,
            State::Open => 1,
            State::HalfOpen => 2,
        };
        self.0.store(generation << STATE_BITS | bits, Ordering::Release);
        Epoch { state, generation }
    }
}
