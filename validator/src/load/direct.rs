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
use super::shooter::{Aim, Shooter};
use super::{DirectPlan, DirectPod};
use crate::evidence::Class;

/// Requests in flight at most, all pods together.
const MAX_IN_FLIGHT: usize = 2_000;

/// How long an empty list is looked at before it is looked at again.
const IDLE: Duration = Duration::from_millis(100);

/// Kept connections by pod, each used by one request at a time.
type Kept = BTreeMap<String, Arc<Mutex<Option<Link>>>>;

/// Sends each listed pod its rate of GETs, until the token is cancelled: on new connections, and every other one on a
/// kept one where the plan says so.
pub(super) async fn run(
    shooter: Arc<Shooter>,
    plan: watch::Receiver<DirectPlan>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let mut kept = Kept::new();
    let mut due = Instant::now();
    let mut keeps = false;
    while stop.run_until_cancelled(sleep_until(due)).await.is_some() {
        let DirectPlan { pods, rate, drain } = plan.borrow().clone();
        kept.retain(|pod, _| pods.iter().any(|listed| listed.pod == *pod));
        keeps = drain && !keeps;
        for DirectPod { pod, ip, port } in pods {
            let link = if keeps { Arc::clone(kept.entry(pod.clone()).or_default()) } else { Arc::default() };
            let address = SocketAddr::new(ip, port);
            let aim = Aim { class: Class::Direct, address, pod: Some(pod), sampled: drain, keeps };
            shooter.recorder.due(&aim, due);
            match Arc::clone(&in_flight).try_acquire_owned() {
                Err(_) => shooter.recorder.unsent(&aim, due),
                Ok(permit) => {
                    let shooter = Arc::clone(&shooter);
                    tasks.spawn(async move {
                        shoot(&shooter, &aim, due, &link).await;
                        drop(permit);
                    });
                }
            }
        }
        due += if rate > 0.0 { Duration::from_secs_f64(1.0 / rate) } else { IDLE };
    }
}

/// A kept connection that is in use is not waited for: the request goes on a new one.
async fn shoot(shooter: &Shooter, aim: &Aim, due: Instant, link: &Mutex<Option<Link>>) {
    if let Ok(mut link) = link.try_lock() {
        return shooter.shoot(aim, due, &mut link).await;
    }
    let aim = Aim { keeps: false, ..aim.clone() };
    shooter.shoot(&aim, due, &mut None).await;
}
