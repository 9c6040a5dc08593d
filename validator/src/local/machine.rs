//! A target on this machine: its stores, its agents, its copies and the switch before them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::behind::Behind;
use super::copies::{Copies, Settings};
use super::led::Led;
use super::objects::NODE;
use super::record::Record;
use super::threads::{AgentThread, MiddleThread};
use super::{Located, RunFolder, Switch, programs, target};
use crate::config::{Dependency, GoLiveCheck, LocalDependency};
use crate::evidence::{Fact, MiddleFact};
use crate::failure::Failure;
use crate::key::Key;
use crate::middle::MiddlePlan;
use crate::moment::now;
use crate::plan::Plan;
use crate::platform::Platform;
use crate::steer::{Agents, Back, Collector, Dial, Interposition, LoadAgent, Middle, PodTable, Target, Told};

/// How long an agent may need until it answers, and reaches what it stands before.
const START: Duration = Duration::from_secs(20);

/// Everything that a run has on this machine; all of it ends with this value.
pub struct Machine {
    copies: Arc<Copies>,
    record: Arc<Record>,
    load: AgentThread,
    /// What agents before dependencies are connected to, in the order of the plan.
    middles: Vec<(Dependency, SocketAddr)>,
    /// Why there is none before some.
    impossible: Vec<Fact>,
    switch: Switch,
    /// What the agents know us by.
    key: Key,
    /// How much later than a copy is ready the switch hears of it.
    lag: Duration,
    _behind: Behind,
}

impl Machine {
    /// Starts what the copies need, and none of them yet. `output` is where they will write to.
    ///
    /// # Errors
    /// Exit 2 for what the file says wrong and for programs that are missing, exit 3 for what does not start.
    pub async fn prepare(
        check: &GoLiveCheck,
        plan: &Plan,
        folder: &RunFolder,
        (seed, output): (Option<&Path>, &Path),
    ) -> Result<Self, Failure> {
        let local = &check.spec.local;
        programs::startable(local)?;
        let key = Key::new();
        let (mut behind, mut dependencies, mut impossible) = (Behind::default(), Vec::new(), Vec::new());
        for dependency in &plan.dependencies {
            let Some(declared) = local.dependencies.get(&dependency.name) else {
                impossible.push(not_led(dependency));
                continue;
            };
            let value = behind.value(dependency, declared, folder, seed).await?;
            dependencies.push(led(dependency, declared, value, (plan.trace_prefix.as_str(), &key))?);
        }
        let middles =
            dependencies.iter().map(|led| (led.dependency.clone(), led.middle.thread.address)).collect();
        let (lag, times) =
            (Duration::from_secs_f64(local.lag.0), (local.grace_period.0 as i64, local.min_ready.0 as i64));
        let record = Record::new(plan.target.clone(), times);
        let switch = Switch::start(record.endpoints(), lag).map_err(|e| cannot("the switch", &e))?;
        let load = AgentThread::load(key.clone()).map_err(|e| cannot("a load agent", &e))?;
        let copies = Copies::new(settings(check, plan, folder, output, dependencies), Arc::clone(&record));
        Ok(Self { copies, record, load, middles, impossible, switch, key, lag, _behind: behind })
    }

    /// Starts the copies and waits until every one is ready, and the switch has heard of the last one.
    ///
    /// # Errors
    /// Exit 3 for one that ends again and again, or is not ready in time.
    pub async fn begin(&self) -> Result<(), Failure> {
        self.copies.begin().await?;
        sleep(self.lag).await;
        Ok(())
    }

    /// Lets the copies go, and gives them some seconds: what they have started elsewhere goes with an end in order alone.
    pub async fn end(self) {
        self.copies.end().await;
    }

    /// The target as the experiment knows it.
    pub fn target(&self, check: &GoLiveCheck, plan: &Plan) -> Target {
        target::found(&check.spec.local, plan.target.clone(), self.switch.address())
    }

    fn dial(&self, agent: SocketAddr) -> Dial {
        Dial::Socket(agent, Some(self.key.clone()))
    }
}

fn settings(
    check: &GoLiveCheck,
    plan: &Plan,
    folder: &RunFolder,
    output: &Path,
    dependencies: Vec<Led>,
) -> Settings {
    let (local, (mark, run)) = (check.spec.local.clone(), folder.mark());
    Settings {
        name: plan.target.deployment.clone(),
        probes: target::probes(&local),
        local,
        output: output.to_owned(),
        registry: folder.path().to_owned(),
        mark: (mark.to_owned(), run.to_owned()),
        dependencies,
    }
}

fn led(
    dependency: &Dependency,
    declared: &LocalDependency,
    value: String,
    (prefix, key): (&str, &Key),
) -> Result<Led, Failure> {
    let (name, variable) = (dependency.name.clone(), declared.variable.clone());
    let located =
        Located::parse(&value).map_err(|why| Failure::usage(format!("{variable} of {name}: {why}")))?;
    let plan =
        MiddlePlan { dependency: name, protocol: dependency.protocol, trace_prefix: prefix.to_owned() };
    let middle = MiddleThread::start(plan, located.upstream.clone(), key.clone())
        .map_err(|e| cannot("a middle agent", &e))?;
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
        let connected = LoadAgent::connect("load", NODE.to_owned(), self.dial(self.load.address)).await;
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
                match Middle::connect(dependency, told.clone(), self.dial(*address)).await {
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
