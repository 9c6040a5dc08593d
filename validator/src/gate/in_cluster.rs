//! The gate of a deployment in a cluster, under the Lease of its namespace.

#[cfg(test)]
mod observed;
#[cfg(test)]
mod slow;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::{Gate, Sink};
use crate::cluster::{
    Candidate, Cluster, HeldLease, InCluster, Site, Takeover, at_rest_again, clean_up, discover, find_sites,
    keep, kept_by, preflight, unfinished,
};
use crate::config::{GoLiveCheck, Purpose};
use crate::exit::Exit;
use crate::experiment::{Experiment, Observation, Ran, forecast, in_time};
use crate::failure::Failure;
use crate::moment::now;
use crate::plan::{Part, Plan, Rules};
use crate::report::{Report, Verdict};
use crate::steer::Target;

/// How long the target may need to be at rest again after the run.
const REST: Duration = Duration::from_mins(5);

/// What is gated, and how.
#[derive(Clone, Debug)]
pub struct ClusterRun {
    /// What its owner declares.
    pub check: GoLiveCheck,
    /// Whether it is proven, or looked at: then image, parts, timeout and keep are nothing to it.
    pub purpose: Purpose,
    /// What is judged by.
    pub rules: Rules,
    /// Headers of every request, with values that no file holds.
    pub given: Vec<(String, String)>,
    /// Kubeconfig context; the current one when absent.
    pub context: Option<String>,
    /// The candidate; a restart of what is there when absent.
    pub image: Option<String>,
    /// Image of all agents and of the guardian.
    pub agent_image: String,
    /// The parts of the experiment that are done.
    pub parts: BTreeSet<Part>,
    /// No roll may end later than this after the start.
    pub timeout: Duration,
    /// Whether the candidate stays whatever is found.
    pub keep: bool,
}

/// What there is to work with.
struct Prepared {
    target: Target,
    /// Label selector of its pods.
    selector: String,
    sites: Vec<Site>,
    plan: Plan,
}

/// What a run leaves in the namespace.
enum Left {
    /// Nothing, as far as it is up to this run.
    Clean,
    /// Objects that a later clean-up must take away.
    Behind,
}

/// A run that holds the Lease.
struct Held<'a, S> {
    gate: &'a Gate<'a, S>,
    run: &'a ClusterRun,
    cluster: &'a Cluster,
    lease: &'a HeldLease,
}

impl<S: Sink> Gate<'_, S> {
    /// Gates a deployment: takes the Lease, prepares, experiments, judges, and leaves the candidate there or takes it back.
    ///
    /// # Errors
    /// Exit 3 when the environment is in the way, also where GO was said of a candidate that was taken back; exit 2 for what the
    /// target file says wrong of the cluster, and for a timeout within which no run could end; exit 130 when it was cancelled, the clean-up done.
    ///
    /// # Cancel safety
    /// Dropped where it stands, it leaves what `validator cleanup`, the next run or the guardian undo; cancel it by its token.
    pub async fn in_cluster(&self, run: &ClusterRun) -> Result<Report, Failure> {
        let namespace = &run.check.metadata.namespace;
        let cluster = Cluster::connect(run.context.as_deref(), namespace).await?;
        self.events.tell(format!("context {}, namespace {}", cluster.context(), cluster.namespace()));
        self.unless_cancelled(preflight(&cluster)).await?;
        let name = super::run_name(&run.check.spec.target.deployment);
        let waiting = |line: &str| self.events.tell(line);
        let takeover = if run.purpose.proves() { Takeover::AfterLook } else { Takeover::Lapsed };
        let taken = Box::pin(HeldLease::take(&cluster, (name.as_str(), run.purpose), takeover, waiting));
        let lease = self.unless_cancelled(taken).await?;
        let held = Held { gate: self, run, cluster: &cluster, lease: &lease };
        let (ended, left) = Box::pin(held.whole(&name)).await;
        match left {
            Left::Clean => released(lease, ended).await,
            // What still needs the Lease keeps it until it lapses; then the guardian does its part.
            Left::Behind => ended,
        }
    }
}

