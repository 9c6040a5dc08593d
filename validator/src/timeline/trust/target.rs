//! Changes of the target that are none of the run's.

use serde_json::Value;

use super::disturbance::{Disturbance, Source};
use crate::evidence::{Edge, Evidence, Fact, Millis, ObjectKind, Step};

/// The roll that a foreign change begins, or its end, goes on for about so long.
const ROLL_MS: Millis = 60_000;

/// The deployment as it was at a moment: when it was seen, its template without what the API server adds, its replicas.
type Seen<'a> = (Millis, &'a Value, &'a Value);

/// The run never changes the number of replicas, and the template once in each roll.
pub(super) fn disturbances(evidence: &Evidence) -> Vec<Disturbance> {
    let seen: Vec<Seen> = evidence.facts.iter().filter_map(deployment).collect();
    let mut disturbances = Vec::new();
    let mut rolls = rolls(evidence);
    let (mut foreign, mut since) = (false, 0);
    for pair in seen.windows(2) {
        let ((_, template, replicas), (at, now, asked)) = (pair[0], pair[1]);
        if replicas != asked {
            let why = format!("somebody else changed the replicas from {replicas} to {asked}");
            disturbances.push(during(at, why));
        }
        if template == now {
            continue;
        }
        let ours = rolls.iter().position(|(begin, end)| (*begin..=*end).contains(&at));
        match ours {
            Some(roll) => drop(rolls.remove(roll)),
            None if !foreign => (foreign, since) = (true, at),
            None => {}
        }
    }
    // Which version was measured from there on nobody knows.
    disturbances.extend(foreign.then(|| Disturbance {
        to: Millis::MAX,
        ..during(since, "somebody else changed the pod template".to_owned())
    }));
    disturbances
}

fn during(at: Millis, why: String) -> Disturbance {
    Disturbance { from: at, to: at + ROLL_MS, source: Source::Target, why }
}

fn deployment(fact: &Fact) -> Option<Seen<'_>> {
    let Fact::Object(object) = fact else { return None };
    if object.kind != ObjectKind::Deployment {
        return None;
    }
    let spec = object.object.get("spec")?;
    Some((object.at, spec.get("template")?, spec.get("replicas").unwrap_or(&Value::Null)))
}

/// From the begin of each roll to its end, in which one change of the template is ours; and whatever comes after the
/// last step: the way back.
fn rolls(evidence: &Evidence) -> Vec<(Millis, Millis)> {
    let steps =
        || evidence.facts.iter().filter_map(|f| if let Fact::Step(step) = f { Some(step) } else { None });
    let last = steps().map(|step| step.at).max().unwrap_or(Millis::MIN);
    let begins = steps().filter(|step| step.edge == Edge::Begin && Step::ROLLS.contains(&step.step));
    let rolls = begins.map(|begin| {
        let end = steps().find(|end| end.step == begin.step && end.edge == Edge::End && end.at >= begin.at);
        (begin.at, end.map_or(Millis::MAX, |end| end.at))
    });
    rolls.chain([(last, Millis::MAX)]).collect()
}
