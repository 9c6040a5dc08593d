//! The gate of copies of a command on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::{Gate, Sink};
use crate::config::{GoLiveCheck, HeaderText, text_of};
use crate::experiment::{Experiment, Ran, forecast, in_time};
use crate::failure::Failure;
use crate::load::{SecretHeaders, requests_at_a_time};
use crate::local::{Guardian, Machine, Root, RunFolder, assumed, planned, raise_limit};
use crate::plan::{Part, Place, Plan, Rules};
use crate::report::Report;

/// What is gated, and how.
#[derive(Clone, Debug)]
pub struct MachineRun {
    /// What its owner declares; `spec.local` says how a copy is started.
    pub check: GoLiveCheck,
    /// What is judged by.
    pub rules: Rules,
    /// Headers of every request, with values that no file holds.
    pub given: Vec<(String, String)>,
    /// Statements for the throw-away Postgres.
    pub seed: Option<PathBuf>,
    /// The folder in which what copies say goes to a folder of the run's name.
    pub output: PathBuf,
    /// The parts of the experiment that are done.
    pub parts: BTreeSet<Part>,
    /// No roll may end later than this after the start.
    pub timeout: Duration,
}

impl<S: Sink> Gate<'_, S> {
    /// Gates copies of a command: starts them and what they need, experiments, judges, and leaves nothing behind.
    ///
    /// # Errors
    /// Exit 2 for what the file says wrong of this machine, and for programs that are missing, or a timeout within which no run could end; exit 3 when the machine is in
    /// the way; exit 130 when it was cancelled, the clean-up done.
    ///
    /// # Cancel safety
    /// Dropped where it stands, its guardian removes what is left; cancel it by its token.
    pub async fn on_machine(&self, run: &MachineRun) -> Result<Report, Failure> {
        raise_limit(requests_at_a_time(run.check.spec.traffic.rate.per_second()))?;
        let root = Root::usual()?;
        let left = root.clone();
        for line in
            spawn_blocking(move || left.sweep()).await.map_err(|e| Failure::internal(e.to_string()))??
        {
            self.events.tell(format!("left behind by an earlier run: {line}"));
        }
        let program = std::env::current_exe().map_err(|e| Failure::internal(e.to_string()))?;
        let name = super::run_name(&run.check.metadata.name);
        let folder = root.create(&name)?;
        let guardian = Guardian::start(&program, &folder)?;
        let ended = self.unless_cancelled_among_copies(run, &folder, &name).await;
        let removed = spawn_blocking(move || folder.remove()).await;
        if let Err(failure) = removed.unwrap_or_else(|e| Err(Failure::internal(e.to_string()))) {
            // It changes nothing of what the run has shown; the guardian tries again.
            self.events.tell(format!("something is left: {failure}"));
        }
        guardian.dismiss();
        if let Ok(report) = &ended {
            self.delivered(report).await;
        }
        ended
    }

    /// Works until it is cancelled. However that ends, the copies are let go before what they need is.
    async fn unless_cancelled_among_copies(
        &self,
        run: &MachineRun,
        folder: &RunFolder,
        name: &str,
    ) -> Result<Report, Failure> {
        let machine = OnceLock::new();
        let ended = self.unless_cancelled(Box::pin(self.among_copies(run, folder, name, &machine))).await;
        if let Some(machine) = machine.into_inner() {
            machine.end().await;
        }
        ended
    }

    async fn among_copies(
        &self,
        run: &MachineRun,
        folder: &RunFolder,
        name: &str,
        machine: &OnceLock<Machine>,
    ) -> Result<Report, Failure> {
        let (events, plan) = (&self.events, run.plan(name));
        let headers = run.headers()?;
        for told in [assumed(&run.check.spec.local), run.inherited()].into_iter().flatten() {
            events.tell(told);
        }
        let output = run.output.join(format!("{name}.logs"));
        std::fs::create_dir_all(&output)
            .map_err(|e| Failure::environment(format!("cannot make {}: {e}", output.display())))?;
        let (copies, said) = (plan.target.replicas, output.display());
        events.tell(format!("starting {copies} copies; what they say: {said}"));
        let prepared = Machine::prepare(&run.check, &plan, folder, (run.seed.as_deref(), &output)).await?;
        // It outlives this future, which is dropped where it stands.
        let machine = machine.get_or_init(|| prepared);
        machine.begin().await?;
        let mut target = machine.target(&run.check, &plan);
        target.headers = headers;
        let warning = in_time(&plan, &target, run.timeout)?;
        for line in forecast(&plan, target.expected_roll).brief().into_iter().chain(warning) {
            events.tell(line);
        }
        let deadline = Instant::now() + run.timeout;
        let experiment =
            Experiment { platform: machine, target: &target, plan: &plan, keep: false, deadline };
        let Ran { evidence, failure, .. } = Box::pin(experiment.run(events)).await?;
        self.judged(&evidence, failure)
    }
}

impl MachineRun {
    /// The plan for what stands on this machine.
    fn plan(&self, name: &str) -> Plan {
        let version = self.check.spec.local.env.get("SERVICE_VERSION").map_or("local", String::as_str);
        let names = self.given.iter().map(|(name, _)| name.clone()).collect();
        let target = planned(&self.check, version);
        let parts = self.parts.clone();
        let plan = Plan::new(&self.check, target, BTreeMap::new(), names, name);
        let mut plan = Plan { place: Place::Machine, parts, ..plan };
        self.rules.govern(&mut plan);
        // One machine is one vantage point.
        plan.traffic.agents = 1;
        plan
    }

    /// Values of headers that are in no evidence: those of files, and those that were given.
    fn headers(&self) -> Result<SecretHeaders, Failure> {
        let mut headers = SecretHeaders::default();
        for (number, request) in self.check.spec.traffic.requests.iter().enumerate() {
            for (name, text) in &request.headers {
                if let HeaderText::File { file } = text {
                    headers.add(number, name, &text_of(name, file)?).map_err(Failure::usage)?;
                }
            }
            for (name, value) in &self.given {
                headers.add(number, name, value).map_err(Failure::usage)?;
            }
        }
        Ok(headers)
    }

    /// What copies learn from whoever started this, and may not be meant for them.
    fn inherited(&self) -> Option<String> {
        let local = &self.check.spec.local;
        let ours = |name: &str| {
            local.env.contains_key(name) || local.dependencies.values().any(|found| found.variable == name)
        };
        // One that is no UTF-8 goes to the copies as it is, and is no URL.
        let all =
            std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
        let places = all.filter(|(name, value)| value.contains("://") && !ours(name));
        let names: Vec<String> = places.map(|(name, _)| name).collect();
        (!names.is_empty())
            .then(|| format!("copies inherit these, which lead somewhere: {}", names.join(", ")))
    }
}
