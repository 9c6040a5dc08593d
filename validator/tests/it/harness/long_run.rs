//! Evidence of a long run under a high load, made of a real one: its quiet phase goes on for 45 minutes after the roll out.

use golive_validator::evidence::{Edge, Evidence, Fact, Millis, RequestFact, SecondFact, Step, StepFact};

/// Length of the part that is repeated, and how often it is: as long as a load may last.
const PERIOD: Millis = 10_000;
const TIMES: Millis = 270;

/// Each second holds so many times what it held.
const MORE: u32 = 11;

/// The same run with more than 6,000,000 requests.
pub(crate) fn six_million(run: Evidence) -> Evidence {
    let edge = |step: Step, edge: Edge| {
        let is_it = |fact: &&Fact| matches!(fact, Fact::Step(s) if s.step == step && s.edge == edge);
        run.facts.iter().find(is_it).map_or(0, Fact::at)
    };
    let (quiet, tail) = (edge(Step::Quiet, Edge::Begin), edge(Step::Tail, Edge::End));
    let again: Vec<Fact> =
        run.facts.iter().filter(|fact| (quiet..quiet + PERIOD).contains(&fact.at())).cloned().collect();
    let mut facts = run.facts;
    for turn in 0..TIMES {
        let offset = tail - quiet + turn * PERIOD;
        facts.extend(again.iter().filter_map(|fact| later(fact, offset)));
    }
    for fact in &mut facts {
        if let Fact::Step(StepFact { at, step: Step::Tail, edge: Edge::End, .. }) = fact {
            *at += TIMES * PERIOD;
        }
    }
    Evidence::new(run.header, facts)
}

fn later(fact: &Fact, offset: Millis) -> Option<Fact> {
    match fact {
        Fact::Second(second) => {
            let mut second = SecondFact { at: second.at + offset, ..second.clone() };
            second.due *= MORE;
            second.on_time *= MORE;
            second.outcomes.iter_mut().for_each(|(_, count)| *count *= MORE);
            second.times.0.iter_mut().for_each(|count| *count *= MORE);
            Some(Fact::Second(second))
        }
        Fact::Request(request) => {
            let (due, sent) = (request.due + offset, request.sent + offset);
            Some(Fact::Request(RequestFact { due, sent, ..request.clone() }))
        }
        _ => None,
    }
}
