//! `validator run`: discover, experiment, judge, clean up.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::checks::ALL;
use crate::cli::RunArgs;
use crate::cluster::{
    Candidate, Cluster, Site, Target, at_rest_again, clean_up, discover, find_sites, keep, no_other_run,
    preflight,
};
use crate::config::{GoLiveCheck, Policy, RequestSpec};
use crate::evidence::{Evidence, write};
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::judge::judge;
use crate::moment::now;
use crate::plan::{Plan, TrafficPlan};
use crate::progress::Progress;

/// Load agents of a run: one vantage point per node, on two nodes.
const AGENTS: usize = 2;

/// How long the target may need to be at rest again after the run.
const REST: Duration = Duration::from_mins(5);

/// Runs the gate.
pub(super) async fn run(args: RunArgs) -> Result<Exit, Failure> {
    let check = target_file(&args)?;
    writable(&args)?;
    let mut progress = Progress::new(args.quiet);
    let cluster = Cluster::connect(args.cluster.context.as_deref(), &check.metadata.namespace).await?;
    progress.tell(&format!("context {}, namespace {}", cluster.context(), cluster.namespace()));
    preflight(&cluster).await?;
    no_other_run(&cluster).await?;
    let mut signals = Signals::listen()?;
    let (target, sites, plan) = tokio::select! {
        prepared = prepare(&args, &check, &cluster, &mut progress) => prepared?,
        // What was left of the clean-up is left for the next run, as after any other end of this process.
        () = signals.first() => return Err(Failure::interrupted()),
    };
    let outcome = tokio::select! {
        outcome = experiment(&args, &cluster, &target, &sites, &plan, &mut progress) => outcome,
        () = signals.first() => Err(Failure::interrupted()),
    };
    let ended = match outcome {
        Ok((evidence, failed)) => conclude(&args, &evidence, failed, &mut progress),
        Err(failure) => Err(failure),
    };
    let stays = args.keep || matches!(ended, Ok(Exit::Success));
    let left = leave(&cluster, &target, stays, &mut progress).await;
    match (ended, left) {
        (Ok(exit), Ok(())) => Ok(exit),
        (Err(failure), Ok(())) if failure.exit() == Exit::Interrupted => {
            Err(failure.hint("the clean-up is done"))
        }
        (Err(failure), Ok(())) | (Ok(_), Err(failure)) => Err(failure),
        // The first failure is the one to act on; the second one says what is left to do.
        (Err(failure), Err(left)) => {
            progress.tell(&left.to_string());
            Err(failure.hint("the clean-up was not finished: `validator cleanup` does the rest"))
        }
    }
}

/// Takes away what an earlier run has left, and finds out what there is to work with.
async fn prepare(
    args: &RunArgs,
    check: &GoLiveCheck,
    cluster: &Cluster,
    progress: &mut Progress,
) -> Result<(Target, Vec<Site>, Plan), Failure> {
    for line in clean_up(cluster).await? {
        progress.tell(&format!("left behind by an earlier run: {line}"));
        at_rest_again(cluster, &check.spec.target.deployment, Instant::now() + REST).await?;
    }
    let target = discover(cluster, check, args.image.as_deref(), now()).await?;
    let sites = find_sites(cluster, &check.spec.dependencies, &target.plan.service).await?;
    let plan = plan(check, &target);
    Ok((target, sites, plan))
}

async fn experiment(
    args: &RunArgs,
    cluster: &Cluster,
    target: &Target,
    sites: &[Site],
    plan: &Plan,
    progress: &mut Progress,
) -> Result<(Evidence, Option<Failure>), Failure> {
    let experiment = Experiment {
        cluster,
        target,
        sites,
        plan,
        candidate: args.image.clone().map_or(Candidate::Restart, Candidate::Image),
        agent_image: &args.agent_image,
        deadline: Instant::now() + Duration::from_secs_f64(args.timeout.0),
    };
    experiment.run(progress).await
}

/// An output that cannot be written is found out now, not after the run.
fn writable(args: &RunArgs) -> Result<(), Failure> {
    for path in args.report.iter().map(|report| &report.path).chain(&args.evidence) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let made = folder.map_or(Ok(()), std::fs::create_dir_all);
        let there = path.exists();
        let opened = made.and_then(|()| std::fs::OpenOptions::new().append(true).create(true).open(path));
        let tried = opened.and_then(|_| if there { Ok(()) } else { std::fs::remove_file(path) });
        tried.map_err(|e| Failure::usage(format!("cannot write {}: {e}", path.display())))?;
    }
    Ok(())
}