impl<S: Sink> Held<'_, S> {
    /// Prepares, experiments, judges, cleans up.
    async fn whole(&self, name: &str) -> (Result<Report, Failure>, Left) {
        let Self { gate, run, cluster, lease } = *self;
        // What was left of the clean-up is left for the next run, as after any other end of this process.
        let prepared = match self.alone(self.prepare(name)).await {
            Ok(prepared) => prepared,
            Err(failure) => return (Err(failure), Left::Clean),
        };
        let (ended, taken_back) = match self.alone(Box::pin(self.experiment(&prepared))).await {
            Ok(Ran { evidence, failure, taken_back }) => (gate.judged(&evidence, failure), taken_back),
            Err(failure) => (Err(failure), None),
        };
        let lets_stay = || ended.as_ref().is_ok_and(|report| report.verdict.lets_stay());
        let stays = run.purpose.proves() && (run.keep || lets_stay());
        let left = if let Some(lost) = lease.loss() {
            Err(lost)
        } else {
            tokio::select! {
                left = self.leave(&prepared.target, stays) => Ok(left),
                lost = lease.lost() => Err(lost),
            }
        };
        if let Ok(report) = &ended {
            gate.delivered(report).await;
        }
        match left {
            // Whoever has it cleans up.
            Err(lost) => (Err(lost), Left::Behind),
            Ok(Ok(())) => (standing(clean(ended), taken_back), Left::Clean),
            Ok(Err(failure)) => {
                let hint = cluster.cleanup_command();
                let hint = format!("the clean-up was not finished; this does the rest: {hint}");
                (Err(unclean(gate, ended, failure).hint(hint)), Left::Behind)
            }
        }
    }

    /// Works until it is cancelled or somebody else takes the Lease.
    async fn alone<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = self.gate.unless_cancelled(work) => done,
            lost = self.lease.lost() => Err(lost),
        }
    }

    /// Takes away what an earlier run has left, and finds out what there is to work with.
    async fn prepare(&self, name: &str) -> Result<Prepared, Failure> {
        match self.run.purpose {
            Purpose::Prove => Box::pin(self.prepare_proof(name)).await,
            Purpose::Observe => Box::pin(self.prepare_look(name)).await,
        }
    }

    /// Takes away what an earlier run has left, and waits until what was put back after it is at rest.
    async fn tidy(&self) -> Result<(), Failure> {
        let (cluster, name) = (self.cluster, &self.run.check.spec.target.deployment);
        let left = clean_up(cluster).await?;
        for line in &left {
            self.gate.events.tell(format!("left behind by an earlier run: {line}"));
        }
        if !left.is_empty() {
            at_rest_again(cluster, name, Instant::now() + REST).await?;
        }
        Ok(())
    }

    async fn prepare_proof(&self, name: &str) -> Result<Prepared, Failure> {
        let (ClusterRun { check, rules, given, image, parts, .. }, cluster) = (self.run, self.cluster);
        let events = &self.gate.events;
        self.tidy().await?;
        let (mut target, selector) =
            discover(cluster, check, Purpose::Prove, image.as_deref(), now()).await?;
        let sites = find_sites(cluster, &check.spec.dependencies, &target.plan).await?;
        if let Some(kept) = kept_by(cluster, &target.plan.deployment).await? {
            events.tell(kept);
        }
        let mut plan = planned(check, &mut target, given, parts.clone(), name)?;
        rules.govern(&mut plan);
        let warning = in_time(&plan, &target, self.run.timeout)?;
        for line in forecast(&plan, target.expected_roll).brief().into_iter().chain(warning) {
            events.tell(line);
        }
        Ok(Prepared { target, selector, sites, plan })
    }

    /// Stands before no dependency, and takes away nothing that an earlier run still owes the target.
    async fn prepare_look(&self, name: &str) -> Result<Prepared, Failure> {
        let (ClusterRun { rules, given, .. }, cluster) = (self.run, self.cluster);
        let check = self.run.check.gentle()?;
        unfinished(cluster).await?;
        self.tidy().await?;
        let (mut target, selector) = discover(cluster, &check, Purpose::Observe, None, now()).await?;
        let mut plan = planned(&check, &mut target, given, BTreeSet::new(), name)?.observing();
        rules.govern(&mut plan);
        for line in forecast(&plan, Duration::ZERO).brief() {
            self.gate.events.tell(line);
        }
        Ok(Prepared { target, selector, sites: Vec::new(), plan })
    }

    /// Proves, or looks on.
    async fn experiment(&self, prepared: &Prepared) -> Result<Ran, Failure> {
        let (run, Prepared { target, selector, sites, plan }) = (self.run, prepared);
        let candidate = run.image.clone().map_or(Candidate::Restart, Candidate::Image);
        let platform =
            InCluster { cluster: self.cluster, selector, sites, candidate, agent_image: &run.agent_image };
        if !run.purpose.proves() {
            return Observation { platform: &platform, target, plan }.run(&self.gate.events).await;
        }
        let deadline = Instant::now() + run.timeout;
        let experiment = Experiment { platform: &platform, target, plan, keep: run.keep, deadline };
        experiment.run(&self.gate.events).await
    }

    async fn leave(&self, target: &Target, stays: bool) -> Result<(), Failure> {
        let (cluster, events, name) = (self.cluster, &self.gate.events, &target.plan.deployment);
        events.expect(Duration::ZERO);
        if stays {
            let old = "the old template stands: what was seen before the roll out spoke against the candidate, or was not to be had";
            events.tell(if keep(cluster, name).await? { "the candidate stays" } else { old });
        }
        for line in clean_up(cluster).await? {
            events.tell(format!("clean-up: {line}"));
        }
        if self.run.purpose.proves() && !stays && !at_rest_again(cluster, name, Instant::now() + REST).await?
        {
            events.tell(format!("deployment/{name} is not at rest yet; see `kubectl rollout status`"));
        }
        Ok(())
    }
}

