//! The axis as tables, for whoever cannot see it or wants the numbers.

use maud::{Markup, html};

use super::{clock, grouped, minutes};
use crate::report::course::Course;
use crate::report::{Report, StepLine, WaiverLine};

/// The steps as given, when, then.
pub(super) fn steps(steps: &[StepLine]) -> Markup {
    html! {
        section #steps aria-labelledby="steps-title" {
            h2 #steps-title { "What was done" }
            ol.steps { @for (at, step) in steps.iter().enumerate() {
                li id=(format!("step-{at}")) data-at=(format!("{:.1}", step.from_s)) {
                    h3 { (step.name) " " small { (clock(step.from_s)) ", " (minutes(step.took_s)) } }
                    dl {
                        div { dt { "given" } dd { (step.given) } }
                        div { dt { "when" } dd { (step.when) } }
                        div { dt { "then" } dd { (step.then) } }
                    }
                    p.seen { (seen(step)) }
                    @if let Some(trouble) = &step.trouble { p.trouble { "ended early: " (trouble) } }
                }
            } }
        }
    }
}

/// Every waiver that names the service; nothing where none does.
pub(super) fn waivers(lines: &[WaiverLine]) -> Markup {
    html! { @if !lines.is_empty() {
        section #waivers aria-labelledby="waivers-title" {
            h2 #waivers-title { "Waivers (" (lines.len()) ")" }
            div.scroll tabindex="0" role="group" aria-label="Waivers" { table {
                thead { tr { th scope="col" { "check" } th scope="col" { "state" } th scope="col" { "reason" } th scope="col" { "scope" } th scope="col" { "owner" } th scope="col" { "approver" } th scope="col" { "until" } } }
                tbody { @for line in lines { tr {
                    th scope="row" { (line.waiver.check) }
                    td { (line.state) } td { (line.waiver.reason) } td { (line.waiver.scope) }
                    td { (line.waiver.owner) } td { (line.waiver.approver) } td { (line.waiver.until) }
                } } }
            } }
        }
    } }
}

fn seen(step: &StepLine) -> String {
    if step.requests == 0 {
        return "no requests of users".to_owned();
    }
    let p99 = step.p99_ms.map(|ms| format!(", 99 % of the answers within {ms:.1} ms")).unwrap_or_default();
    let unusual = if step.in_peace { "lost" } else { "not answered as usual while something was broken" };
    format!("{} requests, {} {unusual}{p99}", grouped(step.requests), grouped(step.lost))
}

pub(super) fn section(report: &Report) -> Markup {
    let course = &report.course;
    html! {
        section #tables aria-labelledby="tables-title" {
            h2 #tables-title { "The same as tables" }
            details { summary { "Pods (" (course.pods_seen) ")" } (pods(course)) @if let Some(more) = course.without_lane() { p { (more) } } }
            details { summary { "Faults (" (course.dependencies.iter().map(|d| d.faults.len()).sum::<usize>()) ")" } (faults(course)) }
            details { summary { "Circuits (" (course.dependencies.iter().map(|d| d.circuits.len()).sum::<usize>()) ")" } (circuits(course)) }
            details { summary { "Seconds with losses" } (losses(course)) }
            details { summary { "Disturbances of the run (" (course.disturbances.len()) ")" } (disturbances(course)) }
        }
    }
}

fn pods(course: &Course) -> Markup {
    html! { div.scroll tabindex="0" role="group" aria-label="Pods" { table {
        thead { tr { th scope="col" { "pod" } th scope="col" { "node" } th scope="col" { "template" } th scope="col" { "what it went through" } th scope="col" { "end" } } }
        tbody { @for pod in &course.pods { tr {
            th scope="row" { (pod.name) }
            td { (pod.node.as_deref().unwrap_or("none")) }
            td { (pod.generation.name()) }
            td { @for (at, (phase, stretch)) in pod.phases.iter().enumerate() { @if at > 0 { ", " } (phase.name()) " " (clock(stretch.from_s)) " to " (clock(stretch.to_s)) } }
            td { (pod.end.as_deref().unwrap_or("none seen")) }
        } } }
    } } }
}

fn faults(course: &Course) -> Markup {
    html! { div.scroll tabindex="0" role="group" aria-label="Faults" { table {
        thead { tr { th scope="col" { "begin" } th scope="col" { "dependency" } th scope="col" { "pod" } th scope="col" { "what was done" } } }
        tbody { @for dependency in &course.dependencies { @for fault in &dependency.faults { tr {
            td { (clock(fault.stretch.from_s)) } td { (dependency.name) } td { (fault.pod) } td { (fault.stretch.text) }
        } } } }
    } } }
}

fn circuits(course: &Course) -> Markup {
    html! { div.scroll tabindex="0" role="group" aria-label="Circuits" { table {
        thead { tr { th scope="col" { "dependency" } th scope="col" { "pod" } th scope="col" { "states" } } }
        tbody { @for dependency in &course.dependencies { @for lane in &dependency.circuits { tr {
            td { (dependency.name) } td { (lane.pod) }
            td { @for (at, (state, stretch)) in lane.states.iter().enumerate() { @if at > 0 { ", " } (state.name()) " " (clock(stretch.from_s)) " to " (clock(stretch.to_s)) } }
        } } } }
    } } }
}

/// Rows of this table at most; a run that loses for minutes needs no second look at each of them.
const MAX_ROWS: usize = 200;

fn losses(course: &Course) -> Markup {
    let lost = course.load.classes.iter().flat_map(|track| {
        let columns = track.lost.iter().zip(&track.due).enumerate();
        columns
            .filter(|(_, (lost, _))| **lost > 0)
            .map(move |(at, (lost, due))| (at, track.class.name(), *lost, *due))
    });
    let mut rows: Vec<_> = lost.collect();
    rows.sort_unstable();
    html! { @if rows.is_empty() { p { "None." } } @else { div.scroll tabindex="0" role="group" aria-label="Seconds with losses" { table {
        caption { (rows.len()) " of them" @if rows.len() > MAX_ROWS { ", the first " (MAX_ROWS) } }
        thead { tr { th scope="col" { "at" } th scope="col" { "class" } th scope="col" { "lost" } th scope="col" { "of" } } }
        tbody { @for (at, class, lost, due) in rows.iter().take(MAX_ROWS) { tr {
            td { (clock(*at as f64 * course.column_s)) } td { (class) } td { (lost) } td { (due) }
        } } }
    } } } }
}

fn disturbances(course: &Course) -> Markup {
    html! { @if course.disturbances.is_empty() { p { "None." } } @else { div.scroll tabindex="0" role="group" aria-label="Disturbances" { table {
        thead { tr { th scope="col" { "from" } th scope="col" { "to" } th scope="col" { "what" } } }
        tbody { @for stretch in &course.disturbances { tr {
            td { (clock(stretch.from_s)) } td { (clock(stretch.to_s)) } td { (stretch.text) }
        } } }
    } } } }
}
