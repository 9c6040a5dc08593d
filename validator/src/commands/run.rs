//! `validator run`: discover, experiment, judge, clean up.

pub(super) mod signals;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use self::signals::Signals;
use super::publish::publish;
use super::target_file;
use crate::checks::ALL;
use crate::cli::{ReportArgs, RunArgs};
use crate::cluster::{
    Candidate, Cluster, HeldLease, InCluster, Site, Takeover, at_rest_again, clean_up, discover, find_sites,
    keep, kept_by, preflight,
};
use crate::config::GoLiveCheck;
use crate::evidence::{Evidence, write};
use crate::exit::Exit;
use crate::experiment::{Experiment, Ran, forecast};
use crate::failure::Failure;
use crate::judge::judge;
use crate::moment::now;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::ReportFile;
use crate::steer::Target;

/// How long the target may need to be at rest again after the run.
const REST: Duration = Duration::from_mins(5);

/// Runs the gate.
pub(super) async fn run(args: RunArgs) -> Result<Exit, Failure> {
    let check = target_file::read(&args.target)?;
    let given = target_file::given(&args.target, &check)?;
    writable(&args.report, args.evidence.as_deref())?;
    let mut progress = Progress::new(args.report.quiet);
    let cluster = Cluster::connect(args.target.cluster.context.as_deref(), &check.metadata.namespace).await?;
    progress.tell(&format!("context {}, namespace {}", cluster.context(), cluster.namespace()));
    preflight(&cluster).await?;
    let mut signals = Signals::listen()?;
    let run = super::holder(&check.spec.target.deployment);
    let lease = {
        let taken = HeldLease::take(&cluster, &run, Takeover::Lapsed, |line| progress.tell(line));
        signals.unless(taken).await?
    };
    let mut gate = Gate { args: &args, given, cluster: &cluster, lease: &lease, signals, progress };
    let (ended, left) = Box::pin(gate.run(&check, &run)).await;
    match left {
        Left::Clean => released(lease, ended).await,
        // What still needs the Lease keeps it until it lapses; then the guardian does its part.
        Left::Behind => ended,
    }
}

fn clean(ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
    match ended {
        Err(failure) if failure.exit() == Exit::Interrupted => Err(failure.hint("the clean-up is done")),
        other => other,
    }
}

/// A GO is told by exit 0 only where the candidate was not taken back: a pipeline takes that for a release.
fn standing(ended: Result<Exit, Failure>, taken_back: Option<String>) -> Result<Exit, Failure> {
    match (ended, taken_back) {
        (Ok(Exit::Success), Some(why)) => {
            let told = format!("GO, but the old template stands: {why}");
            Err(Failure::environment(told).hint("run again or deploy it"))
        }
        (ended, _) => ended,
    }
}

/// A Lease that cannot be deleted lapses: no reason to hide how the run ended.
async fn released(lease: HeldLease, ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
    if let Err(failure) = lease.release().await {
        tracing::warn!(%failure, "the Lease lapses by itself");
    }
    ended
}

/// What a run leaves in the namespace.
enum Left {
    /// Nothing, as far as it is up to this run.
    Clean,
    /// Objects that a later clean-up must take away.
    Behind,
}

/// One run that holds the Lease.
struct Gate<'a> {
    args: &'a RunArgs,
    /// Headers of the command line, with their values, and the rules.
    given: target_file::Given,
    cluster: &'a Cluster,
    lease: &'a HeldLease,
    signals: Signals,
    progress: Progress,
}

