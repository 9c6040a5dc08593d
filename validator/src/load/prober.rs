//! Asks single pods, past the Service, what their kubelet asks.
//!
//! Four times a second instead of once in a period: what the kubelet would make of the answers, by the declared period
//! and threshold, is for the judge.

mod grpc;
mod http;
mod tls;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use self::http::Get;
use super::link::connect_outcome;
use super::recorder::Recorder;
use super::{AgentClock, ProbedPod};
use crate::config::{Handler, Probe};
use crate::evidence::{Outcome, ProbeFact, ProbeTarget};

/// Time between two questions to one endpoint.
const PERIOD: Duration = Duration::from_millis(250);

/// As the kubelet calls itself; services tell it by what stands before the slash.
const USER_AGENT: &str = "kube-probe/1.34";

/// What there is to ask: a pod, and which of its probes.
type Question = (String, ProbeTarget);

/// Asks every declared probe of the pods listed, until the token is cancelled. A question is asked again only after its
/// last answer, as the kubelet does.
pub(super) async fn probe(
    pods: watch::Receiver<Vec<ProbedPod>>,
    recorder: Recorder,
    clock: AgentClock,
    stop: CancellationToken,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut questions, mut under_way) = (JoinSet::new(), BTreeSet::new());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {
                for (pod, target, probe) in declared(&pods.borrow()) {
                    if under_way.insert((pod.pod.clone(), target)) {
                        questions.spawn(question((pod.pod.clone(), target), pod.ip, probe.clone(), clock));
                    }
                }
            }
            Some(Ok((question, fact))) = questions.join_next() => {
                under_way.remove(&question);
                if let Some(fact) = fact {
                    recorder.probe(fact);
                }
            }
        }
    }
}

/// What others than the kubelet can ask of these pods.
fn declared(pods: &[ProbedPod]) -> impl Iterator<Item = (&ProbedPod, ProbeTarget, &Probe)> {
    let of = |pod| [(pod, ProbeTarget::Readiness), (pod, ProbeTarget::Liveness)];
    pods.iter().flat_map(of).filter_map(|(pod, target): (&ProbedPod, _)| {
        let probe = if target == ProbeTarget::Readiness { &pod.readiness } else { &pod.liveness };
        Some((pod, target, probe.as_ref().filter(|probe| probe.can_be_asked())?))
    })
}

async fn question(
    question: Question,
    ip: IpAddr,
    probe: Probe,
    clock: AgentClock,
) -> (Question, Option<ProbeFact>) {
    let at = clock.millis(Instant::now());
    let answer = ask(ip, &probe).await;
    // A question that never left says nothing about the pod.
    let left = answer != Err(Outcome::Unsent.name());
    let (pod, target) = question.clone();
    (question, left.then_some(ProbeFact { from: at, to: at, pod, target, answer, samples: 1 }))
}

/// One question within its time-out: a status of the HTTP kind, 200 for any other success, or why there was none.
pub(crate) async fn ask(ip: IpAddr, probe: &Probe) -> Result<u16, String> {
    let within = Duration::from_secs(probe.timeout_s.into());
    timeout(within, asked(ip, &probe.handler)).await.unwrap_or_else(|_| Err(Outcome::Timeout.name()))
}

async fn asked(ip: IpAddr, handler: &Handler) -> Result<u16, String> {
    match handler {
        Handler::HttpGet { scheme, host, port, path, headers } => {
            let host = host.clone().unwrap_or_else(|| ip.to_string());
            Get { scheme: *scheme, host, port: *port, path: path.clone() }.ask(headers).await
        }
        Handler::TcpSocket { host, port } => {
            let host = host.clone().unwrap_or_else(|| ip.to_string());
            connect(&host, *port).await.map(|_| 200)
        }
        Handler::Grpc { port, service } => grpc::check(SocketAddr::new(ip, *port), service).await,
        // Never asked: see `declared`.
        Handler::Exec => Err(Outcome::Unsent.name()),
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    TcpStream::connect((host, port)).await.map_err(|error| connect_outcome(&error).name())
}

#[cfg(test)]
mod tests;
