//! `validator local`: the gate on this machine, on copies of a command.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::run::signals::Signals;
use super::run::{conclude, writable};
use crate::cli::{LocalArgs, LocalGuardianArgs};
use crate::config::{Dependency, GoLiveCheck, LocalDependency, Need, Protocol, RequestSpec, Upstream};
use crate::exit::Exit;
use crate::experiment::{Experiment, Ran, forecast};
use crate::failure::Failure;
use crate::local::{Guardian, Machine, Root, RunFolder, guard, planned};
use crate::plan::{Place, Plan};
use crate::progress::Progress;

/// Runs the gate on this machine.
pub(super) async fn local(args: LocalArgs) -> Result<Exit, Failure> {
    let check = read(&args)?;
    let mut given = Vec::new();
    for header in &args.header {
        given.extend(header.read().map_err(Failure::usage)?);
    }
    writable(&args.report, args.evidence.as_deref())?;
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
    let gate = Gate { args: &args, check: &check, given: &given, folder: &folder };
    let ended = signals.unless(Box::pin(gate.run(&run, &mut progress))).await;
    let removed = spawn_blocking(move || folder.remove()).await;
    removed.map_err(|e| Failure::internal(e.to_string()))??;
    drop(guardian);
    ended
}

/// What the guardian of a run on this machine does.
pub(super) fn guardian(args: &LocalGuardianArgs) -> Result<Exit, Failure> {
    guard(&Root::at(args.root.clone())?, &args.run).map(|()| Exit::Success)
}

/// One run.
struct Gate<'a> {
    args: &'a LocalArgs,
    check: &'a GoLiveCheck,
    given: &'a [(String, String)],
    folder: &'a RunFolder,
}

impl Gate<'_> {
    async fn run(&self, run: &str, progress: &mut Progress) -> Result<Exit, Failure> {
        let plan = self.plan(run, progress);
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
        for request in 0..plan.traffic.requests.len() {
            for (name, value) in self.given {
                target.headers.add(request, name, value).map_err(Failure::usage)?;
            }
        }
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
    fn plan(&self, run: &str, progress: &mut Progress) -> Plan {
        let local = &self.check.spec.local;
        let version = local.env.get("SERVICE_VERSION").map_or("local", String::as_str);
        let names = self.given.iter().map(|(name, _)| name.clone()).collect();
        let target = planned(self.check, version);
        let mut plan = Plan::new(self.check, target, std::collections::BTreeMap::new(), names, run);
        plan.place = Place::Machine;
        // One machine is one vantage point.
        plan.traffic.agents = 1;
        plan.dependencies.retain(|dependency| {
            let there = local.dependencies.contains_key(&dependency.name);
            if !there {
                progress.tell(&format!(
                    "left out: {}, for which spec.local.dependencies names no variable",
                    dependency.name
                ));
            }
            there
        });
        plan
    }
}

/// The target file, or what the arguments say in its place.
fn read(args: &LocalArgs) -> Result<GoLiveCheck, Failure> {
    let mut check = match &args.file {
        Some(file) => GoLiveCheck::read(file)?,
        None => from_arguments(args)?,
    };
    let local = &mut check.spec.local;
    if !args.command.is_empty() {
        let text = |word: &std::ffi::OsString| word.clone().into_string();
        let words: Result<Vec<String>, _> = args.command.iter().map(text).collect();
        local.command =
            words.map_err(|word| Failure::usage(format!("COMMAND: {} is not UTF-8", word.display())))?;
    }
    local.replicas = args.replicas.unwrap_or(local.replicas);
    if local.command.is_empty() {
        return Err(Failure::usage(
            "what does a copy run? expected a command behind --, or spec.local.command",
        )
        .hint("validator local -f golive.yaml -- ./service --flag"));
    }
    if local.replicas == 0 {
        return Err(Failure::usage("--replicas: expected at least 1"));
    }
    let throw_away = |d: &Dependency| {
        d.protocol == Protocol::Postgres && local.dependencies.get(&d.name).is_some_and(|d| d.url.is_none())
    };
    if args.seed.is_some() && !check.spec.dependencies.iter().any(throw_away) {
        return Err(Failure::usage("--seed: there is no throw-away Postgres to run it in")
            .hint("name its variable with --postgres, or in spec.local.dependencies without a url"));
    }
    if let Some(rate) = args.rate {
        check.spec.traffic.rate = rate;
    }
    Ok(check)
}

fn from_arguments(args: &LocalArgs) -> Result<GoLiveCheck, Failure> {
    let requests: Result<_, String> = args.get.iter().cloned().map(RequestSpec::get).collect();
    let requests = requests.map_err(|wrong| Failure::usage(format!("--get {wrong}")))?;
    let program = args.command.first().and_then(|word| std::path::Path::new(word).file_stem());
    let name = program.map_or_else(|| "service".to_owned(), |name| name.to_string_lossy().to_lowercase());
    let mut check = GoLiveCheck::for_deployment(&name, "default", requests);
    let named = [
        ("postgres", Protocol::Postgres, &args.postgres),
        ("redis", Protocol::Redis, &args.redis),
        ("traces", Protocol::Otlp, &args.otlp),
    ];
    for (name, protocol, variable) in named {
        let Some(variable) = variable else { continue };
        let (name, readiness) =
            (name.to_owned(), if protocol.is_store() { Need::Required } else { Need::None });
        let upstream = Upstream::Service { name: name.clone(), namespace: None };
        let declared = LocalDependency { variable: variable.clone(), url: None };
        check.spec.local.dependencies.insert(name.clone(), declared);
        check.spec.dependencies.push(Dependency { name, upstream, protocol, readiness, breaker: None });
    }
    Ok(check)
}
