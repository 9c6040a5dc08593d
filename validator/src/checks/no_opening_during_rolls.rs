//! No circuit opens while pods are replaced.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Class, Fault, Millis, Step};
use crate::plan::Needs;
use crate::timeline::{Kind, PodLife, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B207",
    slug: "no-opening-during-rolls",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "A circuit that opens on every deploy is worse than no circuit.",
    how: "For each pod and dependency with a breaker, from 3 s after Ready to the deletion: no stretch of 3 s (80 % of openFor if that is less) without a call, given that 15 calls were due in it. In the roll in every read of a Redis dependency misses: a cold cache.",
    remedy: "Do not count as failures what a shutdown causes: cancelled calls, connections that the pool closes; warm the pool before Ready.",
    rests_on: &[
        Kind::Load,
        Kind::Validator,
        Kind::Agent,
        Kind::Record,
        Kind::Content,
        Kind::Dependency,
        Kind::Target,
        Kind::Watch,
        Kind::Clock,
    ],
    needs: Needs::Rolls,
    judge,
};

/// So long without a call looks like an open circuit, if the open time is not shorter.
const PAUSE_MS: Millis = 3_000;

/// Calls missing in a row that are no chance.
const DUE: f64 = 15.0;

/// Every node's proxy needs some time to learn of a new endpoint.
const SETTLED_MS: Millis = 3_000;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let stretches = stretches(timeline)?;
    let (mut pauses, mut shortest) = (Vec::new(), PAUSE_MS);
    for (dependency, _) in timeline.breakers() {
        let limit = limit(timeline, &dependency.name)?;
        shortest = shortest.min(limit);
        for (pod, window) in timeline.pods.iter().flat_map(|pod| windows(pod, &stretches)) {
            pauses.push(Pause::longest(timeline, &dependency.name, pod, window, limit)?);
        }
    }
    if let Some(few) = pauses.iter().find(|pause| pause.length >= pause.limit && pause.due < DUE) {
        let why = format!("{}, and {:.0} were due: raise the rate", few.case.text, few.due);
        if !pauses.iter().any(Pause::is_opening) {
            return Err(Unmeasured::NotSeen(why));
        }
    }
    let Some(longest) = pauses.iter().map(|pause| pause.length).max() else {
        return Err(Unmeasured::NotSeen("no pod was Ready for long enough".into()));
    };
    let wrong = pauses.into_iter().filter(Pause::is_opening).map(|pause| pause.case);
    let measured = format!("longest pause {:.1} s", longest as f64 / 1000.0);
    Ok(Finding::unless(wrong, "calls of every Ready pod went on all through both rolls")
        .measured(measured, format!("< {} s", shortest as f64 / 1000.0))
        .details(cold(timeline)))
}

/// The longest stretch of one pod without a call.
struct Pause {
    length: Millis,
    /// So long it has to be.
    limit: Millis,
    /// Calls that were due in it at least.
    due: f64,
    case: Case,
}

impl Pause {
    fn longest(
        timeline: &Timeline,
        dependency: &str,
        pod: &PodLife,
        window: (Millis, Millis),
        limit: Millis,
    ) -> Result<Self, Unmeasured> {
        let calls = timeline.calls.of(dependency, &pod.name);
        let (length, since) = calls.longest_pause(window);
        let text = format!("{}: no call at {dependency} for {:.1} s", pod.name, length as f64 / 1000.0);
        let line = calls.lines((since - 1_000, since)).last().unwrap_or_default();
        let case = Case::over((since, since + length), text, line).of(&pod.name).before(dependency);
        Ok(Self { length, limit, due: due(timeline, dependency, (since, since + length))?, case })
    }

    /// Whether so many calls are missing that it is no chance.
    fn is_opening(&self) -> bool {
        self.length >= self.limit && self.due >= DUE
    }
}

/// Calls that one pod had to make in a time: of the requests over new connections, which every endpoint gets alike; whoever keeps
/// a connection may keep it to others.
fn due(timeline: &Timeline, dependency: &str, during: (Millis, Millis)) -> Result<f64, Unmeasured> {
    let load = timeline.load.class(Class::New, during);
    // In a roll there is one endpoint more.
    let endpoints = f64::from(timeline.plan().target.replicas.max(1)) + 1.0;
    Ok((load.answered + load.lost) as f64 / endpoints * timeline.calls_per_request(dependency)?)
}

/// Whether the roll in had a cold cache.
fn cold(timeline: &Timeline) -> Option<String> {
    let misses = timeline.faults.of_kind(|fault| *fault == Fault::Miss);
    let (faults, reads) = misses.fold((0, 0), |(faults, reads), (_, f)| (faults + 1, reads + f.hits));
    (faults > 0).then(|| match reads {
        0 => "no cache was read in the roll in: that it was cold changed nothing".to_owned(),
        reads => format!("{reads} reads of a cache were made to miss in the roll in"),
    })
}

/// How long a pause has to be, if one would show at all.
fn limit(timeline: &Timeline, dependency: &str) -> Result<Millis, Unmeasured> {
    timeline.trust.was_read(dependency)?;
    timeline.telling_pause(dependency, PAUSE_MS)
}

/// The rolls and the quiet phase between them; the pause of the load lies between those.
fn stretches(timeline: &Timeline) -> Result<Vec<(Millis, Millis)>, Unmeasured> {
    if timeline.breakers().next().is_none() {
        return Err(Unmeasured::NotDeclared("the target file declares no circuit breaker".into()));
    }
    let each = [Step::RollIn, Step::Quiet, Step::RollOut];
    each.into_iter().map(|step| timeline.between(step, step)).collect()
}

/// When a pod that is behind the middle agents had to make calls: the roll in brought it, the roll out did not.
fn windows<'p>(pod: &'p PodLife, stretches: &[(Millis, Millis)]) -> Vec<(&'p PodLife, (Millis, Millis))> {
    let (Some((begin, _)), Some((out, _))) = (stretches.first(), stretches.last()) else { return Vec::new() };
    let behind = (*begin..*out).contains(&pod.first_seen);
    let Some(ready) = pod.became_ready().filter(|_| behind) else {
        return Vec::new();
    };
    let deleted = pod.termination.as_ref().map_or(Millis::MAX, |t| t.at);
    let cut = stretches.iter().map(|(begin, end)| ((ready + SETTLED_MS).max(*begin), deleted.min(*end)));
    cut.filter(|(begin, end)| end - begin >= PAUSE_MS).map(|window| (pod, window)).collect()
}
