//! The schedules of the classes: when a request is due, and on which connection it goes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link::Link;
use super::pause::Pause;
use super::rates::rate_of;
use super::shooter::Shooter;
use super::turn::{Aim, Turn};
use crate::evidence::Class;

/// Kept connections per busy class and agent: enough to reach every endpoint behind the Service.
const BUSY_LINKS: usize = 12;

/// Requests in flight per class and agent, beyond which a due request is recorded as unsent.
pub(super) const MAX_IN_FLIGHT: usize = 2_000;

/// Longest gap between two uses of an idle connection.
const IDLE_GAP_MAX_S: f64 = 15.0;

/// Shortest gap between two uses of an idle connection.
const IDLE_GAP_MIN_S: f64 = 0.5;

/// Starts every class that the plan has requests for; all end soon after the token is cancelled.
pub(super) fn start(shooter: &Arc<Shooter>, pause: &Pause, stop: &CancellationToken, tasks: &TaskTracker) {
    for class in Class::ALL.into_iter().filter(|class| shooter.serves(*class)) {
        let rate = rate_of(class, shooter.plan.rate, |class| shooter.serves(class));
        for (aim, share) in shooter.at_service(class) {
            if class == Class::Idle {
                start_idle(shooter, &aim, rate * share, pause, stop, tasks);
            } else {
                let (shooter, pause) = (Arc::clone(shooter), pause.clone());
                tasks.spawn(tick(shooter, aim, rate * share, pause, stop.clone(), tasks.clone()));
            }
        }
    }
}

async fn tick(
    shooter: Arc<Shooter>,
    aim: Aim,
    rate: f64,
    pause: Pause,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let slots = Arc::new(Slots((0..BUSY_LINKS).map(|_| Mutex::new(None)).collect()));
    let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let start = Instant::now();
    let phase = fastrand::f64();
    let mut number = 0_usize;
    loop {
        let due = start + Duration::from_secs_f64((number as f64 + phase) / rate);
        if stop.run_until_cancelled(sleep_until(due)).await.is_none() {
            break;
        }
        number += 1;
        if pause.is_on() {
            continue;
        }
        let turn = aim.turn(due);
        shooter.recorder.due(&turn);
        match Arc::clone(&in_flight).try_acquire_owned() {
            Err(_) => shooter.recorder.unsent(&turn),
            Ok(permit) => {
                let (shooter, slots) = (Arc::clone(&shooter), Arc::clone(&slots));
                tasks.spawn(async move {
                    slots.shoot(&shooter, turn, number).await;
                    drop(permit);
                });
            }
        }
    }
    slots.retire(&shooter, aim.class).await;
}

/// The kept connections of one class, each used by one request at a time.
struct Slots(Vec<Mutex<Option<Link>>>);

impl Slots {
    /// Sends a request on a free kept connection, or on one of its own.
    async fn shoot(&self, shooter: &Shooter, turn: Turn, number: usize) {
        let class = turn.aim.class;
        if class.keeps_connections() {
            for step in 0..self.0.len() {
                if let Ok(mut slot) = self.0[(number + step) % self.0.len()].try_lock() {
                    return shooter.shoot(turn, &mut slot).await;
                }
            }
        }
        let mut fresh = None;
        shooter.shoot(turn, &mut fresh).await;
        shooter.retire(class, fresh).await;
    }

    async fn retire(&self, shooter: &Shooter, class: Class) {
        for slot in &self.0 {
            let link = slot.lock().await.take();
            shooter.retire(class, link).await;
        }
    }
}

fn start_idle(
    shooter: &Arc<Shooter>,
    aim: &Aim,
    rate: f64,
    pause: &Pause,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    for number in 0..idle_links(rate, IDLE_GAP_MAX_S) {
        tasks.spawn(idle(Arc::clone(shooter), aim.clone(), (rate, number), pause.clone(), stop.clone()));
    }
}

/// Connections that keep the rate with gaps up to this length.
fn idle_links(rate: f64, longest_gap: f64) -> usize {
    (rate * f64::midpoint(IDLE_GAP_MIN_S, longest_gap)).round().max(1.0) as usize
}

/// The longest gap that the server lets a connection live for.
fn longest_gap(shooter: &Shooter) -> f64 {
    let longest = shooter.idle.longest().map_or(IDLE_GAP_MAX_S, |longest| longest.as_secs_f64());
    longest.clamp(IDLE_GAP_MIN_S, IDLE_GAP_MAX_S)
}

async fn idle(
    shooter: Arc<Shooter>,
    aim: Aim,
    (rate, number): (f64, usize),
    pause: Pause,
    stop: CancellationToken,
) {
    let mut link = None;
    // The first use comes anywhere in a gap, so that the class starts at its rate.
    let mut due = Instant::now() + Duration::from_secs_f64(fastrand::f64() * IDLE_GAP_MAX_S / 2.0);
    while stop.run_until_cancelled(sleep_until(due)).await.is_some() {
        if !pause.is_on() {
            let turn = aim.turn(due);
            shooter.recorder.due(&turn);
            shooter.shoot(turn, &mut link).await;
        }
        let longest = longest_gap(&shooter);
        if number >= idle_links(rate, longest) {
            break; // shorter gaps need fewer connections for the same rate
        }
        let gap = IDLE_GAP_MIN_S + fastrand::f64() * (longest - IDLE_GAP_MIN_S);
        due = Instant::now() + Duration::from_secs_f64(gap);
    }
    shooter.retire(Class::Idle, link).await;
}