/// Saves the evidence before anything else can fail, then judges and tells.
fn conclude(
    args: &RunArgs,
    evidence: &Evidence,
    failed: Option<Failure>,
    progress: &mut Progress,
) -> Result<Exit, Failure> {
    let run = &evidence.plan().run;
    let path = args
        .evidence
        .clone()
        .unwrap_or_else(|| PathBuf::from("golive-out").join(format!("{run}.evidence.zst")));
    write(&path, evidence).map_err(|e| Failure::environment(e.to_string()))?;
    progress.tell(&format!("evidence: {}", path.display()));
    if let Some(failure) = failed {
        // Half a run is evidence, but no verdict: `validator judge` shows how far it came.
        return Err(failure);
    }
    let report = judge(evidence, ALL);
    super::publish(&report, &args.report)?;
    Ok(report.verdict.exit())
}

async fn leave(
    cluster: &Cluster,
    target: &Target,
    stays: bool,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let name = &target.plan.deployment;
    progress.expect(Duration::ZERO);
    if stays {
        keep(cluster, name).await?;
        progress.tell("the candidate stays");
    }
    for line in clean_up(cluster).await? {
        progress.tell(&format!("clean-up: {line}"));
    }
    if !stays && !at_rest_again(cluster, name, Instant::now() + REST).await? {
        progress.tell(&format!("deployment/{name} is not at rest yet; see `kubectl rollout status`"));
    }
    Ok(())
}

/// SIGTERM and SIGINT, kept from the moment they are listened for until they are asked for.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|e| Failure::environment(format!("no signal handler: {e}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn target_file(args: &RunArgs) -> Result<GoLiveCheck, Failure> {
    let mut check = match (&args.file, &args.target) {
        (Some(file), _) => GoLiveCheck::read(file)?,
        (None, Some(target)) => from_arguments(target, args)?,
        (None, None) => return Err(Failure::usage("name a target: deployment/NAME or -f FILE")),
    };
    if let Some(namespace) = &args.cluster.namespace {
        check.metadata.namespace.clone_from(namespace);
    }
    if let Some(rate) = args.rate {
        check.spec.traffic.rate = rate;
    }
    Ok(check)
}

fn from_arguments(target: &str, args: &RunArgs) -> Result<GoLiveCheck, Failure> {
    let name = match target.split_once('/') {
        Some(("deployment" | "deploy" | "deployment.apps", name)) if !name.is_empty() => name,
        _ => {
            return Err(Failure::usage(format!("`{target}`: expected deployment/NAME"))
                .hint(format!("validator run deployment/{target} -n NAMESPACE --get /PATH")));
        }
    };
    if args.get.is_empty() {
        return Err(Failure::usage("what do users ask for? expected at least one --get PATH")
            .hint(format!("validator run {target} --get '/api/users/{{1..1000}}'")));
    }
    let requests: Result<_, String> = args.get.iter().cloned().map(RequestSpec::get).collect();
    let requests = requests.map_err(|wrong| Failure::usage(format!("--get {wrong}")))?;
    let namespace = args.cluster.namespace.as_deref().unwrap_or("default");
    let mut check = GoLiveCheck::for_deployment(name, namespace, requests);
    check.spec.target.service.clone_from(&args.service);
    Ok(check)
}

fn plan(check: &GoLiveCheck, target: &Target) -> Plan {
    let traffic = &check.spec.traffic;
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    Plan {
        run: format!("golive-{}-{}", target.plan.deployment, &suffix[..6]),
        trace_prefix: format!("{:08x}", fastrand::u32(1..)),
        target: target.plan.clone(),
        traffic: TrafficPlan {
            rate: traffic.rate.per_second(),
            sampled: traffic.sampled.per_second().min(traffic.rate.per_second()),
            requests: traffic.requests.clone(),
            agents: AGENTS,
        },
        dependencies: check.spec.dependencies.clone(),
        readiness_policy: check.spec.readiness,
        policy: Policy::default(),
    }
}
