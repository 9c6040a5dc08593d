//! When what the kubelet did had its cause.

use super::Timeline;
use crate::config::Probe;
use crate::evidence::Millis;

/// What the kubelet did about a probe that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It took the pod out of the Service: readiness.
    TookOut,
    /// It ended a container and started it again: liveness. Or the process ended by itself.
    Restarted,
}

/// A process that no liveness probe watches ends within about this time of its cause.
const UNPROBED_MS: Millis = 30_000;

impl Timeline<'_> {
    /// From the earliest moment that the cause of an act can have begun at to the act itself. The probe had to fail for as
    /// long as it is declared before the kubelet acted; and a container is started again only when it has ended, which may
    /// take its whole grace period.
    pub fn cause_of(&self, act: Act, at: Millis) -> (Millis, Millis) {
        let target = &self.plan().target;
        let failing = |probe: &Probe| (probe.out_s() * 1000.0) as Millis;
        let before = match act {
            Act::TookOut => target.readiness.as_ref().map_or(0, failing),
            Act::Restarted => {
                target.liveness.as_ref().map_or(UNPROBED_MS, |probe| failing(probe) + self.grace_s() * 1_000)
            }
        };
        (at - before, at)
    }

    /// The declared grace period, in seconds.
    pub fn grace_s(&self) -> i64 {
        self.workload.number("/spec/template/spec/terminationGracePeriodSeconds").unwrap_or(30)
    }
}

#[cfg(test)]
mod tests {
    use super::Act;
    use crate::evidence::Evidence;
    use crate::timeline::Timeline;
    use crate::timeline::tests::header;

    #[test]
    fn the_cause_of_an_act_lies_as_long_before_it_as_the_probe_had_to_fail() {
        let mut evidence = Evidence::new(header(), Vec::new());
        let timeline = Timeline::new(&evidence);
        assert_eq!(timeline.cause_of(Act::TookOut, 100_000), (69_000, 100_000));
        assert_eq!(timeline.cause_of(Act::Restarted, 100_000), (39_000, 100_000), "and 30 s to end");
        evidence.header.plan.target.liveness = None;
        assert_eq!(Timeline::new(&evidence).cause_of(Act::Restarted, 100_000), (70_000, 100_000));
    }
}
