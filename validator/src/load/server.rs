//! The agent's API: clock, start, probes, status, stop, evidence. Only a port-forward reaches it, or who knows the key of the
//! run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::patience::Patience;
use super::pause::Pause;
use super::shooter::Shooter;
use super::{
    AgentClock, DirectPlan, ImpatiencePlan, LoadPlan, PausePlan, ProbedPod, Recorder, SecretHeaders,
};
use super::{classes, direct, prober};
use crate::evidence::Who;
use crate::key::Key;
use crate::pulse::Pulse;

/// How long in-flight requests may take to end after a stop.
const STOP_DEADLINE: Duration = Duration::from_secs(12);

/// Without a word from the validator for this long the load ends.
const ABANDONED: Duration = Duration::from_mins(1);

/// How often the agent looks whether it is late.
const BEAT: Duration = Duration::from_millis(250);

/// Requests per second to one pod past the Service, at most.
const MAX_DIRECT_RATE: f64 = 1_000.0;

/// What the agent says of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AgentStatus {
    /// The agent's clock, Unix milliseconds.
    pub now_ms: f64,
    /// Whether it sends load.
    pub running: bool,
}

struct Agent {
    clock: AgentClock,
    probed: watch::Sender<Vec<ProbedPod>>,
    direct: watch::Sender<DirectPlan>,
    pause: Pause,
    patience: Patience,
    // Guards the headers that the next load sends; held while they are set or copied.
    secrets: Mutex<SecretHeaders>,
    // Guards one moment; held to set or copy it.
    heard: Mutex<Instant>,
    // Guards the handles of the one load of this agent; held while they are set or copied.
    load: Mutex<Option<Load>>,
}

#[derive(Clone)]
struct Load {
    recorder: Recorder,
    stop: CancellationToken,
    tasks: TaskTracker,
    pulse: Arc<Pulse>,
}

/// Serves the API until the future is dropped or the listener fails.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, api()).await
}

/// The same where others reach the listener.
pub(crate) async fn serve_guarded(listener: TcpListener, key: Key) -> std::io::Result<()> {
    axum::serve(listener, key.guards(api())).await
}

fn api() -> Router {
    let agent = Arc::new(Agent::new());
    Router::new()
        .route("/status", get(status))
        .route("/headers", put(headers))
        .route("/start", post(start))
        .route("/probes", put(probes))
        .route("/direct", put(aim_direct))
        .route("/pause", post(pause))
        .route("/impatience", post(impatience))
        .route("/stop", post(stop))
        .route("/evidence", get(evidence))
        .layer(from_fn_with_state(Arc::clone(&agent), hear))
        .with_state(agent)
}

/// Every request is a word of the validator.
async fn hear(State(agent): State<Arc<Agent>>, request: Request, next: Next) -> Response {
    agent.hear();
    next.run(request).await
}

async fn status(State(agent): State<Arc<Agent>>) -> Json<AgentStatus> {
    let running = agent.load().is_some_and(|load| !load.stop.is_cancelled());
    Json(AgentStatus { now_ms: agent.clock.now_ms(), running })
}

async fn headers(State(agent): State<Arc<Agent>>, Json(secrets): Json<SecretHeaders>) -> StatusCode {
    *agent.secrets.lock().unwrap_or_else(PoisonError::into_inner) = secrets;
    StatusCode::NO_CONTENT
}

async fn start(State(agent): State<Arc<Agent>>, Json(plan): Json<LoadPlan>) -> impl IntoResponse {
    let mut load = agent.load.lock().unwrap_or_else(PoisonError::into_inner);
    if load.is_some() {
        return (StatusCode::CONFLICT, "this agent has had its load");
    }
    let (clock, who) = (agent.clock, Who::Load(plan.agent.clone()));
    let pulse = Arc::new(Pulse::start(who, BEAT, move || clock.millis(Instant::now())));
    let recorder = Recorder::new(agent.clock, &plan);
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let at_most = Duration::from_secs_f64(plan.at_most_s.clamp(1.0, 3600.0));
    let secrets = agent.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let shooter = Arc::new(Shooter::new(plan, secrets, agent.patience.clone(), recorder.clone()));
    classes::start(&shooter, &agent.pause, &stop, &tasks);
    let direct = direct::run(Arc::clone(&shooter), agent.direct.subscribe(), stop.clone(), tasks.clone());
    tasks.spawn(direct);
    tasks.spawn(prober::probe(agent.probed.subscribe(), recorder.clone(), agent.clock, stop.clone()));
    tokio::spawn(end_in_time(Arc::clone(&agent), stop.clone(), at_most));
    *load = Some(Load { recorder, stop, tasks, pulse });
    (StatusCode::OK, "started")
}

