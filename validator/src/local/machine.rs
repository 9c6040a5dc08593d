//! A target on this machine: its stores, its agents, its copies and the switch before them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::copies::{Copies, Settings};
use super::led::Led;
use super::objects::NODE;
use super::record::Record;
use super::sink::Sink;
use super::threads::{AgentThread, MiddleThread};
use super::{Located, RunFolder, Store, Switch, target};
use crate::config::{Dependency, GoLiveCheck, LocalDependency, Protocol};
use crate::evidence::{Fact, MiddleFact};
use crate::failure::Failure;
use crate::middle::MiddlePlan;
use crate::moment::now;
use crate::plan::Plan;
use crate::platform::Platform;
use crate::steer::{Agents, Back, Collector, Dial, Interposition, LoadAgent, Middle, PodTable, Target, Told};

/// How long an agent may need until it answers, and reaches what it stands before.
const START: Duration = Duration::from_secs(20);

/// How long the first copies may need until they are ready.
const READY: Duration = Duration::from_mins(2);

/// Everything that a run has on this machine; all of it ends with this value.
pub struct Machine {
    copies: Arc<Copies>,
    record: Arc<Record>,
    load: AgentThread,
    /// What agents before dependencies are connected to, in the order of the plan.
    middles: Vec<(Dependency, std::net::SocketAddr)>,
    /// Why there is none before some.
    impossible: Vec<Fact>,
    switch: Switch,
    _behind: Behind,
}

/// Throw-away dependencies.
#[derive(Default)]
struct Behind {
    stores: Vec<Store>,
    sink: Option<Sink>,
}

impl Machine {
    /// Starts what the plan needs and waits until every copy is ready. `output` is where copies write to.
    ///
    /// # Errors
    /// Exit 2 for what the file says wrong and for programs that are missing, exit 3 for what does not start.
    pub async fn start(
        check: &GoLiveCheck,
        plan: &Plan,
        folder: &RunFolder,
        (seed, output): (Option<&Path>, &Path),
    ) -> Result<Self, Failure> {
        let (mut behind, mut dependencies, mut impossible) = (Behind::default(), Vec::new(), Vec::new());
        for dependency in &plan.dependencies {
            let Some(declared) = check.spec.local.dependencies.get(&dependency.name) else {
                impossible.push(not_led(dependency));
                continue;
            };
            let value = behind.value(dependency.protocol, declared, folder, seed).await?;
            dependencies.push(led(dependency, declared, value, &plan.trace_prefix)?);
        }
        let middles =
            dependencies.iter().map(|led| (led.dependency.clone(), led.middle.thread.address)).collect();
        let (mark, run) = folder.mark();
        let local = check.spec.local.clone();
        let times = (local.grace_period.0 as i64, local.min_ready.0 as i64);
        let lag = Duration::from_secs_f64(local.lag.0);
        let record = Record::new(plan.target.clone(), times);
        let settings = Settings {
            name: plan.target.deployment.clone(),
            probes: target::probes(&local),
            local,
            output: output.to_owned(),
            registry: folder.path().to_owned(),
            mark: (mark.to_owned(), run.to_owned()),
            dependencies,
        };
        let switch = Switch::start(record.endpoints(), lag).map_err(|e| cannot("the switch", &e))?;
        let load = AgentThread::load().map_err(|e| cannot("a load agent", &e))?;
        let copies = Copies::start(settings, Arc::clone(&record), READY).await?;
        // The switch hears of the last one a lag later.
        sleep(lag).await;
        Ok(Self { copies, record, load, middles, impossible, switch, _behind: behind })
    }

    /// The target as the experiment knows it.
    pub fn target(&self, check: &GoLiveCheck, plan: &Plan) -> Target {
        target::found(&check.spec.local, plan.target.clone(), self.switch.address())
    }
}

