//! When the database hangs, the circuit of every pod opens when the declared breaker says so.

use crate::check::{Area, Check, Finding, Severity};
use crate::timeline::{Circuit, Opening, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B201",
    slug: "circuit-opens-as-declared",
    area: Area::Breaker,
    severity: Severity::Blocker,
    why: "Until it opens every user waits for a dead database; one that opens too soon throws away good answers.",
    how: "All statements of warm pods hang. With failures known only a deadline after they began, the share of failures reaches errorRate at errorRate x window + (1 - errorRate) x deadline; a service that counts calls when they begin opens at errorRate x window. The last pod-direct request that waited tells.",
    remedy: "Count calls over the declared window, time-outs as failures, and open at the declared share; or declare what the service does.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    // A service whose arrows nobody declared has proved nothing; the other checks of the breaker are skipped.
    if timeline.breakers().next().is_none() {
        return Finding::inconclusive(
            "the target file declares no circuit breaker: nothing was made to hang",
        );
    }
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let circuits = timeline.tested_circuits()?;
    let mut wrong = Vec::new();
    let mut unseen = None;
    let mut seconds = Vec::new();
    for circuit in circuits {
        let (earliest, latest) = limits(timeline, circuit);
        let pod = circuit.pod;
        match &circuit.opening {
            Opening::At(at) => {
                let took = (at - circuit.hang.began) as f64 / 1000.0;
                seconds.push(took);
                if !(earliest..=latest).contains(&took) {
                    let text = format!("the circuit of {pod} opened after {took:.1} s");
                    wrong.push((circuit.line, text));
                }
            }
            Opening::Never => {
                wrong.push((
                    circuit.line,
                    format!("the circuit of {pod} never opened: requests kept waiting"),
                ));
            }
            Opening::Unseen(reason) => unseen = Some(reason.clone()),
        }
    }
    let (earliest, latest) = limits(timeline, &circuits[0]);
    let limit = format!("{earliest:.1} to {latest:.1} s");
    let measured: Vec<String> = seconds.iter().map(|s| format!("{s:.1}")).collect();
    if let (true, Some(reason)) = (wrong.is_empty(), unseen) {
        return Err(Unmeasured::NotSeen(reason));
    }
    let fail = wrong.first().map(|(_, text)| text.clone()).unwrap_or_default();
    let pass = format!(
        "{} circuits opened, {} s after the calls began to hang",
        circuits.len(),
        measured.join(", ")
    );
    Ok(Finding::when(wrong.is_empty(), pass, fail)
        .measured(
            if seconds.is_empty() { "never".to_owned() } else { format!("{} s", measured.join(", ")) },
            limit,
        )
        .details(wrong.iter().skip(1).map(|(_, text)| text.clone()))
        .lines(wrong.iter().map(|(line, _)| *line)))
}

fn limits(timeline: &Timeline, circuit: &Circuit) -> (f64, f64) {
    let policy = &timeline.plan().policy;
    let (earliest, latest) = circuit.breaker.opens_between_s();
    (earliest - policy.opening_early_s, latest + policy.opening_late_s)
}
