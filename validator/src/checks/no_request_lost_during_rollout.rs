//! No request is lost while pods are replaced, on any kind of client connection.

use std::collections::BTreeMap;

use crate::check::{Area, Case, Check, Finding, Outcome, Severity};
use crate::evidence::{self, Class, Millis, RequestFact, SecondFact};
use crate::plan::Needs;
use crate::timeline::{About, ClassLoad, LOSSES_REST_ON, PodLife, Termination, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S201",
    slug: "no-request-lost-during-rollout",
    area: Area::Shutdown,
    severity: Severity::Blocker,
    why: "Every lost request is a user who saw an error because we deployed.",
    how: "Open-loop load from inside the cluster without any retry, each connection class side by side, through two rolls; a request without a complete answer, or with another one than its `expect` or else the quiet phase says, is lost. The zero is held against its power: 3/(rate x the shares of the load that the terminations met) seconds of blindness are ruled out at 95 %, each share measured by the pod's calls just before its end, else taken to be even; what fell into a disturbance of the run counts neither for nor against. What is answered with a status below 500 while we let reads of a cache miss is a warning: a session that is kept there alone was not found by our doing. With a candidate of another image its own ends are judged, in the roll out: what is refused or broken off while a pod of the version that it replaces ends is a warning, and a wrong answer then is inconclusive.",
    remedy: "Keep accepting for some seconds after SIGTERM, answer with Connection: close, finish what is in flight, then exit.",
    rests_on: LOSSES_REST_ON,
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let rolling = timeline.rolling();
    if rolling.is_empty() {
        return Finding::inconclusive("no roll was made");
    }
    let all = timeline.load.all_over(&rolling);
    if all.answered == 0 && all.lost == 0 {
        return Finding::inconclusive("no request was sent during the rolls");
    }
    let classes: Vec<ClassResult> =
        classes_in(timeline).map(|class| ClassResult::new(timeline, class, &rolling)).collect();
    let mut details: Vec<String> = classes.iter().map(ClassResult::text).collect();
    details.push(timeline.spread_text());
    let blindest = classes.iter().map(|c| c.blind_s).fold(0.0, f64::max);
    let total = all.answered + all.lost;
    let (own, others): (Vec<Lost>, Vec<Lost>) =
        lost(timeline, &rolling).into_iter().partition(|lost| lost.by == By::Target);
    let finding = if !own.is_empty() {
        details.extend(others.iter().map(|lost| lost.case.text.clone()).take(TOLD));
        Finding::unless(own.into_iter().map(|lost| lost.case), String::new())
            .counted(format!("of {total} requests were lost"))
            .tally("", "0")
    } else if !others.is_empty() && !timeline.terminations_judged().is_empty() {
        by_others(timeline, others, total, blindest)
    } else {
        none_lost(timeline, total, blindest)
    };
    finding.details(details)
}

/// Losses of others that are told beside those of the candidate.
const TOLD: usize = 3;

/// Whom a loss tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// What is to go live.
    Target,
    /// The version that is replaced: a connection was refused or broken off while a pod of it was on its way out.
    Replaced,
    /// Either: a status was answered then, and it may have been the candidate that was not warm.
    Either,
    /// Us: it was answered as if something were not there, while we let reads of a cache miss.
    Cold,
}

struct Lost {
    case: Case,
    by: By,
}

/// Lost by nobody but the version that is replaced, or us: what is to go live may be the repair of it, if its own zero is one.
fn by_others(timeline: &Timeline, lost: Vec<Lost>, total: u64, blindest: f64) -> Finding {
    let limit_s = timeline.plan().limits().max_blind_window_s;
    let any = |by| lost.iter().any(|lost| lost.by == by);
    let open = any(By::Either);
    let words = match (any(By::Replaced), any(By::Cold)) {
        _ if open => "lost while pods of the version that is replaced ended: by them, or by the candidate",
        (_, false) => "lost by the version that is replaced",
        (true, true) => "lost by the version that is replaced, or since we let reads of a cache miss",
        (false, true) => "not answered as usual since we let reads of a cache miss",
    };
    let is_blind = blindest > limit_s;
    let unseen = format!(", and of the candidate a blind window of {blindest:.2} s would have gone unseen");
    let unseen = if is_blind { unseen } else { String::new() };
    let mut told = Finding::warn_of(lost.into_iter().map(|lost| lost.case), String::new())
        .counted(format!("of {total} requests were {words}{unseen}"))
        .tally("", "0");
    if open || is_blind {
        told.outcome = Outcome::Inconclusive;
    }
    told
}

