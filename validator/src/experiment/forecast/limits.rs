//! What a run will not be able to tell, and why.

use super::DIRECT_PER_S;
use crate::config::{Breaker, Protocol, Upstream};
use crate::load::planned_rate;
use crate::plan::Plan;
use crate::timeline::{OPEN_MS, calls_to_tell_one_of, telling_pause};

/// Terminations of a run for each replica: every pod ends once in the roll in and once in the roll out.
const TERMINATIONS: f64 = 2.0;

/// Checks that will be inconclusive.
pub(super) fn open(plan: &Plan) -> Vec<String> {
    let mut told: Vec<String> = power(plan).into_iter().collect();
    told.extend(plan.dependencies.iter().filter_map(|d| {
        let (needed, why) = d.breaker.as_ref()?.opens.needs()?;
        let processes = f64::from(d.breaker.as_ref()?.per_process);
        let per_pod = plan.traffic.rate / f64::from(plan.target.replicas.max(1)) + DIRECT_PER_S;
        let wanted = (needed * processes - DIRECT_PER_S) * f64::from(plan.target.replicas.max(1));
        (per_pod / processes < needed).then(|| {
            format!(
                "GL-B201 to B206, B213 and B216, {}: {why} needs a rate of {:.0} requests per second",
                d.name,
                wanted.ceil()
            )
        })
    }));
    told.extend(plan.dependencies.iter().filter_map(|d| {
        let (name, per_pod) = (&d.name, plan.traffic.rate / f64::from(plan.target.replicas.max(1)));
        let breaker = d.breaker.as_ref()?;
        match (d.protocol, breaker.borne_percent(per_pod + DIRECT_PER_S)) {
            (Protocol::Redis, _) => Some(format!(
                "GL-B212 and B213, {name}: no error fits every command of Redis, so that none fail in part"
            )),
            (_, None) => {
                Some(format!("GL-B212, {name}: no share of failures is surely one that it has to bear"))
            }
            _ => None,
        }
    }));
    told.extend(plan.dependencies.iter().filter_map(|d| pauses(plan, &d.name, d.breaker.as_ref()?)));
    for dependency in &plan.dependencies {
        let name = &dependency.name;
        match (dependency.protocol, &dependency.upstream) {
            (Protocol::Tcp, _) => told.push(format!(
                "{name} is `tcp`: its connections are seen and broken, no statement and no trial is"
            )),
            (protocol, Upstream::Host { port: 443 | 6380 | 4318, .. }) => told.push(format!(
                "{name} is likely to be called with TLS: then nothing of {} can be read; declare `protocol: tcp`",
                protocol.name()
            )),
            _ => {}
        }
    }
    if !plan.dependencies.iter().any(|d| d.protocol == Protocol::Otlp) {
        told.push("tracing: no collector is declared: add a dependency with `protocol: otlp`".into());
    }
    told
}

/// Circuits of which nobody could tell that they are open, while their dependency is degraded.
fn pauses(plan: &Plan, name: &str, breaker: &Breaker) -> Option<String> {
    let pods = f64::from(plan.target.replicas.max(1));
    let per_pod = plan.traffic.rate / pods + DIRECT_PER_S;
    let (pause, needed) = telling_pause(Some(breaker), OPEN_MS);
    let of_one = match breaker.per_process {
        1 => 0.0,
        several => calls_to_tell_one_of(several) * 1000.0 / pause as f64,
    };
    let (checks, needed) =
        if per_pod < needed { ("GL-B212 to B217", needed) } else { ("GL-B212, B214, B215 and B217", of_one) };
    (per_pod < needed).then(|| {
        format!(
            "{checks}, {name}: that a circuit is open shows by calls that stop for {} s: it needs {:.0} requests per second",
            pause as f64 / 1000.0,
            ((needed - DIRECT_PER_S) * pods).ceil()
        )
    })
}

/// What nobody will look at because nothing says so.
pub(super) fn undeclared(plan: &Plan) -> Vec<String> {
    if plan.dependencies.is_empty() {
        return vec!["no dependency: nothing is broken, and no breaker is judged".into()];
    }
    let without = plan.dependencies.iter().filter(|d| d.breaker.is_none() && d.protocol != Protocol::Otlp);
    without
        .map(|d| format!("a breaker before {}: what it does when calls hang is not judged", d.name))
        .collect()
}

/// A zero of lost requests proves no more than the rate of its rarest class allows.
fn power(plan: &Plan) -> Option<String> {
    let limit_s = plan.limits().max_blind_window_s;
    let (name, rate) = planned_rate(&plan.traffic)?;
    // Each endpoint gets its part of the rate, and there are as many endpoints as pods that end in one roll.
    let blind_s = 3.0 / (rate * TERMINATIONS);
    let needed = plan.traffic.rate * blind_s / limit_s;
    (blind_s > limit_s).then(|| {
        format!(
            "GL-S201: {rate:.1} requests per second of {name} leave a blind window of {blind_s:.2} s per termination, {limit_s} s are allowed: it needs {:.0} requests per second",
            needed.ceil()
        )
    })
}
