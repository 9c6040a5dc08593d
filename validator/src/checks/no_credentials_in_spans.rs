//! Spans hold no credentials.

use std::collections::BTreeMap;

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::Span;
use crate::plan::Needs;
use crate::timeline::{Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-T207",
    slug: "no-credentials-in-spans",
    area: Area::Tracing,
    severity: Severity::Major,
    why: "Traces are read by more people than the service's secrets, and are kept by others: a token in a span is a token given away.",
    how: "No attribute of a span in our traces may be a credential by its name (headers such as authorization and cookie, passwords, keys, tokens), or an address with a user's password or a signature, unless its value was taken out. Names are told, values are never kept. What is called otherwise is not found.",
    remedy: "Record headers by an allow-list, take user and signature out of url.full, and never record a connection string.",
    rests_on: &[],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    timeline.read_collector()?;
    let asked = timeline.load.requests.iter().filter(|(_, request)| request.trace_id.is_some());
    let spans: Vec<(usize, &Span)> = asked
        .flat_map(|(line, request)| timeline.load.spans_of(request).iter().map(move |span| (*line, *span)))
        .collect();
    if spans.is_empty() {
        return Err(timeline.no_traces());
    }
    let mut exposed: BTreeMap<&str, (usize, &str, usize)> = BTreeMap::new();
    for (line, span) in &spans {
        for attribute in &span.credentials {
            exposed.entry(attribute).or_insert((0, &span.name, *line)).0 += 1;
        }
    }
    let told: Vec<String> = exposed
        .iter()
        .map(|(attribute, (count, name, _))| format!("{attribute} on {count} spans, such as `{name}`"))
        .collect();
    let pass = format!("no attribute of {} spans is called like a credential", spans.len());
    Ok(Finding::when(told.is_empty(), pass, format!("credentials in spans: {}", told.join("; ")))
        .measured(format!("{} attributes", exposed.len()), "0")
        .lines(exposed.values().map(|(_, _, line)| *line)))
}
