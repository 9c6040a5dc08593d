//! Processes of ours that stood still, and clocks that were set: told by their heartbeats.

use super::disturbance::{Disturbance, Source};
use crate::evidence::{Evidence, Fact, Heartbeat, Millis, Who};

/// The validator looks twice a second; whatever it saw and did was later than this.
const VALIDATOR_MS: Millis = 1_500;

/// The agents look four times a second.
const AGENT_MS: Millis = 750;

/// A clock that is corrected gently moves by half a millisecond per second (adjtime); more is a step.
const STEP_MS: Millis = 250;

pub(super) fn disturbances(evidence: &Evidence) -> Vec<Disturbance> {
    let beats = evidence.facts.iter().filter_map(|fact| match fact {
        Fact::Heartbeat(beat) => Some(beat),
        _ => None,
    });
    beats.flat_map(|beat| still(beat).into_iter().chain(step(beat))).collect()
}

/// A load agent that stood still neither sent nor probed in time; a middle agent held whatever came by, and the switch
/// every user.
fn still(beat: &Heartbeat) -> Vec<Disturbance> {
    let limit = if beat.who == Who::Validator { VALIDATOR_MS } else { AGENT_MS };
    if beat.elapsed_ms < limit {
        return Vec::new();
    }
    let sources = match &beat.who {
        Who::Validator => vec![Source::Validator],
        Who::Load(_) => vec![Source::Load, Source::Prober],
        Who::Switch => vec![Source::Load],
        Who::Middle(dependency) => vec![Source::Agent(dependency.clone())],
    };
    let why = format!("{} stood still for {:.1} s at the time", beat.who, beat.elapsed_ms as f64 / 1000.0);
    let of = |source| Disturbance { from: beat.at - beat.elapsed_ms, to: beat.at, source, why: why.clone() };
    sources.into_iter().map(of).collect()
}

/// The agents' clocks do not follow the wall clock after their start: only the validator's times jump.
fn step(beat: &Heartbeat) -> Option<Disturbance> {
    let stepped = beat.at - beat.since - beat.elapsed_ms;
    let is_step = beat.who == Who::Validator && stepped.abs() > STEP_MS;
    is_step.then(|| Disturbance {
        from: beat.since.min(beat.at) - beat.elapsed_ms,
        to: beat.since.max(beat.at),
        source: Source::Clock,
        why: format!("the validator's clock was set by {:+.1} s at the time", stepped as f64 / 1000.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::header;

    fn told(who: Who, at: Millis, elapsed_ms: Millis) -> Vec<Source> {
        let beat = Heartbeat { at, since: 10_000, elapsed_ms, who };
        disturbances(&Evidence::new(header(), vec![Fact::Heartbeat(beat)]))
            .into_iter()
            .map(|d| d.source)
            .collect()
    }

    #[test]
    fn a_late_beat_is_a_disturbance_of_what_its_process_does() {
        assert_eq!(told(Who::Validator, 10_500, 500), []);
        assert_eq!(told(Who::Validator, 12_000, 2_000), [Source::Validator]);
        assert_eq!(told(Who::Load("one".into()), 11_000, 1_000), [Source::Load, Source::Prober]);
        assert_eq!(told(Who::Middle("redis".into()), 11_000, 1_000), [Source::Agent("redis".into())]);
        assert_eq!(told(Who::Switch, 11_000, 1_000), [Source::Load]);
    }

    #[test]
    fn a_clock_that_moves_more_than_time_did_was_set() {
        assert_eq!(told(Who::Validator, 13_000, 500), [Source::Clock]);
        assert_eq!(told(Who::Validator, 9_000, 500), [Source::Clock]);
        assert_eq!(told(Who::Middle("redis".into()), 13_000, 500), []);
    }
}