/// What a zero is worth.
fn none_lost(timeline: &Timeline, total: u64, blindest: f64) -> Finding {
    let ends = timeline.terminations_judged().len();
    if ends == 0 {
        return Finding::inconclusive("no pod was seen to end: that nothing was lost proves nothing");
    }
    let limit_s = timeline.plan().limits().max_blind_window_s;
    let proof = format!("0 of {total} requests lost over {ends} terminations");
    let finding = if blindest <= limit_s {
        Finding::pass(proof)
    } else {
        let unseen = format!("{proof}, but a blind window of {blindest:.2} s would have gone unseen");
        Finding::inconclusive(unseen)
    };
    finding.measured(format!("0 lost, blind window <= {blindest:.2} s"), format!("0 lost, <= {limit_s} s"))
}

struct ClassResult {
    class: Class,
    load: ClassLoad,
    blind_s: f64,
    open: u64,
}

impl ClassResult {
    fn new(timeline: &Timeline, class: Class, rolling: &[(Millis, Millis)]) -> Self {
        let load = timeline.load.class_over(class, rolling);
        let terminations = timeline.terminations_judged();
        let seconds = rolling.iter().map(|(begin, end)| end - begin).sum::<Millis>().max(1) as f64 / 1000.0;
        let per_second = (load.answered + load.lost) as f64 / seconds;
        let open = terminations.iter().map(|(_, t)| timeline.load.open_at(class, t.at)).sum();
        Self { class, load, blind_s: 3.0 / (per_second * seen(timeline, &terminations)), open }
    }

    fn text(&self) -> String {
        let Self { class, load, blind_s, open } = self;
        let name = class.name();
        let (sent, p99) = (load.answered + load.lost, load.times.quantile_bound_ms(0.99));
        let power = if blind_s.is_finite() { format!("blind <= {blind_s:.2} s") } else { "no power".into() };
        let kept =
            if class.keeps_connections() { format!(", {open} open at deletions") } else { String::new() };
        format!("{name}: {sent} sent, p99 < {p99} ms, {power}{kept}")
    }
}

/// The shares of the load that met an end which would have shown a loss, added up over all ends: what happened while the
/// run was disturbed proves nothing, so that an end of which a third was disturbed counts as two thirds.
fn seen(timeline: &Timeline, terminations: &[(&PodLife, &Termination)]) -> f64 {
    let clear = |end: &Termination| {
        let during = (end.at, end.ended().unwrap_or(end.at));
        timeline.trust.clear_share(CHECK.rests_on, About::default(), during)
    };
    terminations.iter().map(|(pod, end)| clear(end) * timeline.share_at_end(&pod.name, end.at)).sum()
}

fn classes_in(timeline: &Timeline) -> impl Iterator<Item = Class> {
    Class::ALL.into_iter().filter(|class| timeline.load.seconds.iter().any(|(_, s)| s.class == *class))
}

/// Lost requests, by agent, class and second. One that was sent late in its second fails in a later one.
fn lost(timeline: &Timeline, rolling: &[(Millis, Millis)]) -> Vec<Lost> {
    let mut full: BTreeMap<(&str, Millis), Vec<(usize, &RequestFact)>> = BTreeMap::new();
    for (line, request) in timeline.load.lost() {
        full.entry((&request.agent, request.due)).or_default().push((line, request));
    }
    let through = timeline.load.seconds.iter().filter(|(_, s)| s.class != Class::Direct);
    let inside = |s: &SecondFact| rolling.iter().any(|(begin, end)| s.at + 999 >= *begin && s.at <= *end);
    let cases = through.filter(|(_, s)| inside(s)).filter_map(|(line, second)| {
        let (count, words) = timeline.load.lost_in(second);
        if count == 0 {
            return None;
        }
        let agent = second.agent.as_str();
        let requests = full.range((agent, second.at)..=(agent, second.at + 999)).flat_map(|(_, all)| all);
        let mine = requests.filter(|(_, r)| second.holds(r));
        let (first, until) = mine.fold((None, second.at + 999), |(first, until), (line, r)| {
            (first.or(Some(*line)), until.max(r.during().1))
        });
        let text = format!("{}: {words}", second.class.name());
        let case = Case::over((second.at, until), text, first.unwrap_or(*line)).times(count);
        Some(Lost { case, by: by(timeline, second) })
    });
    cases.collect()
}

fn by(timeline: &Timeline, second: &SecondFact) -> By {
    let lost = second.outcomes.iter().map(|(ended, _)| *ended);
    let lost = lost.filter(|ended| timeline.load.is_lost(second.template, *ended));
    let mut others = lost.filter(|ended| !timeline.is_left_cold(*ended, second.during())).peekable();
    if others.peek().is_none() {
        By::Cold
    } else if !timeline.replaced_leaves(second.during()) {
        By::Target
    } else if others.any(evidence::Outcome::is_response) {
        By::Either
    } else {
        By::Replaced
    }
}
