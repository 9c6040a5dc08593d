//! What each request template showed while nothing was done to anything: which answers are right, and how long they
//! take.

use std::collections::BTreeMap;

use crate::config::RequestSpec;
use crate::evidence::{Class, Evidence, Fact, Histogram, Millis, Outcome, RequestFact, SecondFact};

/// A new version may answer so rarely with a status of the 4xx class that the old one never gave: by chance the old one
/// was not asked for what is not there.
const RARE: f64 = 0.01;

/// Of `n` answers without an event, a share above `3 / n` is ruled out at 95 %.
const RULE_OF_THREE: f64 = 3.0;

/// An answer that took longer is told in full.
const TOLD_MS: f64 = 1_000.0;

/// What is usual, by template.
#[derive(Clone, Debug, Default)]
pub(super) struct Usual(Vec<Template>);

#[derive(Clone, Debug, Default)]
struct Template {
    /// Statuses that the target file declares to be right.
    declared: Vec<u16>,
    /// Statuses that are right because they were given in quiet; nothing if there was no quiet.
    learned: Option<Vec<u16>>,
    /// Time of 99 % of the answers, in ms; 0 if there were none.
    p99_ms: f64,
}

/// Stretches that say what is usual: those without rolls and faults, of the old version, then of the candidate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretches {
    pub(super) baseline: Option<(Millis, Millis)>,
    pub(super) quiet: Option<(Millis, Millis)>,
    /// When dependencies were degraded: what they answered was not theirs.
    pub(super) degraded: Option<(Millis, Millis)>,
}

type Counts = BTreeMap<u16, u32>;

/// The answers of one template.
#[derive(Default)]
struct Answers {
    baseline: Counts,
    quiet: Counts,
    /// But for the time in which answers of dependencies are put in their place.
    ever: Counts,
    times: Histogram,
    slowest_ms: f64,
}

impl Usual {
    pub(super) fn new(evidence: &Evidence, quiet: Stretches) -> Self {
        let requests = &evidence.plan().traffic.requests;
        let mut answers: Vec<Answers> = requests.iter().map(|_| Answers::default()).collect();
        for (_, fact) in evidence.numbered() {
            match fact {
                Fact::Second(s) if s.template < answers.len() => answers[s.template].second(s, quiet),
                Fact::Request(r) if r.template < answers.len() => answers[r.template].request(r, quiet),
                _ => {}
            }
        }
        Self(requests.iter().zip(&answers).map(|(spec, answers)| answers.template(spec)).collect())
    }

    /// Whether a user was let down: no complete answer, one that was not expected, or one that this template never
    /// gave in quiet.
    pub(super) fn is_lost(&self, template: usize, outcome: Outcome) -> bool {
        let Outcome::Answered(status) = outcome else { return outcome.is_failure() };
        match self.0.get(template) {
            Some(usual) if !usual.declared.is_empty() => !usual.declared.contains(&status),
            Some(Template { learned: Some(learned), .. }) => {
                outcome.is_failure() || !(is_success(status) || learned.contains(&status))
            }
            _ => outcome.is_failure(),
        }
    }

    /// 99 % of the answers of a template came within this time, in ms.
    pub(super) fn p99_ms(&self, template: usize) -> f64 {
        self.0.get(template).map_or(0.0, |usual| usual.p99_ms)
    }
}

impl Answers {
    fn second(&mut self, second: &SecondFact, quiet: Stretches) {
        let within = |window: Option<(Millis, Millis)>| {
            window.is_some_and(|(begin, end)| second.at >= begin && second.at + 1_000 <= end)
        };
        for (outcome, count) in &second.outcomes {
            let Outcome::Answered(status) = outcome else { continue };
            let degraded =
                quiet.degraded.is_some_and(|(begin, end)| second.at + 999 >= begin && second.at <= end);
            *self.ever.entry(*status).or_default() += if degraded { 0 } else { *count };
            if within(quiet.baseline) {
                *self.baseline.entry(*status).or_default() += count;
            } else if within(quiet.quiet) {
                *self.quiet.entry(*status).or_default() += count;
            }
        }
        if within(quiet.times()) && second.class != Class::Direct {
            self.times.merge(&second.times);
        }
    }

