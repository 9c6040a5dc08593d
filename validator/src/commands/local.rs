//! `validator local`: the gate on this machine, on copies of a command.

mod asked;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::rules;
use super::run::signals::Signals;
use super::run::{conclude, writable};
use crate::cli::{LocalArgs, LocalGuardianArgs};
use crate::config::{GoLiveCheck, HeaderText, text_of};
use crate::exit::Exit;
use crate::experiment::{Experiment, Ran, forecast};
use crate::failure::Failure;
use crate::load::{SecretHeaders, requests_at_a_time};
use crate::local::{Guardian, Machine, Root, RunFolder, guard, planned, raise_limit};
use crate::plan::{Place, Plan};
use crate::policy::Rules;
use crate::progress::Progress;

/// Runs the gate on this machine.
pub(super) async fn local(args: LocalArgs) -> Result<Exit, Failure> {
    let check = asked::read(&args)?;
    let mut given = Vec::new();
    for header in &args.header {
        given.extend(header.read().map_err(Failure::usage)?);
    }
    let rules = rules::read(&args.rules, &check.spec.policy)?;
    writable(&args.report, args.evidence.as_deref())?;
    raise_limit(requests_at_a_time(check.spec.traffic.rate.per_second()))?;
    let mut progress = Progress::new(args.report.quiet);
    let root = Root::usual()?;
    let left = root.clone();
    for line in spawn_blocking(move || left.sweep()).await.map_err(|e| Failure::internal(e.to_string()))?? {
        progress.tell(&format!("left behind by an earlier run: {line}"));
    }
    let program = std::env::current_exe().map_err(|e| Failure::internal(e.to_string()))?;
    let run = super::holder(&check.metadata.name);
    let folder = root.create(&run)?;
    let guardian = Guardian::start(&program, &folder)?;
    let mut signals = Signals::listen()?;
    let gate = Gate { args: &args, check: &check, given: &given, rules: &rules, folder: &folder };
    let ended = signals.unless(Box::pin(gate.run(&run, &mut progress))).await;
    let removed = spawn_blocking(move || folder.remove()).await;
    if let Err(failure) = removed.unwrap_or_else(|e| Err(Failure::internal(e.to_string()))) {
        // It changes nothing of what the run has shown; the guardian tries again.
        progress.tell(&format!("something is left: {failure}"));
    }
    guardian.dismiss();
    ended
}

/// What the guardian of a run on this machine does.
pub(super) fn guardian(args: &LocalGuardianArgs) -> Result<Exit, Failure> {
    guard(&args.run).map(|()| Exit::Success)
}

/// One run.
struct Gate<'a> {
    args: &'a LocalArgs,
    check: &'a GoLiveCheck,
    given: &'a [(String, String)],
    rules: &'a Rules,
    folder: &'a RunFolder,
}

impl Gate<'_> {
    async fn run(&self, run: &str, progress: &mut Progress) -> Result<Exit, Failure> {
        let plan = self.plan(run);
        let headers = self.headers()?;
        self.tell_inherited(progress);
        let output = PathBuf::from("golive-out").join(format!("{run}.logs"));
        std::fs::create_dir_all(&output)
            .map_err(|e| Failure::environment(format!("cannot make {}: {e}", output.display())))?;
        progress.tell(&format!(
            "starting {} copies; what they say: {}",
            plan.target.replicas,
            output.display()
        ));
        let seed = self.args.seed.as_deref();
        let machine = Machine::start(self.check, &plan, self.folder, (seed, &output)).await?;
        let mut target = machine.target(self.check, &plan);
        target.headers = headers;
        for line in forecast(&plan, target.expected_roll).brief() {
            progress.tell(&line);
        }
        let experiment = Experiment {
            platform: &machine,
            target: &target,
            plan: &plan,
            keep: false,
            deadline: Instant::now() + Duration::from_secs_f64(self.args.timeout.0),
        };
        let Ran { evidence, failure, .. } = Box::pin(experiment.run(progress)).await?;
        conclude(&self.args.report, self.args.evidence.as_deref(), &evidence, failure, progress).await
    }

    /// The plan for what stands on this machine.
    fn plan(&self, run: &str) -> Plan {
        let version = self.check.spec.local.env.get("SERVICE_VERSION").map_or("local", String::as_str);
        let names = self.given.iter().map(|(name, _)| name.clone()).collect();
        let target = planned(self.check, version);
        let mut plan = Plan::new(self.check, target, BTreeMap::new(), names, run);
        self.rules.govern(&mut plan);
        plan.place = Place::Machine;
        // One machine is one vantage point.
        plan.traffic.agents = 1;
        plan
    }

    /// Values of headers that are in no evidence: those of files, and those of the command line.
    fn headers(&self) -> Result<SecretHeaders, Failure> {
        let mut headers = SecretHeaders::default();
        for (number, request) in self.check.spec.traffic.requests.iter().enumerate() {
            for (name, text) in &request.headers {
                if let HeaderText::File { file } = text {
                    headers.add(number, name, &text_of(name, file)?).map_err(Failure::usage)?;
                }
            }
            for (name, value) in self.given {
                headers.add(number, name, value).map_err(Failure::usage)?;
            }
        }
        Ok(headers)
    }

    /// What copies learn from whoever started this, and may not be meant for them.
    fn tell_inherited(&self, progress: &mut Progress) {
        let local = &self.check.spec.local;
        let ours = |name: &str| {
            local.env.contains_key(name) || local.dependencies.values().any(|found| found.variable == name)
        };
        let places = std::env::vars().filter(|(name, value)| value.contains("://") && !ours(name));
        let names: Vec<String> = places.map(|(name, _)| name).collect();
        if !names.is_empty() {
            progress.tell(&format!("copies inherit these, which lead somewhere: {}", names.join(", ")));
        }
    }
}
