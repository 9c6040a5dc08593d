//! After the open time exactly the declared number of trial calls reaches the database, and decides.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Fault, TrialEnd};
use crate::plan::{Needs, Part};
use crate::timeline::{Circuit, Kind, Timeline, Trial, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B202",
    slug: "half-open-single-trial",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "A recovering database that gets everything at once goes down again.",
    how: "The middle agent holds the first statement after the open time and counts others that come meanwhile. Once it was given up, the circuit must stay open for another open time; once it went on, calls must flow within 2 s.",
    remedy: "Let one call through when half-open, refuse the rest until it has answered; close on success, open again on failure.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang]),
    judge,
};

/// More processes than that are no pod.
const MAX_PROCESSES: u64 = 16;

/// Calls must flow again within this time of a good trial.
const FLOW_MS: i64 = 2_000;

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let circuits = timeline.opened_circuits()?;
    let trials: Vec<_> = circuits
        .iter()
        .flat_map(|(circuit, _)| circuit.trials.iter().map(move |trial| (*circuit, trial)))
        .collect();
    if trials.is_empty() {
        return Err(Unmeasured::NotSeen("no trial was ordered".into()));
    }
    if let Some((circuit, _)) = trials.iter().find(|(_, t)| t.fact.first_hit.is_some() && t.over().is_none())
    {
        return Err(Unmeasured::NotSeen(format!("how the trial of {} ended was not seen", circuit.name())));
    }
    let faults = trials.iter().filter_map(|(circuit, trial)| {
        let text = fault(timeline, circuit, trial)?;
        let after = trial.over().unwrap_or(trial.fact.ended) + FLOW_MS;
        let case = Case::over((trial.fact.began, trial.fact.ended.max(after)), text, trial.line);
        Some(case.of(circuit.pod).before(circuit.dependency))
    });
    let faults: Vec<Case> = faults.collect();
    let unknown = trials.iter().find(|(circuit, trial)| !flowed(timeline, circuit, trial));
    if let (true, Some((circuit, _))) = (faults.is_empty(), unknown) {
        timeline.telling_pause(circuit.dependency, FLOW_MS)?;
    }
    let others: u64 = trials.iter().map(|(_, trial)| trial.fact.others).sum();
    let most = circuits.iter().map(|(c, _)| c.breaker.trials_per_pod()).max().unwrap_or(1);
    let each = if most == 1 { "one call".to_owned() } else { format!("at most {most} calls") };
    let pass = format!("{} trials: {each} each, and its end decided", trials.len());
    Ok(Finding::unless(faults, pass)
        .measured(format!("{others} further calls during {} trials", trials.len()), (most - 1).to_string())
        .details(processes(&trials)))
}

/// What the number of further calls looks like: as many at each trial as a few processes with a breaker each would send.
fn processes(trials: &[(&Circuit, &Trial)]) -> Option<String> {
    let several = trials.iter().filter(|(_, trial)| trial.fact.others > 0);
    let counts: Vec<u64> = several
        .filter(|(circuit, _)| circuit.breaker.per_process == 1)
        .map(|(circuit, trial)| (trial.fact.others + 1).div_ceil(u64::from(circuit.breaker.trials)))
        .collect();
    let most = counts.iter().max().copied().filter(|most| (2..=MAX_PROCESSES).contains(most))?;
    Some(format!(
        "so many calls would come of {most} processes in each pod with a breaker of its own: if that is so, declare perProcess: {most}"
    ))
}

fn fault(timeline: &Timeline, circuit: &Circuit, trial: &Trial) -> Option<String> {
    let name = circuit.name();
    if trial.fact.first_hit.is_none() {
        return Some(format!("{name}: no trial call came"));
    }
    let allowed = u64::from(circuit.breaker.trials_per_pod().saturating_sub(1));
    if trial.fact.others > allowed {
        return Some(format!("{name}: {} further calls came while the trial waited", trial.fact.others));
    }
    let calls = timeline.calls.of(circuit.dependency, circuit.pod);
    let over = trial.over()?;
    let Fault::Trial { end, .. } = trial.fact.fault else { return None };
    match end {
        TrialEnd::GiveUp => {
            let open_ms = (circuit.breaker.open_for.0 - timeline.plan().limits().trial_early_s) * 1000.0;
            // Calls of the tenth of a second in which it was given up may have come before it.
            let early = calls.within((over + 100, over + open_ms as i64));
            // Other processes of the pod try on their own, some of them later.
            let others = u64::from(circuit.breaker.trials_per_pod() - circuit.breaker.trials);
            (early > others.saturating_sub(trial.fact.others))
                .then(|| format!("{name}: {early} calls came although the trial had failed"))
        }
        // Where few calls come, a pause of this length may be chance.
        TrialEnd::Forward => (!flowed(timeline, circuit, trial)
            && timeline.telling_pause(circuit.dependency, FLOW_MS).is_ok())
        .then(|| format!("{name}: no calls within 2 s of a good trial")),
    }
}

/// Whether calls went on after a good trial; after any other there is nothing to go on.
fn flowed(timeline: &Timeline, circuit: &Circuit, trial: &Trial) -> bool {
    let Some(over) = trial.over().filter(|_| trial.is_good()) else { return true };
    let calls = timeline.calls.of(circuit.dependency, circuit.pod);
    calls.within((over, over + FLOW_MS)) > u64::from(circuit.breaker.trials_per_pod())
}