impl Gate<'_> {
    /// Prepares, experiments, judges, cleans up.
    async fn run(&mut self, check: &GoLiveCheck, run: &str) -> (Result<Exit, Failure>, Left) {
        let (args, cluster, lease) = (self.args, self.cluster, self.lease);
        let prepared = Box::pin(prepare(args, check, &self.given, cluster, run, &mut self.progress));
        // What was left of the clean-up is left for the next run, as after any other end of this process.
        let Prepared { target, selector, sites, plan } = match alone(lease, &mut self.signals, prepared).await
        {
            Ok(prepared) => prepared,
            Err(failure) => return (Err(failure), Left::Clean),
        };
        let candidate = args.image.clone().map_or(Candidate::Restart, Candidate::Image);
        let (selector, sites, agent_image) = (selector.as_str(), sites.as_slice(), args.agent_image.as_str());
        let platform = InCluster { cluster, selector, sites, candidate, agent_image };
        let experiment = Experiment {
            platform: &platform,
            target: &target,
            plan: &plan,
            keep: args.keep,
            deadline: Instant::now() + Duration::from_secs_f64(args.timeout.0),
        };
        let experiment = Box::pin(experiment.run(&mut self.progress));
        let (ended, taken_back) = match alone(lease, &mut self.signals, experiment).await {
            Ok(Ran { evidence, failure, taken_back }) => {
                let (reports, file) = (&args.report, args.evidence.as_deref());
                (conclude(reports, file, &evidence, failure, &mut self.progress).await, taken_back)
            }
            Err(failure) => (Err(failure), None),
        };
        if let Some(lost) = lease.loss() {
            return (Err(lost), Left::Behind);
        }
        let stays = args.keep || matches!(ended, Ok(Exit::Success));
        let left = tokio::select! {
            left = leave(cluster, &target, stays, &mut self.progress) => left,
            // Whoever has it cleans up.
            lost = lease.lost() => return (Err(lost), Left::Behind),
        };
        match left {
            Ok(()) => (standing(clean(ended), taken_back), Left::Clean),
            Err(failure) => (self.unclean(ended, failure), Left::Behind),
        }
    }

    /// The first failure is the one to act on; the second one says what is left to do.
    fn unclean(&mut self, ended: Result<Exit, Failure>, left: Failure) -> Result<Exit, Failure> {
        let hint =
            format!("the clean-up was not finished; this does the rest: {}", self.cluster.cleanup_command());
        match ended {
            Ok(_) => Err(left.hint(hint)),
            Err(failure) => {
                self.progress.tell(&left.to_string());
                Err(failure.hint(hint))
            }
        }
    }
}

/// Works until a signal comes or somebody else takes the Lease.
async fn alone<T>(
    lease: &HeldLease,
    signals: &mut Signals,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = signals.unless(work) => done,
        lost = lease.lost() => Err(lost),
    }
}

/// What there is to work with.
struct Prepared {
    target: Target,
    /// Label selector of its pods.
    selector: String,
    sites: Vec<Site>,
    plan: Plan,
}

/// Takes away what an earlier run has left, and finds out what there is to work with.
async fn prepare(
    args: &RunArgs,
    check: &GoLiveCheck,
    given: &target_file::Given,
    cluster: &Cluster,
    run: &str,
    progress: &mut Progress,
) -> Result<Prepared, Failure> {
    let left = clean_up(cluster).await?;
    for line in &left {
        progress.tell(&format!("left behind by an earlier run: {line}"));
    }
    if !left.is_empty() {
        at_rest_again(cluster, &check.spec.target.deployment, Instant::now() + REST).await?;
    }
    let (mut target, selector) = discover(cluster, check, args.image.as_deref(), now()).await?;
    let sites = find_sites(cluster, &check.spec.dependencies, &target.plan).await?;
    if let Some(kept) = kept_by(cluster, &target.plan.deployment).await? {
        progress.tell(&kept);
    }
    let plan = target_file::plan(check, &mut target, given, run)?;
    for line in forecast(&plan, target.expected_roll).brief() {
        progress.tell(&line);
    }
    Ok(Prepared { target, selector, sites, plan })
}

/// An output that cannot be written is found out now, not after the run.
pub(super) fn writable(reports: &ReportArgs, evidence: Option<&Path>) -> Result<(), Failure> {
    reports.check()?;
    let files = reports.report.iter().filter_map(ReportFile::path).map(PathBuf::from);
    for path in files.chain([evidence_file(evidence, "writable")]) {
        let path = path.as_path();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let made = folder.map_or(Ok(()), std::fs::create_dir_all);
        let there = path.exists();
        let opened = made.and_then(|()| std::fs::OpenOptions::new().append(true).create(true).open(path));
        let tried = opened.and_then(|_| if there { Ok(()) } else { std::fs::remove_file(path) });
        tried.map_err(|e| {
            Failure::usage(format!("cannot write {}: {e}", path.display()))
                .hint("name files in a folder that can be written: --evidence FILE, --report FORMAT=FILE")
        })?;
    }
    Ok(())
}