impl Behind {
    /// What a variable is to hold; starts what is not named.
    async fn value(
        &mut self,
        protocol: Protocol,
        declared: &LocalDependency,
        folder: &RunFolder,
        seed: Option<&Path>,
    ) -> Result<String, Failure> {
        let started = match (&declared.url, protocol) {
            (Some(url), _) => return Ok(url.clone()),
            (None, Protocol::Postgres) => Store::postgres(folder, seed).await?,
            (None, Protocol::Redis) => Store::redis(folder).await?,
            (None, Protocol::Otlp) => {
                let sink = Sink::start().await.map_err(|e| cannot("a collector", &e))?;
                let path = if declared.variable.contains("TRACES") { "/v1/traces" } else { "" };
                let url = format!("http://{}{path}", sink.address);
                self.sink = Some(sink);
                return Ok(url);
            }
            (None, Protocol::Http | Protocol::Tcp) => {
                return Err(Failure::usage(format!(
                    "spec.local.dependencies: {} needs its `url`: there is no throw-away one for {}",
                    declared.variable,
                    protocol.name()
                )));
            }
        };
        let url = started.url.clone();
        self.stores.push(started);
        Ok(url)
    }
}

fn led(
    dependency: &Dependency,
    declared: &LocalDependency,
    value: String,
    prefix: &str,
) -> Result<Led, Failure> {
    let (name, variable) = (dependency.name.clone(), declared.variable.clone());
    let located =
        Located::parse(&value).map_err(|why| Failure::usage(format!("{variable} of {name}: {why}")))?;
    let plan =
        MiddlePlan { dependency: name, protocol: dependency.protocol, trace_prefix: prefix.to_owned() };
    let middle =
        MiddleThread::start(plan, located.upstream.clone()).map_err(|e| cannot("a middle agent", &e))?;
    Ok(Led { dependency: dependency.clone(), variable, value, located, middle })
}

/// Without a variable a copy may reach it all the same, by whatever it was told.
fn not_led(dependency: &Dependency) -> Fact {
    let reason = format!("spec.local.dependencies names no variable for `{}`", dependency.name);
    Fact::Middle(MiddleFact {
        at: now(),
        dependency: dependency.name.clone(),
        service: dependency.upstream.to_string(),
        protocol: dependency.protocol,
        standing: Err(reason),
    })
}

fn cannot(what: &str, error: &std::io::Error) -> Failure {
    Failure::environment(format!("{what} does not start: {error}"))
}

impl Platform for Machine {
    type Lead = ();
    type Rollout = Arc<Copies>;

    async fn agents(&self, _plan: &Plan) -> Result<Agents, Failure> {
        let connected = LoadAgent::connect("load", NODE.to_owned(), Dial::Socket(self.load.address)).await;
        let agent = connected.map_err(|e| Failure::environment(format!("the load agent: {e}")))?;
        Ok(Agents::new(vec![agent]))
    }

    async fn collect(&self, _plan: &Plan) -> Result<Collector, Failure> {
        Ok(self.record.collector().beside(self.switch.pulse()))
    }

    async fn interpose(
        &self,
        _plan: &Plan,
        pods: watch::Receiver<PodTable>,
    ) -> Result<(Interposition, ()), Failure> {
        let deadline = Instant::now() + START;
        let mut middles = Vec::new();
        for (dependency, address) in &self.middles {
            let told = Told { name: dependency.name.clone(), hint: "it runs in the validator".to_owned() };
            let middle = loop {
                match Middle::connect(dependency, told.clone(), Dial::Socket(*address)).await {
                    Ok(middle) => break middle,
                    Err(why) if Instant::now() >= deadline => {
                        return Err(Failure::environment(format!("dependency `{}`: {why}", dependency.name)));
                    }
                    Err(_) => sleep(Duration::from_millis(100)).await,
                }
            };
            middles.push(middle);
        }
        Ok((Interposition::new(middles, self.impossible.clone(), pods, JoinSet::new()), ()))
    }

    async fn rollout(
        &self,
        _plan: &Plan,
        _lead: &(),
        _pods: watch::Receiver<PodTable>,
    ) -> Result<Arc<Copies>, Failure> {
        Ok(Arc::clone(&self.copies))
    }

    async fn delete(&self, pod: &str) -> Result<(), Failure> {
        self.copies.replace(pod)
    }

    /// Nobody uses the copies: they end with the run.
    async fn go_back(&self, _plan: &Plan, _back: Back) -> Result<Option<String>, Failure> {
        Ok(None)
    }
}
