//! The gate under every order of its threads' steps (`loom`), and beside a model that counts by hand.

mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(super) use loom::sync::{Mutex, MutexGuard};
    pub(super) use std::sync::PoisonError;
}
#[allow(dead_code, reason = "the names are not all asked for here")]
mod gate {
    include!("gate.rs");
}
#[allow(dead_code, unreachable_pub, reason = "the names are not all asked for here")]
mod state {
    include!("state.rs");
}
mod window {
    include!("window.rs");
}

use gate::{Gate, Settled};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use state::State;
use window::{Counts, Marks, Window};

const DUE: u64 = 30;

/// What decides here: the first failure opens until `DUE`, a trial closes, or opens until twice that.
fn decide(state: State, failed: bool) -> Option<(State, u64)> {
    match (state, failed) {
        (State::Closed, true) => Some((State::Open, DUE)),
        (State::HalfOpen, true) => Some((State::Open, 2 * DUE)),
        (State::HalfOpen, false) => Some((State::Closed, 0)),
        _ => None,
    }
}

fn opened() -> Gate<()> {
    let gate = Gate::closed(());
    let pass = gate.admit(|| 0, |()| true).expect("closed");
    assert_eq!(
        gate.settle(pass, |(), epoch| decide(epoch.state, true)),
        Settled::Moved(State::Closed, State::Open)
    );
    gate
}

/// Runs two callers at the moment when a trial is due, each `call` on a thread of its own.
fn race(call: fn(&Gate<()>, &AtomicUsize)) {
    loom::model(move || {
        let shared = Arc::new((opened(), AtomicUsize::new(0)));
        let threads = [0, 1].map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || call(&shared.0, &shared.1))
        });
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_trial_that_fails_is_the_only_call_of_its_round() {
    race(|gate, called| {
        if let Ok(pass) = gate.admit(|| DUE, |()| true) {
            assert_eq!(called.fetch_add(1, Ordering::SeqCst), 0, "two calls in one round");
            let settled = gate.settle(pass, |(), epoch| decide(epoch.state, true));
            assert_eq!(settled, Settled::Moved(State::HalfOpen, State::Open));
            gate.admit(|| DUE, |()| true).expect_err("open again, and not due");
        }
    });
}

#[test]
fn at_no_moment_two_trials_run_and_a_cancelled_one_makes_room() {
    race(|gate, running| {
        for _ in 0..2 {
            if let Ok(pass) = gate.admit(|| DUE, |()| true) {
                assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two trials at once");
                running.fetch_sub(1, Ordering::SeqCst);
                drop(pass);
            }
        }
    });
    let gate = || {
        let gate = opened();
        drop(gate.admit(|| DUE, |()| true).expect("the first trial"));
        drop(gate.admit(|| DUE, |()| true).expect("the second, after the first was cancelled"));
    };
    loom::model(gate);
}

#[test]
fn after_a_trial_that_succeeds_everybody_passes() {
    race(|gate, _| {
        if let Ok(pass) = gate.admit(|| DUE, |()| true) {
            gate.settle(pass, |(), epoch| decide(epoch.state, false));
            assert_eq!(gate.state(), State::Closed);
            gate.admit(|| DUE, |()| true).expect("closed");
        }
    });
}

#[test]
fn an_outcome_from_before_a_transition_never_decides() {
    loom::model(|| {
        let gate = Arc::new(Gate::closed(()));
        let failing = [0, 1].map(|_| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                let pass = gate.admit(|| 0, |()| false).ok()?;
                Some(gate.settle(pass, |(), epoch| decide(epoch.state, true)))
            })
        });
        let settled = failing.map(|thread| thread.join().unwrap());
        let moved = settled.iter().flatten().filter(|settled| matches!(settled, Settled::Moved(..))).count();
        assert_eq!(moved, 1, "opened once: {settled:?}");
        assert_eq!(gate.state(), State::Open);
    });
}

#[test]
fn a_state_set_by_hand_is_not_left_by_an_outcome() {
    loom::model(|| {
        let gate = Arc::new(Gate::closed(()));
        let pass_and_fail = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                if let Ok(pass) = gate.admit(|| 0, |()| false) {
                    gate.settle(pass, |(), epoch| decide(epoch.state, true));
                }
            })
        };
        gate.force(State::ForcedOpen, |()| ());
        pass_and_fail.join().unwrap();
        assert_eq!(gate.state(), State::ForcedOpen);
        gate.admit(|| u64::MAX, |()| true).expect_err("forced open");
    });
}

/// Without a lock: whatever the order, what the window holds after a transition is from after it.
#[test]
fn a_success_from_before_a_transition_is_never_counted_after_it() {
    loom::model(|| {
        let shared = Arc::new((Gate::closed(()), Window::new(10)));
        let succeeding = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (gate, window) = &*shared;
                if let Ok(pass) = gate.admit(|| 0, |()| false)
                    && gate.is_counting(&pass)
                {
                    window.add(pass.generation, 0, Marks::default());
                }
            })
        };
        let (gate, window) = &*shared;
        let pass = gate.admit(|| 0, |()| false).expect("closed");
        gate.settle(pass, |(), epoch| decide(epoch.state, true));
        gate.force(State::Closed, |()| ());
        let pass = gate.admit(|| 0, |()| false).expect("closed again");
        let generation = pass.generation;
        window.add(generation, 0, Marks { failed: true, slow: false });
        succeeding.join().unwrap();
        let held = window.counts(generation, 0);
        // The other thread may as well have come after everything.
        assert!(held.failed == 1 && [1, 2].contains(&held.total), "{held:?}");
        assert_eq!(window.counts(generation - 1, 0), Counts::default(), "the window of before is gone");
    });
}