    fn request(&mut self, request: &RequestFact, quiet: Stretches) {
        let during = quiet.times().is_some_and(|(begin, end)| (begin..=end).contains(&request.due));
        if during && request.outcome.is_response() {
            self.slowest_ms = self.slowest_ms.max(request.took_ms);
        }
    }

    fn template(&self, spec: &RequestSpec) -> Template {
        let p99_ms = self.times.quantile_ms(0.99);
        let seen = !(self.baseline.is_empty() && self.quiet.is_empty());
        Template {
            declared: spec.expect.clone(),
            learned: seen.then(|| self.learned(spec)),
            // The histogram ends where long answers begin.
            p99_ms: if p99_ms >= TOLD_MS { self.slowest_ms.max(p99_ms) } else { p99_ms },
        }
    }

    /// What the old version gave is right, and what the new one gives beside it. A new version that answers 404 where the
    /// old one never did is wrong, unless it is so rare that the old one may not have been asked.
    fn learned(&self, spec: &RequestSpec) -> Vec<u16> {
        let (old, new) = (total(&self.baseline), total(&self.quiet));
        let expected = |status: u16| {
            let now = self.quiet.get(&status).copied().unwrap_or_default();
            let chance = now > 0 && f64::from(now) < RARE * f64::from(new);
            self.baseline.contains_key(&status)
                || (old == 0 && now > 0)
                || chance
                || self.is_rare(spec, status)
        };
        self.ever.keys().copied().filter(|status| *status < 500 && expected(*status)).collect()
    }

    /// Where each request asks for something else, the quiet phase cannot have asked for all of it.
    fn is_rare(&self, spec: &RequestSpec, status: u16) -> bool {
        let quiet = f64::from(total(&self.baseline) + total(&self.quiet));
        let share = f64::from(self.ever[&status]) / f64::from(total(&self.ever));
        !spec.path.is_fixed() && share <= RULE_OF_THREE / quiet
    }
}

impl Stretches {
    /// Times are those of the candidate, if it had a quiet phase.
    fn times(self) -> Option<(Millis, Millis)> {
        self.quiet.or(self.baseline)
    }
}

fn total(counts: &Counts) -> u32 {
    counts.values().sum()
}

/// 304 says that what the client has is still right.
fn is_success(status: u16) -> bool {
    (200..300).contains(&status) || status == 304
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::header;

    fn second(at: Millis, outcomes: Vec<(Outcome, u32)>) -> Fact {
        Fact::Second(SecondFact {
            at,
            agent: "l".into(),
            node: "n".into(),
            class: Class::New,
            due: outcomes.iter().map(|(_, count)| count).sum(),
            on_time: 1_000,
            outcomes,
            open: 0,
            times: Histogram::default(),
            pod: None,
            template: 0,
            without_retry_after: 0,
        })
    }

    #[test]
    fn what_a_dependency_was_made_to_say_does_not_make_the_same_answer_of_the_service_less_rare() {
        let mut header = header();
        header.plan.traffic.requests = vec![RequestSpec::get("/{1..1000}".parse().unwrap()).unwrap()];
        let (found, not_found) = (Outcome::Answered(200), Outcome::Answered(404));
        let facts = vec![
            second(0, vec![(found, 1_000)]),
            second(20_000, vec![(found, 999), (not_found, 1)]),
            second(50_000, vec![(not_found, 500)]),
        ];
        let evidence = Evidence::new(header, facts);
        let (baseline, degraded) = (Some((0, 1_000)), Some((40_000, 60_000)));
        let usual = Usual::new(&evidence, Stretches { baseline, quiet: None, degraded });
        assert!(!usual.is_lost(0, not_found), "one of 2,000");
        let usual = Usual::new(&evidence, Stretches { baseline, quiet: None, degraded: None });
        assert!(usual.is_lost(0, not_found), "501 of 2,500");
    }
}
