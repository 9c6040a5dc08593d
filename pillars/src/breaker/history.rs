//! Window and gate beside a model that keeps every call and counts by hand, over random histories on their own clock.

use std::time::Duration;

use super::gate::Gate;
use super::judge::{Ended, Judge};
use super::machine::Machine;
use super::window::{Counts, Marks, Window};
use super::{Class, Config, State};

const HISTORIES: u64 = 1_000_000;
const STEPS: usize = 24;
const OPEN_FOR_MS: u64 = 4_000;
const WINDOW_MS: u64 = 10_000;
const MIN_CALLS: u64 = 4;
const FAILED: Marks = Marks { failed: true, slow: false };

/// The rules of the breaker, as slow and as plain as they can be said.
#[derive(Debug)]
struct Model {
    state: State,
    transitions: u64,
    open_until: u64,
    trial: bool,
    /// When each call ended, and how.
    calls: Vec<(u64, Ended)>,
}

/// A call under way: at which number of transitions it was let in, and whether it is the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticket {
    transitions: u64,
    trial: bool,
}

impl Model {
    fn admit(&mut self, now: u64) -> Option<Ticket> {
        if self.state == State::Closed {
            return Some(Ticket { transitions: self.transitions, trial: false });
        }
        if self.trial || self.state == State::Open && now < self.open_until {
            return None;
        }
        if self.state == State::Open {
            self.move_to(State::HalfOpen);
        }
        self.trial = true;
        Some(Ticket { transitions: self.transitions, trial: true })
    }

    fn settle(&mut self, ticket: Ticket, ended: Ended, now: u64) {
        self.trial &= !ticket.trial;
        if ticket.transitions != self.transitions || ended.class == Class::NotCounted {
            return;
        }
        let is_well = ended.class == Class::Success && !ended.slow;
        match self.state {
            State::HalfOpen if is_well => self.move_to(State::Closed),
            State::HalfOpen => self.open(now),
            _ => {
                self.calls.push((now, ended));
                if !is_well && self.too_many(now) {
                    self.open(now);
                }
            }
        }
    }

    /// At least so many calls in the ten newest buckets of a tenth of the window, and half of them failed, or three quarters
    /// were slow.
    fn too_many(&self, now: u64) -> bool {
        let bucket = WINDOW_MS / 10;
        let oldest = (now / bucket).saturating_sub(9);
        let live: Vec<_> = self.calls.iter().filter(|(at, _)| at / bucket >= oldest).collect();
        let failed = live.iter().filter(|(_, ended)| ended.class == Class::Failure).count();
        let slow = live.iter().filter(|(_, ended)| ended.slow).count();
        live.len() as u64 >= MIN_CALLS && (2 * failed >= live.len() || 4 * slow >= 3 * live.len())
    }

    fn open(&mut self, now: u64) {
        self.open_until = now + OPEN_FOR_MS;
        self.move_to(State::Open);
    }

    fn move_to(&mut self, state: State) {
        self.state = state;
        self.transitions += 1;
        self.calls.clear();
    }
}

const MS: u64 = 1_000_000;

/// Plays one history on both; returns the transitions made.
fn play(seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    // The real parts on the clock of the history; recloser's own wait, whose clock is its own, is nothing.
    let gate = Gate::closed(Machine::new(Duration::ZERO));
    let settings = Config::default().min_calls(MIN_CALLS).slow_rate(0.75);
    let judge = Judge::new(&settings.open_for(Duration::from_millis(OPEN_FOR_MS)));
    let mut model =
        Model { state: State::Closed, transitions: 0, open_until: 0, trial: false, calls: Vec::new() };
    let (mut now, mut running) = (0, Vec::new());
    let (failing, slow) = (random.u64(1..4), random.u64(..4));
    for step in 0..STEPS {
        let longest_pause = random.choice([2, 300, 1_500, 6_000]).expect("four");
        now += random.u64(..longest_pause);
        if running.is_empty() || running.len() < 4 && random.bool() {
            let pass = gate.admit(|| now * MS, Machine::permits).ok();
            let ticket = model.admit(now);
            assert_eq!(pass.is_some(), ticket.is_some(), "seed {seed} step {step}: {model:?}");
            running.extend(pass.zip(ticket));
        } else {
            let (pass, ticket) = running.swap_remove(random.usize(..running.len()));
            let class = match random.u64(..8) {
                0 => Class::NotCounted,
                dice if dice <= 2 * failing => Class::Failure,
                _ => Class::Success,
            };
            let ended = Ended { class, slow: random.u64(..4) < slow };
            judge.settle(&gate, pass, ended, now * MS);
            model.settle(ticket, ended, now);
        }
        assert_eq!(gate.state(), model.state, "seed {seed} step {step}: {model:?}");
    }
    model.transitions
}

#[test]
fn a_million_random_histories_agree_with_counting_by_hand() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = HISTORIES.div_ceil(threads);
    let transitions: u64 = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| scope.spawn(move || (part * share..(part + 1) * share).map(play).sum::<u64>()))
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    assert!(transitions > HISTORIES, "the histories hardly reach a transition: {transitions}");
}

#[test]
fn outcomes_leave_the_window_after_ten_seconds() {
    let window = Window::new(WINDOW_MS * MS);
    for _ in 0..9 {
        window.add(0, 500 * MS, FAILED);
    }
    window.add(0, 9_900 * MS, FAILED);
    assert_eq!(window.counts(0, 9_900 * MS).failed, 10);
    window.add(0, 10_100 * MS, FAILED);
    assert_eq!(window.counts(0, 10_100 * MS), Counts { total: 2, failed: 2, slow: 0 });
    assert_eq!(window.counts(0, 60_000 * MS), Counts::default());
}

#[test]
fn a_transition_empties_the_window_for_good() {
    let window = Window::new(WINDOW_MS * MS);
    window.add(3, 1_000 * MS, FAILED);
    assert_eq!(window.counts(4, 1_000 * MS), Counts::default());
    window.add(4, 1_000 * MS, Marks::default());
    // An outcome that comes late.
    window.add(3, 9_000 * MS, FAILED);
    assert_eq!(window.counts(4, 9_000 * MS), Counts { total: 1, failed: 0, slow: 0 });
}

/// A success that is a moment ahead begins the oldest bucket anew: its failures are as old as its calls.
#[test]
fn the_failures_of_a_bucket_leave_with_its_calls() {
    let window = Window::new(WINDOW_MS * MS);
    (0..100).for_each(|_| window.add(0, 500 * MS, FAILED));
    (0..900).for_each(|_| window.add(0, 500 * MS, Marks::default()));
    window.add(0, 10_000 * MS, Marks::default());
    window.add(0, 9_999 * MS, FAILED);
    assert_eq!(window.counts(0, 9_999 * MS), Counts { total: 1, failed: 1, slow: 0 });
}