/// Where the evidence of a run goes.
fn evidence_file(given: Option<&Path>, run: &str) -> PathBuf {
    given.map_or_else(|| PathBuf::from("golive-out").join(format!("{run}.evidence.zst")), Path::to_owned)
}

/// Saves the evidence before anything else can fail, then judges and tells.
pub(super) async fn conclude(
    reports: &ReportArgs,
    path: Option<&Path>,
    evidence: &Evidence,
    failed: Option<Failure>,
    progress: &mut Progress,
) -> Result<Exit, Failure> {
    let path = evidence_file(path, &evidence.plan().run);
    write(&path, evidence).map_err(|e| Failure::environment(e.to_string()))?;
    progress.tell(&format!("evidence: {}", path.display()));
    if let Some(failure) = failed {
        // Half a run is evidence, but no verdict: `validator judge` shows how far it came.
        return Err(failure);
    }
    let report = judge(evidence, ALL);
    progress.settle();
    // A report that does not arrive is no verdict: a candidate that passed is not taken back for it.
    for undelivered in publish(&report, reports).await {
        writeln!(anstream::stderr(), "{undelivered}").ok();
    }
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
        let old = "the old template stands: what was seen before the roll out spoke against the candidate, or was not to be had";
        progress.tell(if keep(cluster, name).await? { "the candidate stays" } else { old });
    }
    for line in clean_up(cluster).await? {
        progress.tell(&format!("clean-up: {line}"));
    }
    if !stays && !at_rest_again(cluster, name, Instant::now() + REST).await? {
        progress.tell(&format!("deployment/{name} is not at rest yet; see `kubectl rollout status`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::{conclude, standing};
    use crate::cli::{Cli, Command, RunArgs};
    use crate::evidence::read;
    use crate::exit::Exit;
    use crate::progress::Progress;

    fn args(extra: &[&str]) -> RunArgs {
        let line = ["validator", "run", "deployment/users", "--get", "/", "-q"];
        match Cli::parse_from(line.iter().chain(extra)).command {
            Command::Run(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_report_that_does_not_arrive_neither_changes_the_verdict_nor_keeps_another_back() {
        let folder = std::env::temp_dir().join(format!("golive-conclude-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        // Bound and dropped: nobody listens there.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (otlp, lost, json) = (
            format!("otlp=http://{closed}"),
            format!("html={}", at("no/such/folder.html")),
            format!("json={}", at("report.json")),
        );
        let text = format!("terminal={}", at("report.txt"));
        let args = args(&[
            "--evidence",
            &at("e.zst"),
            "--report",
            &otlp,
            "--report",
            &lost,
            "--report",
            &json,
            "--report",
            &text,
        ]);
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good.evidence.zst");
        let (reports, file) = (&args.report, args.evidence.as_deref());
        let ended = conclude(reports, file, &read(&good).unwrap(), None, &mut Progress::new(true)).await;
        assert_eq!(ended.unwrap(), Exit::Success);
        assert!(std::fs::read_to_string(at("report.json")).unwrap().contains("\"GO\""));
        assert_eq!(
            std::fs::read_to_string(at("report.txt")).unwrap().lines().count(),
            3,
            "-q holds for it too"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_go_whose_candidate_was_taken_back_is_not_exit_0() {
        let why = || Some("it could not be judged within 60 s".to_owned());
        assert_eq!(standing(Ok(Exit::Success), None).unwrap(), Exit::Success);
        assert_eq!(standing(Ok(Exit::NoGo), why()).unwrap(), Exit::NoGo);
        let told = standing(Ok(Exit::Success), why()).unwrap_err();
        assert_eq!(told.exit(), Exit::Inconclusive);
        assert!(
            told.to_string().contains("GO, but the old template stands: it could not be judged"),
            "{told}"
        );
    }
}
