//! Every replaced container ends in order within its grace period.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::plan::Needs;
use crate::timeline::{ContainerExit, ExitKind, Kind, LostMeanwhile, PodLife, Termination, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S202",
    slug: "exits-zero-within-grace",
    area: Area::Shutdown,
    severity: Severity::Blocker,
    why: "137 means killed in the middle of work; 143 without a drain, that nobody listened to SIGTERM.",
    how: "The watch shows how each container of each old pod ended before the object is gone; a pod whose end was not seen is inconclusive. The container that serves must exit with 0; 143 and 130, which a JVM ends with after its shutdown hooks, are a warning where the drain is proven: requests were answered meanwhile, none was lost and no statement given up; a loss while the run itself was disturbed proves neither. With a candidate of another image only the ends of its own pods, in the roll out, are judged. Another container (a sidecar, a native one too) that ends otherwise is named, and held against the service only if requests were lost meanwhile.",
    remedy: "Handle SIGTERM in PID 1 (exec form, no shell in between), drain, exit 0 before the grace period ends.",
    rests_on: &[Kind::Watch, Kind::Load, Kind::Validator, Kind::Agent, Kind::Target, Kind::Clock],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let terminations = timeline.terminations_judged();
    if terminations.is_empty() {
        return Finding::inconclusive("no pod was terminated");
    }
    let ends = terminations.iter().filter_map(|(pod, end)| End::new(timeline, pod, end));
    let ends: Vec<End> = ends.collect();
    let total = terminations.len();
    let longest = timeline.longest_end_s().unwrap_or_default();
    let faults: Vec<Case> = ends.iter().flat_map(End::faults).collect();
    let told: Vec<Case> = ends.iter().flat_map(End::told).collect();
    if !faults.is_empty() {
        return Finding::unless(faults, String::new())
            .counted(format!("ends of {total} pods were out of order or too late"))
            .tally(format!("faults, longest {longest:.1} s"), "0 faults")
            .details(told.into_iter().map(|case| case.text));
    }
    let unproven = ends.iter().filter(|end| end.is_unproven()).count();
    let unseen = total - ends.len() + unproven;
    if unseen > 0 {
        let lines = terminations.iter().filter(|(_, t)| t.exit.is_none()).map(|(_, t)| t.line);
        return Finding::inconclusive(format!("how {unseen} of {total} pods ended was not seen"))
            .lines(lines);
    }
    let pass = format!("{total} of {total} pods ended in order, at most {longest:.1} s after the deletion");
    Finding::warn_of(told, pass).measured(format!("0 faults, longest {longest:.1} s"), "0 faults")
}

/// One pod whose end was seen.
struct End<'a> {
    pod: &'a str,
    termination: &'a Termination,
    exit: &'a ContainerExit,
    lost: LostMeanwhile,
    given_up: usize,
    answered: u64,
}

impl<'a> End<'a> {
    fn new(timeline: &Timeline, pod: &'a PodLife, termination: &'a Termination) -> Option<Self> {
        Some(Self {
            pod: &pod.name,
            termination,
            exit: termination.exit.as_ref()?,
            lost: timeline.lost_during(termination),
            given_up: timeline.given_up_by(&pod.name, termination),
            answered: timeline.answered_during(termination),
        })
    }

    fn took_s(&self) -> f64 {
        (self.exit.at - self.termination.at) as f64 / 1000.0
    }

    /// Whether the container that serves did what nobody forgives.
    fn is_broken(&self) -> bool {
        let undrained = self.exit.kind() == ExitKind::BySignal && self.lost.by_target + self.given_up > 0;
        let late = self.took_s() > self.termination.grace_s as f64;
        undrained || late || self.exit.kind() == ExitKind::Broken
    }

    /// Ended by the signal, and nobody asked meanwhile, or what was lost may have been lost by something else: it may or
    /// may not have drained.
    fn is_unproven(&self) -> bool {
        self.exit.kind() == ExitKind::BySignal && (self.answered == 0 || self.lost.disturbed > 0)
    }

    fn faults(&self) -> Vec<Case> {
        let mut faults = Vec::new();
        faults.extend(self.is_broken().then(|| self.case(self.exit)));
        faults.extend(self.others().filter(|_| self.lost.by_target > 0).map(|exit| self.case(exit)));
        faults
    }

    /// What is worth a word and no more.
    fn told(&self) -> Vec<Case> {
        let by_signal = self.exit.kind() == ExitKind::BySignal && !self.is_broken();
        let mut told = Vec::new();
        told.extend(by_signal.then(|| self.case(self.exit)));
        told.extend(self.others().filter(|_| self.lost.by_target == 0).map(|exit| self.case(exit)));
        told
    }

    /// Containers that do not serve and did not exit with 0.
    fn others(&self) -> impl Iterator<Item = &'a ContainerExit> {
        self.termination.others.iter().filter(|exit| exit.kind() != ExitKind::Clean)
    }

    fn case(&self, exit: &ContainerExit) -> Case {
        let (pod, took, grace) =
            (self.pod, (exit.at - self.termination.at) as f64 / 1000.0, self.termination.grace_s);
        let ContainerExit { container, code, reason, .. } = exit;
        let lost = if self.lost.by_target > 0 {
            format!(", {} requests lost meanwhile", self.lost.by_target)
        } else {
            String::new()
        };
        let text = format!(
            "{pod}: container `{container}` exit {code} ({reason}) after {took:.1} s of {grace} s{lost}"
        );
        Case::over((self.termination.at, exit.at), text, exit.line).of(pod)
    }
}
