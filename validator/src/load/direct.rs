//! Requests to single pods, past the Service: their answers can be told apart by pod, and still come when no endpoint
//! is ready.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link::Link;
use super::rested::{Rested, Slot};
use super::shooter::Shooter;
use super::turn::{Aim, Turn};
use super::{DirectPlan, DirectPod};
use crate::evidence::Class;

/// Requests in flight at most, all pods together.
const MAX_IN_FLIGHT: usize = 2_000;

/// How long an empty list is looked at before it is looked at again.
const IDLE: Duration = Duration::from_millis(100);

/// Kept connections by where they lead: one that is used all the time, and some that rest.
type Kept = BTreeMap<SocketAddr, (Slot, Rested)>;

/// Sends each listed pod its rate of requests, until the token is cancelled: on new connections, and where the plan says
/// so every other one on a kept one, and now and then one on a connection that has rested.
pub(super) async fn run(
    shooter: Arc<Shooter>,
    plan: watch::Receiver<DirectPlan>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let mut kept = Kept::new();
    let mut due = Instant::now();
    let aims = shooter.at_service(Class::Direct);
    let mut keeps = false;
    while stop.run_until_cancelled(sleep_until(due)).await.is_some() {
        let DirectPlan { pods, rate, traced } = plan.borrow().clone();
        shooter.sampling.thin(traced.unwrap_or(1.0));
        kept.retain(|address, _| pods.iter().any(|listed| listed.ip == address.ip()));
        keeps = traced.is_some() && !keeps;
        let aimed = pods.into_iter().filter_map(|pod| past_the_service(&aims, pod));
        for aim in aimed {
            let slot = traced.and_then(|_| {
                let (busy, rested) = kept.entry(aim.address).or_default();
                rested.due(due).or_else(|| keeps.then(|| Arc::clone(busy)))
            });
            let aim = Aim { sampled: traced.is_some(), keeps: slot.is_some(), ..aim };
            let (link, turn) = (slot.unwrap_or_default(), aim.turn(due));
            shooter.recorder.due(&turn);
            match Arc::clone(&in_flight).try_acquire_owned() {
                Err(_) => shooter.recorder.unsent(&turn),
                Ok(permit) => {
                    let shooter = Arc::clone(&shooter);
                    tasks.spawn(async move {
                        shoot(&shooter, turn, &link).await;
                        drop(permit);
                    });
                }
            }
        }
        due += if rate > 0.0 { Duration::from_secs_f64(1.0 / rate) } else { IDLE };
    }
}

/// The same requests to one pod, to the port that the Service would lead them to.
fn past_the_service(aims: &[(Aim, f64)], DirectPod { pod, ip, port }: DirectPod) -> Option<Aim> {
    let mut left = fastrand::f64();
    let drawn = aims.iter().find(|(_, share)| {
        left -= share;
        left < 0.0
    });
    let (aim, _) = drawn.or(aims.last())?;
    let address = SocketAddr::new(ip, aim.choice.port.map_or(port, |port| port.pod));
    Some(Aim { pod: Some(pod), address, ..aim.clone() })
}

/// A kept connection that is in use is not waited for: the request goes on a new one.
async fn shoot(shooter: &Shooter, mut turn: Turn, link: &Mutex<Option<Link>>) {
    if let Ok(mut link) = link.try_lock() {
        return shooter.shoot(turn, &mut link).await;
    }
    turn.aim.keeps = false;
    shooter.shoot(turn, &mut None).await;
}