/// The plan of a run; values of headers go to the target, that is in no file, and only their names into the plan.
///
/// # Errors
/// Exit 2 for a header that cannot be sent.
pub fn planned(
    check: &GoLiveCheck,
    target: &mut Target,
    given: &[(String, String)],
    parts: BTreeSet<Part>,
    run: &str,
) -> Result<Plan, Failure> {
    for request in 0..check.spec.traffic.requests.len() {
        for (name, value) in given {
            target.headers.add(request, name, value).map_err(Failure::usage)?;
        }
    }
    let names = given.iter().map(|(name, _)| name.clone()).collect();
    Ok(Plan { parts, ..Plan::new(check, target.plan.clone(), target.ports.clone(), names, run) })
}

fn clean(ended: Result<Report, Failure>) -> Result<Report, Failure> {
    match ended {
        Err(failure) if failure.exit() == Exit::Interrupted => Err(failure.hint("the clean-up is done")),
        other => other,
    }
}

/// The first failure is the one to act on; the second one says what is left to do.
fn unclean<S>(gate: &Gate<'_, S>, ended: Result<Report, Failure>, left: Failure) -> Failure {
    match ended {
        Ok(_) => left,
        Err(failure) => {
            gate.events.tell(left.to_string());
            failure
        }
    }
}

/// A GO is told by exit 0 only where the candidate was not taken back: a pipeline takes that for a release.
fn standing(ended: Result<Report, Failure>, taken_back: Option<String>) -> Result<Report, Failure> {
    match (&ended, taken_back) {
        (Ok(report), Some(why)) if report.verdict.lets_stay() => Err(took_back(report.verdict, &why)),
        _ => ended,
    }
}

fn took_back(verdict: Verdict, why: &str) -> Failure {
    let told = format!("{verdict}, but the old template stands: {why}");
    Failure::environment(told).hint("run again or deploy it")
}

/// A Lease that cannot be deleted lapses: no reason to hide how the run ended.
async fn released(lease: HeldLease, ended: Result<Report, Failure>) -> Result<Report, Failure> {
    if let Err(failure) = lease.release().await {
        tracing::warn!(%failure, "the Lease lapses by itself");
    }
    ended
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::standing;
    use crate::checks::ALL;
    use crate::evidence::read;
    use crate::exit::Exit;
    use crate::judge::judge;
    use crate::report::{Report, Verdict};

    fn report(verdict: Verdict) -> Report {
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good.evidence.zst");
        Report { verdict, ..judge(&read(&good).unwrap(), ALL) }
    }

    #[test]
    fn a_go_whose_candidate_was_taken_back_is_not_exit_0() {
        let why = || Some("it could not be judged within 60 s".to_owned());
        assert_eq!(standing(Ok(report(Verdict::Go)), None).unwrap().verdict, Verdict::Go);
        assert_eq!(standing(Ok(report(Verdict::NoGo)), why()).unwrap().verdict, Verdict::NoGo);
        let in_part = standing(Ok(report(Verdict::GoInPart)), why()).unwrap();
        assert_eq!((in_part.verdict, in_part.verdict.lets_stay()), (Verdict::GoInPart, false));
        let told = standing(Ok(report(Verdict::GoWithWarnings)), why()).unwrap_err();
        assert_eq!(told.exit(), Exit::Inconclusive);
        let wanted = "GO-WITH-WARNINGS, but the old template stands: it could not be judged";
        assert!(told.to_string().contains(wanted), "{told}");
    }
}
