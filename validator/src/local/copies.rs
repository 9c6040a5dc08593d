//! What a deployment does: as many copies of a template as there should be, replaced one by one in a roll.

mod first;
mod roll;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::copy::{Copy, Phase};
use super::instance::{BACK_OFF, Instance};
use super::led::Led;
use super::port::Port;
use super::process::Program;
use super::record::Record;
use crate::config::{Local, MANAGEMENT_PORT, PORT};
use crate::failure::Failure;
use crate::moment::now;
use crate::steer::{PodBrief, PodTable, Probes};

/// How long copies may take to leave when the run is over: nobody is sent to them any more.
const AT_THE_END: Duration = Duration::from_secs(5);

/// What all copies of a run are made from.
pub(super) struct Settings {
    pub(super) local: Local,
    pub(super) name: String,
    pub(super) probes: Probes,
    /// Where their output goes, a file for each.
    pub(super) output: PathBuf,
    /// Where their numbers are left.
    pub(super) registry: PathBuf,
    /// What every process of the run carries.
    pub(super) mark: (String, String),
    pub(super) dependencies: Vec<Led>,
}

/// The copies of a run.
pub struct Copies {
    settings: Settings,
    record: Arc<Record>,
    // Guards the lives; held for one change.
    lives: Mutex<Lives>,
    number: AtomicU32,
}

/// What is alive, and what is to be started.
struct Lives {
    template: Template,
    leave: BTreeMap<String, CancellationToken>,
    /// Ends all of them with this value.
    tasks: JoinSet<()>,
}

/// What copies are to be like.
#[derive(Clone, Debug)]
struct Template {
    hash: String,
    /// Whether they are led to the agents.
    led: bool,
}

impl Copies {
    /// None yet; the first ones are past the agents.
    pub(super) fn new(settings: Settings, record: Arc<Record>) -> Arc<Self> {
        let template = Template { hash: "t0".to_owned(), led: false };
        record.template(&template.hash);
        let lives = Mutex::new(Lives { template, leave: BTreeMap::new(), tasks: JoinSet::new() });
        Arc::new(Self { settings, record, lives, number: AtomicU32::new(0) })
    }

    /// Lets all of them go, and waits until they are gone: for their grace period, and for some seconds at most. What is left
    /// then is killed with this value.
    pub(super) async fn end(&self) {
        let names: Vec<String> = self.lives().leave.keys().cloned().collect();
        for name in &names {
            self.leave(name);
        }
        let grace = Duration::from_secs_f64(self.settings.local.grace_period.0).min(AT_THE_END);
        let mut table = self.record.table();
        tokio::time::timeout(grace, table.wait_for(PodTable::is_empty)).await.ok(); // the rest is killed
    }

    /// Lets one go; another one takes its place at once. Nothing happens for one that goes already.
    pub(super) fn replace(&self, name: &str) -> Result<(), Failure> {
        if self.leave(name) { self.add().map(drop) } else { Ok(()) }
    }

    /// From here on it is none of those that there should be, before its process hears of it. Says whether it was one.
    fn leave(&self, name: &str) -> bool {
        let Some(leave) = self.lives().leave.remove(name) else { return false };
        let grace_s = self.settings.local.grace_period.0 as i64;
        self.record.change(name, |copy| copy.leaving = Some((now(), grace_s)));
        leave.cancel();
        true
    }

    /// Starts one more of the present template.
    fn add(&self) -> Result<String, Failure> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let mut lives = self.lives();
        let template = lives.template.clone();
        let name = format!("{}-{}-{number}", self.settings.name, template.hash);
        let held = [Port::free()?, Port::free()?];
        let (program, copy) = self.copy(&name, &template, &held)?;
        let probe = |probe: &Option<crate::config::Probe>| {
            probe.clone().map(|probe| probe.at(|port| copy.ports.get(&port).copied().unwrap_or(port)))
        };
        let probes = Probes {
            readiness: probe(&self.settings.probes.readiness),
            liveness: probe(&self.settings.probes.liveness),
        };
        let leave = CancellationToken::new();
        let instance = Instance {
            name: name.clone(),
            program,
            _held: held.into(),
            probes,
            grace: Duration::from_secs_f64(self.settings.local.grace_period.0),
            record: Arc::clone(&self.record),
            leave: leave.clone(),
        };
        self.record.add(&name, copy);
        lives.tasks.spawn(instance.live());
        lives.leave.insert(name.clone(), leave);
        Ok(name)
    }

    /// What is started, and what is known of it then.
    fn copy(
        &self,
        name: &str,
        template: &Template,
        [users, management]: &[Port; 2],
    ) -> Result<(Program, Copy), Failure> {
        let Settings { local, mark, registry, dependencies, .. } = &self.settings;
        let ports = BTreeMap::from([(PORT, users.number), (MANAGEMENT_PORT, management.number)]);
        let mut variables = local.env.clone();
        variables.insert(local.port.clone(), ports[&PORT].to_string());
        variables.insert(local.management_port.clone(), ports[&MANAGEMENT_PORT].to_string());
        variables.insert("POD_NAME".to_owned(), name.to_owned());
        variables.insert(mark.0.clone(), mark.1.clone());
        let mut origins = Vec::new();
        for dependency in dependencies {
            let (value, origin) = if template.led { dependency.led()? } else { dependency.direct() };
            variables.insert(dependency.variable.clone(), value);
            origins.extend(origin);
        }
        let command = local.command.iter().map(Into::into).collect();
        let (output, registry) = (self.output(name), registry.clone());
        let last = Signal::KILL;
        let program = Program { command, variables, without: None, output, registry, last, user: None };
        let copy = Copy {
            uid: uuid::Uuid::new_v4().to_string(),
            hash: template.hash.clone(),
            ports,
            origins,
            phase: Phase::Waiting("ContainerCreating"),
            ready: false,
            restarts: 0,
            last: None,
            leaving: None,
        };
        Ok((program, copy))
    }

    fn output(&self, name: &str) -> PathBuf {
        self.settings.output.join(format!("{name}.log"))
    }

    fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it ended again after it was started again at once, and waits.
fn crashes(copy: &PodBrief) -> bool {
    copy.waiting.as_deref() == Some(BACK_OFF)
}

#[cfg(test)]
mod tests;
