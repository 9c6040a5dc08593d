use super::state::{Epoch, State, Word};
use super::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

/// Decides who passes, on one atomic word; transitions are made under the lock of the machine.
///
/// Its file is compiled a second time by the model test, with the primitives of `loom`. Hence no clock of its own:
/// times are nanoseconds on whatever clock the caller has.
pub(super) struct Gate<M> {
    word: Word,
    /// End of the open period. Written before the word says *open*.
    open_until: AtomicU64,
    trial_running: AtomicBool,
    /// Held for a few additions, never across an await.
    machine: Mutex<M>,
}

/// The right to make one call.
#[derive(Debug)]
pub(super) struct Pass<'gate> {
    /// The number of transitions before the call; its outcome counts only if there has been none since.
    pub(super) generation: u64,
    /// Whether this is the call that turned *open* into *half-open*.
    pub(super) opened_trial: bool,
    _slot: Option<Slot<'gate>>,
}

/// Why a call does not pass.
#[derive(Debug)]
pub(super) enum Refusal {
    /// For so many nanoseconds more.
    For(u64),
    /// A trial is running or about to.
    Trial,
    /// Until somebody says otherwise.
    Forced,
}

/// What the outcome of a call did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It came after a transition, and nobody looked at it.
    Late,
    Counted,
    Moved(State, State),
}

impl<M> Gate<M> {
    pub(super) fn closed(machine: M) -> Self {
        Self {
            word: Word::closed(),
            open_until: AtomicU64::new(0),
            trial_running: AtomicBool::new(false),
            machine: Mutex::new(machine),
        }
    }

    pub(super) fn state(&self) -> State {
        self.word.load().state
    }

    /// Asks for a pass. `now` is called, and `due` asks the machine whether the open period is over, only if not closed.
    pub(super) fn admit(
        &self,
        now: impl FnOnce() -> u64,
        due: impl FnOnce(&M) -> bool,
    ) -> Result<Pass<'_>, Refusal> {
        let epoch = self.word.load();
        match epoch.state {
            State::Closed | State::Disabled | State::MetricsOnly => Ok(Pass::free(epoch)),
            State::ForcedOpen => Err(Refusal::Forced),
            State::HalfOpen => self.admit_trial(now(), due),
            State::Open => {
                let now = now();
                self.wait_is_over(now)?;
                self.admit_trial(now, due)
            }
        }
    }

    fn wait_is_over(&self, now: u64) -> Result<(), Refusal> {
        match self.open_until.load(Ordering::Acquire).saturating_sub(now) {
            0 => Ok(()),
            rest => Err(Refusal::For(rest)),
        }
    }

    fn admit_trial(&self, now: u64, due: impl FnOnce(&M) -> bool) -> Result<Pass<'_>, Refusal> {
        let slot = Slot::take(&self.trial_running).ok_or(Refusal::Trial)?;
        let machine = self.lock();
        let epoch = self.word.load();
        match epoch.state {
            // The last trial ended between our look and our slot.
            State::Closed | State::Disabled | State::MetricsOnly => Ok(Pass::free(epoch)),
            State::ForcedOpen => Err(Refusal::Forced),
            State::HalfOpen => Ok(Pass::trial(epoch, slot, false)),
            State::Open => {
                // It may have opened again since our look.
                self.wait_is_over(now)?;
                if !due(&machine) {
                    return Err(Refusal::Trial);
                }
                Ok(Pass::trial(self.word.advance(State::HalfOpen), slot, true))
            }
        }
    }

    /// Whether outcomes are counted, and the one of `pass` belongs to them, as far as a look without the lock tells.
    pub(super) fn is_counting(&self, pass: &Pass<'_>) -> bool {
        let epoch = self.word.load();
        epoch.generation == pass.generation && matches!(epoch.state, State::Closed | State::MetricsOnly)
    }

    /// Hands the outcome of a call to `decide`, which returns the state to move to, and for *open* until when.
    pub(super) fn settle(
        &self,
        pass: Pass<'_>,
        decide: impl FnOnce(&M, Epoch) -> Option<(State, u64)>,
    ) -> Settled {
        let machine = self.lock();
        let epoch = self.word.load();
        let settled = if epoch.generation != pass.generation {
            Settled::Late
        } else if let Some((to, until)) = decide(&machine, epoch) {
            self.move_to(to, until);
            Settled::Moved(epoch.state, to)
        } else {
            Settled::Counted
        };
        drop(machine);
        // The slot of a trial ends here, after the state it decided.
        drop(pass);
        settled
    }

    /// Moves to `to` whatever the state is, after `prepare`; returns the state before, `None` if it was the same. A closed
    /// circuit that is closed begins anew.
    pub(super) fn force(&self, to: State, prepare: impl FnOnce(&mut M)) -> Option<State> {
        let mut machine = self.lock();
        let from = self.state();
        if from == to && to != State::Closed {
            return None;
        }
        prepare(&mut machine);
        self.move_to(to, 0);
        (from != to).then_some(from)
    }

    fn move_to(&self, to: State, until: u64) {
        self.open_until.store(until, Ordering::Release);
        self.word.advance(to);
    }

    fn lock(&self) -> MutexGuard<'_, M> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'gate> Pass<'gate> {
    fn free(epoch: Epoch) -> Self {
        Self { generation: epoch.generation, opened_trial: false, _slot: None }
    }

    fn trial(epoch: Epoch, slot: Slot<'gate>, opened_trial: bool) -> Self {
        Self { generation: epoch.generation, opened_trial, _slot: Some(slot) }
    }
}

/// The only place for a trial; dropping it makes room for the next.
#[derive(Debug)]
struct Slot<'gate>(&'gate AtomicBool);

impl<'gate> Slot<'gate> {
    fn take(running: &'gate AtomicBool) -> Option<Self> {
        let taken = running.swap(true, Ordering::AcqRel);
        (!taken).then(|| Self(running))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