/// Ends the load when its time is over, or when nobody asks for it any more.
async fn end_in_time(agent: Arc<Agent>, stop: CancellationToken, at_most: Duration) {
    let end = Instant::now() + at_most;
    loop {
        let due = end.min(agent.heard() + ABANDONED);
        if due <= Instant::now() {
            return stop.cancel();
        }
        if stop.run_until_cancelled(sleep_until(due)).await.is_none() {
            return;
        }
    }
}

async fn probes(State(agent): State<Arc<Agent>>, Json(pods): Json<Vec<ProbedPod>>) -> StatusCode {
    agent.probed.send_replace(pods);
    StatusCode::NO_CONTENT
}

async fn aim_direct(State(agent): State<Arc<Agent>>, Json(plan): Json<DirectPlan>) -> impl IntoResponse {
    if !(0.0..=MAX_DIRECT_RATE).contains(&plan.rate) {
        return (StatusCode::UNPROCESSABLE_ENTITY, "rate: expected 0 to 1000 per second");
    }
    agent.direct.send_replace(plan);
    (StatusCode::OK, "set")
}

async fn pause(State(agent): State<Arc<Agent>>, Json(plan): Json<PausePlan>) -> StatusCode {
    agent.pause.begin(Duration::from_millis(plan.for_ms));
    StatusCode::NO_CONTENT
}

async fn impatience(State(agent): State<Arc<Agent>>, Json(plan): Json<ImpatiencePlan>) -> StatusCode {
    let (after, length) = (plan.gives_up_after_ms, plan.for_ms);
    agent.patience.lose(Duration::from_millis(after), Duration::from_millis(length));
    StatusCode::NO_CONTENT
}

async fn stop(State(agent): State<Arc<Agent>>) -> impl IntoResponse {
    let Some(load) = agent.load() else {
        return (StatusCode::CONFLICT, "no load was started");
    };
    load.stop.cancel();
    load.tasks.close();
    match tokio::time::timeout(STOP_DEADLINE, load.tasks.wait()).await {
        Ok(()) => (StatusCode::OK, "stopped"),
        Err(_) => (StatusCode::OK, "stopped; some requests did not end in time"),
    }
}

async fn evidence(State(agent): State<Arc<Agent>>) -> impl IntoResponse {
    let told = |load: Load| load.recorder.facts().into_iter().chain(load.pulse.facts());
    let facts = agent.load().into_iter().flat_map(told);
    let mut body = Vec::new();
    for fact in facts {
        // Facts are plain data: writing them to memory cannot fail.
        if serde_json::to_writer(&mut body, &fact).is_ok() {
            body.push(b'\n');
        }
    }
    body
}

impl Agent {
    fn new() -> Self {
        let (probed, _) = watch::channel(Vec::new());
        let (direct, _) = watch::channel(DirectPlan::default());
        Self {
            clock: AgentClock::start(),
            probed,
            direct,
            pause: Pause::default(),
            patience: Patience::default(),
            secrets: Mutex::default(),
            heard: Mutex::new(Instant::now()),
            load: Mutex::new(None),
        }
    }

    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn heard(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self) -> Option<Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_load_ends_a_minute_after_the_last_word_and_in_time_anyway() {
        let agent = Arc::new(Agent::new());
        let (stop, since) = (CancellationToken::new(), Instant::now());
        let ending = tokio::spawn(end_in_time(Arc::clone(&agent), stop.clone(), Duration::from_mins(10)));
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            agent.hear();
            assert!(!stop.is_cancelled());
        }
        ending.await.unwrap();
        assert!(stop.is_cancelled());
        assert_eq!(since.elapsed().as_secs(), 150 + 60);

        let (stop, since) = (CancellationToken::new(), Instant::now());
        agent.hear();
        end_in_time(agent, stop.clone(), Duration::from_secs(20)).await;
        assert!(stop.is_cancelled());
        assert_eq!(since.elapsed().as_secs(), 20);
    }
}
