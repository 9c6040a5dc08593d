//! Failures of a probe in a row, and what the kubelet makes of them.

use super::Timeline;
use crate::config::Probe;
use crate::evidence::{Millis, ProbeFact, ProbeTarget};

/// Failures that last so long and end with their cause are no accident.
const LASTING: Millis = 5_000;

/// From the end of a cause to the last failure, or from it to the end as another clock has it.
const EDGE: Millis = 2_000;

/// A stretch of failed answers to one probe of one pod, without a success in between.
///
/// The kubelet asks once in a period and acts after `failureThreshold` failures in a row. We ask four times a second: a
/// single failed answer of ours is one that the kubelet most likely did not see, so what counts is for how long there
/// was no success.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The first failed question.
    pub from: Millis,
    /// The last one.
    pub to: Millis,
    /// How many.
    pub answers: u64,
    /// What was said, in words; the first of several.
    pub said: String,
    /// Whether nothing else was said in the whole window.
    pub throughout: bool,
    /// Line of the first of them.
    pub line: usize,
}

impl Failing {
    /// Whether the kubelet acts, whenever it happens to ask: `failureThreshold` periods without a success, or never one
    /// and as many failures.
    pub fn acts(&self, probe: &Probe) -> bool {
        let long_enough = self.to - self.from >= Millis::from(probe.gives_up_after_s()) * 1_000;
        long_enough || (self.throughout && self.answers >= u64::from(probe.failure_threshold))
    }

    /// Whether it would act if their cause had stayed: it acts, or they lasted some seconds and until a cause of them was
    /// taken away by us.
    pub fn would_act(&self, probe: &Probe, mut causes_ended: impl Iterator<Item = Millis>) -> bool {
        let lasted = self.to - self.from >= LASTING;
        self.acts(probe) || (lasted && causes_ended.any(|ended| (ended - self.to).abs() <= EDGE))
    }

    /// How long there was no success, in seconds.
    pub fn seconds(&self) -> f64 {
        (self.to - self.from) as f64 / 1000.0
    }
}

impl Timeline<'_> {
    /// The stretches without a success in a window, and how many answers there were in all.
    pub fn failing(&self, pod: &str, target: ProbeTarget, window: (Millis, Millis)) -> (Vec<Failing>, u64) {
        let answers: Vec<(usize, &ProbeFact)> = self.load.probes_of(pod, target, window).collect();
        let mut stretches: Vec<Failing> = Vec::new();
        let mut open = false;
        for (line, answer) in &answers {
            if answer.succeeded() {
                open = false;
                continue;
            }
            let (from, to) = (answer.from.max(window.0), answer.to.min(window.1));
            match stretches.last_mut().filter(|_| open) {
                Some(last) => (last.to, last.answers) = (to, last.answers + answer.samples),
                None => stretches.push(Failing {
                    from,
                    to,
                    answers: answer.samples,
                    said: answer.said(),
                    throughout: false,
                    line: *line,
                }),
            }
            open = true;
        }
        let all = answers.iter().map(|(_, answer)| answer.samples).sum();
        for stretch in &mut stretches {
            stretch.throughout = stretch.answers == all;
        }
        (stretches, all)
    }

    /// Whether any pod ever answered a probe of ours, with whatever status. If none did although the kubelet found the
    /// pods Ready, we cannot ask as it does: something between us and the pods lets only their nodes through.
    pub fn was_answered(&self, target: ProbeTarget) -> bool {
        self.load.probes.iter().any(|(_, probe)| probe.target == target && probe.answer.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::Timeline;
    use crate::config::{Handler, Probe};
    use crate::evidence::{Evidence, Fact, ProbeFact, ProbeTarget};
    use crate::timeline::tests::header;

    const READY: ProbeTarget = ProbeTarget::Readiness;

    fn said(from: i64, to: i64, answer: Result<u16, &str>) -> Fact {
        let (answer, samples) = (answer.map_err(str::to_owned), (to - from) as u64 / 250 + 1);
        Fact::Probe(ProbeFact { from, to, pod: "a".into(), target: READY, answer, samples })
    }

    #[test]
    fn failures_that_end_with_their_cause_would_have_gone_on() {
        let facts = vec![said(0, 1_000, Ok(200)), said(1_250, 9_000, Ok(503)), said(9_250, 20_000, Ok(200))];
        let evidence = Evidence::new(header(), facts);
        let (stretches, _) = Timeline::new(&evidence).failing("a", READY, (0, 20_000));
        let probe = every_10_s_three_times();
        assert!(!stretches[0].acts(&probe));
        assert!(stretches[0].would_act(&probe, [500, 9_500].into_iter()));
        assert!(!stretches[0].would_act(&probe, [15_000].into_iter()), "it was over before its cause was");
    }

    fn every_10_s_three_times() -> Probe {
        let handler = Handler::Exec;
        Probe {
            handler,
            timeout_s: 1,
            period_s: 10,
            failure_threshold: 3,
            success_threshold: 1,
            initial_delay_s: 0,
        }
    }

    fn stretches(facts: Vec<Fact>, window: (i64, i64)) -> Vec<(i64, i64, bool)> {
        let evidence = Evidence::new(header(), facts);
        let timeline = Timeline::new(&evidence);
        let (stretches, _) = timeline.failing("a", READY, window);
        stretches.iter().map(|s| (s.from, s.to, s.acts(&every_10_s_three_times()))).collect()
    }

    #[test]
    fn one_slow_answer_is_nothing_that_the_kubelet_acts_on() {
        let facts = vec![
            said(0, 5_000, Ok(200)),
            said(5_250, 5_250, Err("timeout")),
            said(6_500, 20_000, Ok(302)),
            said(20_250, 30_000, Ok(503)),
            said(30_250, 50_250, Err("refused")),
            said(50_500, 60_000, Ok(204)),
        ];
        assert_eq!(stretches(facts, (0, 60_000)), [(5_250, 5_250, false), (20_250, 50_250, true)]);
    }

    #[test]
    fn a_pod_that_never_succeeds_need_not_be_asked_for_30_s() {
        assert_eq!(stretches(vec![said(0, 500, Ok(404))], (0, 9_000)), [(0, 500, true)]);
        assert_eq!(stretches(vec![said(0, 250, Ok(404))], (0, 9_000)), [(0, 250, false)]);
    }
}
