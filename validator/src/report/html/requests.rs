//! Requests worth a look, each with its trace as a waterfall.

use maud::{Markup, html};

use super::clock;
use crate::report::course::{Course, RequestLine, SpanBar};

pub(super) fn section(course: &Course) -> Markup {
    if course.requests.is_empty() {
        return Markup::default();
    }
    html! {
        section #requests aria-labelledby="requests-title" {
            h2 #requests-title { "Requests worth a look" }
            p.hint { "Where there were more, they are evenly chosen; one with a trace opens as a waterfall." }
            (group("Lost while nothing was broken", true, course, |request| request.lost && request.in_peace))
            (group("The slowest of each step whose trace came by", false, course, |request| !request.lost))
            (group("Not answered as usual during faults", false, course, |request| request.lost && !request.in_peace))
        }
    }
}

fn group(title: &str, is_open: bool, course: &Course, wanted: fn(&RequestLine) -> bool) -> Markup {
    let mine: Vec<_> = course.requests.iter().enumerate().filter(|(_, request)| wanted(request)).collect();
    html! { @if !mine.is_empty() {
        details.group open[is_open] {
            summary { h3 { (title) " " small { "(" (mine.len()) ")" } } }
            @for (at, request) in mine { (one(at, request)) }
        }
    } }
}

fn one(at: usize, request: &RequestLine) -> Markup {
    html! {
        details.request.lost[request.lost] id=(format!("request-{at}")) data-at=(format!("{:.1}", request.at_s)) {
            summary {
                span.at { (clock(request.at_s)) }
                span.what { code { (request.request) } }
                span.result { (request.outcome) }
                span.took { (format!("{:.1} ms", request.took_ms)) }
                span.class { (request.class) }
                span.spans { @match request.spans.len() { 0 => { "no trace" } 1 => { "1 span" } n => { (n) " spans" } } }
            }
            @if request.spans.is_empty() {
                p { @if request.trace_id.is_some() { "It was sampled, and no span of it came by on the way to the collector." }
                    @else { "It was not sampled: no trace was asked for." } " Line " (request.line) " of the evidence." }
            } @else { (waterfall(request)) }
        }
    }
}

fn waterfall(request: &RequestLine) -> Markup {
    let ends = request
        .spans
        .iter()
        .map(|span| span.from_ms + span.took_ms)
        .fold(request.took_ms, f64::max)
        .max(0.001);
    let place = |span: &SpanBar| {
        let share = |ms: f64| (100.0 * ms / ends).clamp(0.0, 100.0);
        format!("margin-left:{:.2}%;width:{:.2}%", share(span.from_ms), share(span.took_ms).max(0.3))
    };
    html! {
        table.waterfall {
            caption { "Trace " code { (request.trace_id.as_deref().unwrap_or_default()) } ", line " (request.line) " of the evidence" }
            thead { tr { th scope="col" { "span" } th scope="col" { "begin" } th scope="col" { "length" } th scope="col" { (format!("0 to {ends:.1} ms")) } } }
            tbody {
                tr.client { th scope="row" { "the client waited" } td { "" } td { (format!("{:.2} ms", request.took_ms)) }
                    td { i style=(format!("margin-left:0;width:{:.2}%", 100.0 * request.took_ms / ends)) {} } }
                @for span in &request.spans { tr {
                    th scope="row" style=(format!("padding-left:{}em", 0.5 + span.depth as f64)) { (span.name) small { (span.about) } }
                    td { (format!("+{:.2} ms", span.from_ms)) } td { (format!("{:.2} ms", span.took_ms)) }
                    td { i style=(place(span)) {} }
                } }
            }
        }
    }
}
