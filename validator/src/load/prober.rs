//! Asks the endpoints of single pods, past the Service, as the kubelet does.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::link::Link;
use super::recorder::Recorder;
use super::{AgentClock, ProbedPod};
use crate::evidence::{Outcome, ProbeFact, ProbeTarget};
use crate::plan::Endpoint;

/// Time between two questions to one endpoint.
const PERIOD: Duration = Duration::from_millis(250);

/// An endpoint that needs longer than this did not answer; the kubelet's own default.
const DEADLINE: Duration = Duration::from_secs(1);

/// Asks every endpoint of the pods listed, until the token is cancelled.
pub(super) async fn probe(
    pods: watch::Receiver<Vec<ProbedPod>>,
    recorder: Recorder,
    clock: AgentClock,
    stop: CancellationToken,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let mut questions = JoinSet::new();
        for pod in pods.borrow().iter() {
            for (target, endpoint) in
                [(ProbeTarget::Readiness, &pod.readiness), (ProbeTarget::Liveness, &pod.liveness)]
            {
                let address = SocketAddr::new(pod.ip, endpoint.port);
                questions.spawn(question(pod.pod.clone(), target, address, endpoint.clone(), clock));
            }
        }
        while let Some(answer) = questions.join_next().await {
            if let Ok(Some(fact)) = answer {
                recorder.probe(fact);
            }
        }
    }
}

async fn question(
    pod: String,
    target: ProbeTarget,
    address: SocketAddr,
    endpoint: Endpoint,
    clock: AgentClock,
) -> Option<ProbeFact> {
    let asked = Instant::now();
    let at = clock.millis(asked);
    let answer = match tokio::time::timeout_at(asked + DEADLINE, ask(address, &endpoint, asked)).await {
        Ok(answer) => answer,
        Err(_) => Err("timeout".to_owned()),
    };
    // A question that never left says nothing about the pod.
    let left = answer != Err(Outcome::Unsent.name());
    left.then_some(ProbeFact { from: at, to: at, pod, target, answer, samples: 1 })
}

async fn ask(address: SocketAddr, endpoint: &Endpoint, asked: Instant) -> Result<u16, String> {
    let mut link = Link::open(address).await.map_err(|exchange| exchange.outcome.name())?;
    let request = Request::builder()
        .uri(&endpoint.path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, "golive-validator-probe")
        .body(Full::<Bytes>::default())
        .map_err(|error| error.to_string())?;
    match link.exchange(request, asked + DEADLINE).await {
        Ok(exchange) => match exchange.outcome {
            Outcome::Answered(status) => Ok(status),
            other => Err(other.name()),
        },
        Err(_) => Err(Outcome::Closed.name()),
    }
}
