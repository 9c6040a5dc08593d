//! Requests to single pods, past the Service: their answers can be told apart by pod, and still come when no endpoint
//! is ready.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::shooter::{Aim, Shooter};
use super::{DirectPlan, DirectPod};
use crate::evidence::Class;

/// Requests in flight at most, all pods together.
const MAX_IN_FLIGHT: usize = 2_000;

/// How long an empty list is looked at before it is looked at again.
const IDLE: Duration = Duration::from_millis(100);

/// Sends each listed pod its rate of requests on new connections, until the token is cancelled.
pub(super) async fn run(
    shooter: Arc<Shooter>,
    plan: watch::Receiver<DirectPlan>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let mut due = Instant::now();
    let aims = shooter.at_service(Class::Direct);
    while stop.run_until_cancelled(sleep_until(due)).await.is_some() {
        let DirectPlan { pods, rate } = plan.borrow().clone();
        for turn in pods.into_iter().filter_map(|pod| Some(past_the_service(&aims, pod)?.turn(due))) {
            shooter.recorder.due(&turn);
            match Arc::clone(&in_flight).try_acquire_owned() {
                Err(_) => shooter.recorder.unsent(&turn),
                Ok(permit) => {
                    let shooter = Arc::clone(&shooter);
                    tasks.spawn(async move {
                        shooter.shoot(turn, &mut None).await;
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
