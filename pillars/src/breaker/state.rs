use super::sync::{AtomicU64, Ordering};

/// State of a circuit. The last three are set by hand, for drills, and left by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// No call passes.
    Open,
    /// One call at a time passes, as the trial.
    HalfOpen,
    /// No call passes until another state is set.
    ForcedOpen,
    /// Every call passes, and none is counted: forced closed.
    Disabled,
    /// Every call passes; that the circuit would have opened is only told.
    MetricsOnly,
}

impl State {
    pub(super) const ALL: [Self; 6] =
        [Self::Closed, Self::Open, Self::HalfOpen, Self::ForcedOpen, Self::Disabled, Self::MetricsOnly];

    #[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "for the metrics"))]
    /// Those that nobody sets by hand, from and to.
    pub(super) const TRANSITIONS: [(Self, Self); 4] = [
        (Self::Closed, Self::Open),
        (Self::Open, Self::HalfOpen),
        (Self::HalfOpen, Self::Open),
        (Self::HalfOpen, Self::Closed),
    ];

    /// Name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

/// A state together with the number of transitions that led to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    pub(super) state: State,
    pub(super) generation: u64,
}

/// An [`Epoch`] in one atomic word, so that admission needs no lock. Written only under the gate's lock.
pub(super) struct Word(AtomicU64);

const STATE_BITS: u32 = 3;
const STATE_MASK: u64 = (1 << STATE_BITS) - 1;

impl Word {
    pub(super) fn closed() -> Self {
        Self(AtomicU64::new(State::Closed as u64))
    }

    pub(super) fn load(&self) -> Epoch {
        let word = self.0.load(Ordering::Acquire);
        let state = State::ALL[(word & STATE_MASK) as usize];
        Epoch { state, generation: word >> STATE_BITS }
    }

    pub(super) fn advance(&self, state: State) -> Epoch {
        let generation = self.load().generation + 1;
        self.0.store(generation << STATE_BITS | state as u64, Ordering::Release);
        Epoch { state, generation }
    }
}
