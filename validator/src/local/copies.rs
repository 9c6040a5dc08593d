//! What a deployment does: as many copies of a template as there should be, replaced one by one in a roll.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::copy::{Copy, Phase};
use super::instance::Instance;
use super::led::Led;
use super::port::Port;
use super::process::Program;
use super::record::Record;
use crate::config::{Local, MANAGEMENT_PORT, PORT};
use crate::failure::Failure;
use crate::moment::now;
use crate::platform::Roll;
use crate::steer::{PodBrief, PodTable, Probes, RollEnd, Stays};

/// How often a roll is looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// A new copy that has been failing for so long will not mend.
const MENDS: Duration = Duration::from_mins(1);

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
    /// Starts as many as there should be, past the agents, and waits until they are ready: the first one alone, since what
    /// one of them sets up in an empty database is set up once.
    ///
    /// # Errors
    /// Exit 3 with the file of one that does not become ready.
    pub(super) async fn start(
        settings: Settings,
        record: Arc<Record>,
        within: Duration,
    ) -> Result<Arc<Self>, Failure> {
        let template = Template { hash: "t0".to_owned(), led: false };
        record.template(&template.hash);
        let lives = Mutex::new(Lives { template, leave: BTreeMap::new(), tasks: JoinSet::new() });
        let copies = Arc::new(Self { settings, record, lives, number: AtomicU32::new(0) });
        copies.add()?;
        copies.all_ready(within).await?;
        for _ in 1..copies.settings.local.replicas {
            copies.add()?;
        }
        copies.all_ready(within).await?;
        Ok(copies)
    }

    async fn all_ready(&self, within: Duration) -> Result<(), Failure> {
        let mut table = self.record.table();
        let ready = table.wait_for(|table| table.values().all(|copy| copy.ready));
        if tokio::time::timeout(within, ready).await.is_ok() {
            return Ok(());
        }
        let late =
            self.record.table().borrow().iter().find(|(_, copy)| !copy.ready).map(|(name, _)| name.clone());
        let late = late.unwrap_or_default();
        let log = self.output(&late);
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Err(Failure::environment(format!(
            "copy {late} is not ready within {} s; it said last: {}",
            within.as_secs(),
            last.join(" / ")
        ))
        .hint(
            "its readiness probe is spec.local.readiness (GET /ready when absent), asked at the port in PORT",
        ))
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

    /// Replaces every copy by one of a new template: one more than there should be at a time, never one less.
    async fn roll(
        &self,
        led: bool,
        deadline: Instant,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        let old: Vec<String> = self.record.table().borrow().keys().cloned().collect();
        let hash = format!("t{}", self.number.fetch_add(1, Ordering::Relaxed));
        self.lives().template = Template { hash: hash.clone(), led };
        self.record.template(&hash);
        let mut replaced: Vec<String> = self.lives().leave.keys().cloned().collect();
        while !replaced.is_empty() {
            let new = self.add()?;
            let leaving = match self.spare(&new, &replaced, deadline).await {
                Ok(leaving) => leaving,
                Err(end) => return Ok(end),
            };
            self.leave(&leaving);
            replaced.retain(|name| *name != leaving);
            progress(old.len() - self.left(&old), old.len());
        }
        while self.left(&old) > 0 {
            if Instant::now() >= deadline {
                let left = format!("{} of {} old pods are left at the deadline", self.left(&old), old.len());
                return Ok(RollEnd::OutOfTime(left));
            }
            sleep(PERIOD).await;
            progress(old.len() - self.left(&old), old.len());
        }
        Ok(RollEnd::Complete)
    }

    fn left(&self, old: &[String]) -> usize {
        let table = self.record.table();
        let there: BTreeSet<String> = table.borrow().keys().cloned().collect();
        old.iter().filter(|name| there.contains(*name)).count()
    }

    /// Waits until a new copy has been ready for long enough and one of the old ones can be spared: which one, or why the
    /// roll ends if it does not come to that.
    async fn spare(&self, name: &str, old: &[String], deadline: Instant) -> Result<String, RollEnd> {
        let Local { min_ready, progress_deadline, .. } = &self.settings.local;
        let (min_ready, table) = (Duration::from_secs_f64(min_ready.0), self.record.table());
        let patience = Instant::now() + Duration::from_secs_f64(progress_deadline.0);
        let (mut ready, mut failing): (Option<Instant>, Option<Instant>) = (None, None);
        loop {
            let (now, spared) = {
                let table = table.borrow();
                let wanted = self.settings.local.replicas as usize;
                (table.get(name).cloned().unwrap_or_default(), spared(&table, old, wanted))
            };
            ready = now.ready.then(|| ready.unwrap_or_else(Instant::now));
            failing =
                (ready.is_none() && crashes(&now)).then(|| failing.unwrap_or_else(Instant::now)).or(failing);
            failing = failing.filter(|_| ready.is_none());
            if let Some(spared) = spared.filter(|_| ready.is_some_and(|since| since.elapsed() >= min_ready)) {
                return Ok(spared);
            }
            if failing.is_some_and(|since| since.elapsed() >= MENDS) {
                return Err(RollEnd::Stuck(format!(
                    "new pod {name}: it ends again and again; see {}",
                    self.output(name).display()
                )));
            }
            if Instant::now() >= patience {
                let what = if ready.is_none() { "is not available" } else { "would be one of too few" };
                return Err(RollEnd::Stuck(format!("ProgressDeadlineExceeded: new pod {name} {what}")));
            }
            if Instant::now() >= deadline {
                return Err(RollEnd::OutOfTime(format!("new pod {name} is not available at the deadline")));
            }
            sleep(PERIOD).await;
        }
    }

    fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which old copy may go so that no fewer than wanted are ready: one that is not ready goes first, as the deployment
/// controller cleans up (`cleanupUnhealthyReplicas`).
fn spared(table: &PodTable, old: &[String], wanted: usize) -> Option<String> {
    let is_ready = |name: &String| table.get(name).is_some_and(|copy| copy.ready && !copy.leaving);
    let ready = table.keys().filter(|name| is_ready(name)).count();
    let sick = old.iter().find(|name| !is_ready(name)).filter(|_| ready >= wanted);
    sick.or_else(|| old.first().filter(|_| ready > wanted)).cloned()
}

fn crashes(copy: &PodBrief) -> bool {
    copy.waiting.as_deref() == Some("CrashLoopBackOff")
}

impl Roll for Arc<Copies> {
    async fn roll_in(
        &self,
        deadline: Instant,
        progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        self.roll(true, deadline, progress).await
    }

    /// The candidate and what was there before are the same command.
    async fn roll_out(
        &self,
        _stays: Stays,
        deadline: Instant,
        progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        self.roll(false, deadline, progress).await
    }

    /// Nobody else knows of the copies.
    async fn changed(&self) -> Failure {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(copies: &[(&str, bool, bool)]) -> PodTable {
        let brief = |ready, leaving| PodBrief { leaving, ready, ..PodBrief::default() };
        copies.iter().map(|(name, ready, leaving)| ((*name).to_owned(), brief(*ready, *leaving))).collect()
    }

    #[test]
    fn an_old_copy_goes_only_when_enough_others_are_ready_and_a_sick_one_before_them() {
        let old = ["a", "b", "c"].map(str::to_owned);
        let (up, down) = ((true, false), (false, false));
        let with = |new: &[(bool, bool)], a: (bool, bool), b: (bool, bool)| {
            let mut copies = vec![("a", a.0, a.1), ("b", b.0, b.1), ("c", true, false)];
            copies.extend(new.iter().map(|(ready, leaving)| ("new", *ready, *leaving)));
            spared(&table(&copies), &old, 3)
        };
        assert_eq!(with(&[up], up, up).as_deref(), Some("a"));
        assert_eq!(with(&[up], up, down).as_deref(), Some("b"), "nobody is the worse for it");
        assert_eq!(with(&[down], up, up), None);
        assert_eq!(with(&[up], down, down), None, "two are fewer than three");
        assert_eq!(with(&[(true, true)], up, up), None, "it is about to go itself");
    }
}
