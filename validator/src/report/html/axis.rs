//! The whole run on one time axis.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::curve::{HEIGHT, band, line, round_up, staircase};
use super::row::{place, row};
use super::{clock, lanes};
use crate::report::course::{Course, DependencyTrack, LoadTrack, Stretch};
use crate::report::{Report, StepLine};

/// The slowest answer that is drawn, and the fastest, in ms.
const SLOWEST_MS: f64 = 10_000.0;
const FASTEST_MS: f64 = 1.0;

pub(super) fn section(report: &Report) -> Markup {
    let course = &report.course;
    html! {
        section #timeline aria-labelledby="timeline-title" {
            h2 #timeline-title { "The whole run on one axis" }
            p.hint { "Time since the start of the run, in minutes. Tables below tell the same." @if let Some(more) = course.without_lane() { " " (more) } }
            (controls())
            figure.axis tabindex="0" role="group" aria-label="Time line of the run" {
                div.tracks {
                    (bands(&report.steps, course))
                    (ruler(course))
                    (steps(&report.steps, course))
                    (requests(&course.load, course))
                    (losses(&course.load, course))
                    (times(&course.load, course))
                    (endpoints(course))
                    (lanes::pods(course))
                    @for dependency in &course.dependencies { (calls(dependency, course)) (lanes::dependency(dependency, course)) }
                    (lanes::disturbances(course))
                    (lanes::findings(report))
                    div.cursor hidden {}
                }
            }
            p.readout role="status" aria-live="off" { }
            script type="application/json" #columns { (PreEscaped(columns(report))) }
        }
    }
}

fn controls() -> Markup {
    let groups =
        [("load", "load"), ("pods", "pods"), ("dependencies", "dependencies"), ("trust", "findings")];
    html! {
        div.controls hidden {
            button type="button" data-zoom="out" { "− wider" }
            button type="button" data-zoom="in" { "+ closer" }
            button type="button" data-zoom="all" { "whole run" }
            span.groups { @for (group, name) in groups {
                label { input type="checkbox" checked data-group=(group); " " (name) }
            } }
        }
    }
}

fn bands(steps: &[StepLine], course: &Course) -> Markup {
    html! {
        div.bands aria-hidden="true" {
            @for step in steps { i style=(place(course, step.from_s, step.from_s + step.took_s)) {} }
            @for Stretch { from_s, to_s, .. } in &course.disturbances { i.disturbed style=(place(course, *from_s, to_s.max(from_s + course.length_s / 1000.0))) {} }
        }
    }
}

fn ruler(course: &Course) -> Markup {
    let every = [5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0]
        .into_iter()
        .find(|every| course.length_s / every <= 12.0);
    let every = every.unwrap_or(1200.0);
    let ticks = (0..).map(|at| f64::from(at) * every).take_while(|at| *at <= 0.97 * course.length_s);
    html! {
        div.row.ruler { div.label { "time" } div.plot aria-hidden="true" { @for at in ticks {
            span.tick style=(place(course, at, at)) { (clock(at)) }
        } } }
    }
}

fn steps(steps: &[StepLine], course: &Course) -> Markup {
    html! {
        div.row.steps { div.label { "steps" } div.plot { @for (at, step) in steps.iter().enumerate() {
            a href=(format!("#step-{at}")) style=(place(course, step.from_s, step.from_s + step.took_s)) title=(format!("{}: {}", clock(step.from_s), step.name)) { (step.name) }
        } } }
    }
}

/// Stacked: as many per second as there were of all classes together.
fn requests(load: &LoadTrack, course: &Course) -> Markup {
    let columns = load.times.len();
    let due = |column: usize| load.classes.iter().map(|class| class.due[column]).sum::<u64>();
    let top = round_up((0..columns).map(due).max().unwrap_or(0) as f64 / course.column_s);
    let mut low = vec![0.0; columns];
    let stacked = load.classes.iter().map(|class| {
        let per_s = class.due.iter().map(|due| *due as f64 / course.column_s / top);
        let high: Vec<f64> = low.iter().zip(per_s).map(|(low, more)| low + more).collect();
        let path = band(&low, &high, course.column_s);
        low = high;
        path
    });
    let stacked: Vec<String> = stacked.collect();
    let drawn =
        html! { @for (at, path) in stacked.iter().enumerate() { path.(format!("class-{at}")) d=(path) {} } };
    row("load", &legend("requests per second", load), 84, course, &drawn, &format!("{top:.0}/s"))
}

fn legend(title: &str, load: &LoadTrack) -> Markup {
    html! { (title) ul.legend { @for (at, track) in load.classes.iter().enumerate() {
        li { i.(format!("class-{at}")) {} (track.class.name()) }
    } } }
}

/// Losses on a scale of their own: one of two hundred would not be seen on the other one.
fn losses(load: &LoadTrack, course: &Course) -> Markup {
    let lost = |column: usize| load.classes.iter().map(|class| class.lost[column]).sum::<u64>();
    let columns = load.times.len();
    let in_peace: u64 = (0..columns).filter(|column| load.peace[*column]).map(lost).sum();
    let broken: u64 = (0..columns).map(lost).sum::<u64>() - in_peace;
    let top = round_up((0..columns).map(lost).max().unwrap_or(0) as f64 / course.column_s);
    let mut low = vec![0.0; columns];
    let mut paths = Vec::new();
    for class in &load.classes {
        let more = class.lost.iter().map(|lost| *lost as f64 / course.column_s / top);
        let high: Vec<f64> = low.iter().zip(more).map(|(low, more)| low + more).collect();
        paths.push(bars(&low, &high, &load.peace, course.column_s));
        low = high;
    }
    let drawn = html! { @for (at, [calm, during]) in paths.iter().enumerate() {
        path.(format!("class-{at}")).lost d=(calm) {} path.(format!("class-{at}")).expected d=(during) {}
    } };
    let label = html! { "not answered as usual" ul.legend {
        li { i.lost {} (super::grouped(in_peace)) " with nothing broken" } li { i.expected {} (super::grouped(broken)) " during faults" }
    } };
    let top = if in_peace + broken == 0 { "none".to_owned() } else { format!("{top:.0}/s") };
    row("load", &label, 48, course, &drawn, &top)
}

/// A bar per column that has any: those while nothing was broken, and those while something was.
fn bars(low: &[f64], high: &[f64], peace: &[bool], column_s: f64) -> [String; 2] {
    let mut paths = [String::new(), String::new()];
    for (at, (low, high)) in low.iter().zip(high).enumerate().filter(|(_, (low, high))| high > low) {
        let (x, from, to) = (at as f64 * column_s, HEIGHT * (1.0 - low), HEIGHT * (1.0 - high));
        let _ = write!(paths[usize::from(!peace[at])], "M{x:.0} {from:.1}V{to:.1}h{column_s:.0}V{from:.1}Z");
    }
    paths
}

/// On a logarithmic scale, since an answer from a cache and one that waited for a deadline lie apart by a factor of thousands.
fn times(load: &LoadTrack, course: &Course) -> Markup {
    let height =
        |ms: f64| (ms.clamp(FASTEST_MS, SLOWEST_MS) / FASTEST_MS).log10() / (SLOWEST_MS / FASTEST_MS).log10();
    let quantile =
        |at: usize| line(load.times.iter().map(|times| times.map(|q| height(q[at]))), course.column_s);
    let lines: Vec<String> = (0..3).map(quantile).collect();
    let marks = [10.0, 100.0, 1_000.0].map(|ms| HEIGHT * (1.0 - height(ms)));
    let drawn = html! {
        @for y in marks { path.grid d=(format!("M0 {y:.1}H{:.1}", course.length_s)) {} }
        @for (path, name) in lines.iter().zip(["p50", "p90", "p99"]) { path.quantile.(name) d=(path) {} }
    };
    let label = html! { "time of answers" ul.legend { @for name in ["p50", "p90", "p99"] { li { i.quantile.(name) {} (name) } } }
    small { "lines at 10, 100 ms, 1 s" } };
    row("load", &label, 84, course, &drawn, "10 s")
}

fn endpoints(course: &Course) -> Markup {
    let most = course
        .endpoints
        .iter()
        .map(|(_, ready, leaving)| ready.max(leaving))
        .max()
        .unwrap_or(&0)
        .max(&course.promise);
    let top = (*most as f64).max(1.0) + 0.5;
    let of = |which: fn(&(f64, usize, usize)) -> usize| -> Vec<(f64, f64)> {
        course.endpoints.iter().map(|point| (point.0, which(point) as f64 / top)).collect()
    };
    let promise = HEIGHT * (1.0 - course.promise as f64 / top);
    let drawn = html! {
        path.promise d=(format!("M0 {promise:.1}H{:.1}", course.length_s)) {}
        path.terminating d=(staircase(&of(|point| point.2), course.length_s)) {}
        path.ready d=(staircase(&of(|point| point.1), course.length_s)) {}
    };
    let label = html! { "endpoints" ul.legend {
        li { i.ready {} "ready" } li { i.terminating {} "leaving" } li { i.promise {} "promised: " (course.promise) }
    } };
    row("pods", &label, 56, course, &drawn, &most.to_string())
}

fn calls(dependency: &DependencyTrack, course: &Course) -> Markup {
    let top = round_up(dependency.calls.iter().copied().fold(0.0, f64::max));
    let high: Vec<f64> = dependency.calls.iter().map(|calls| calls / top).collect();
    let drawn = html! { path.calls d=(band(&vec![0.0; high.len()], &high, course.column_s)) {} };
    let label = html! { strong { (dependency.name) } small { @if dependency.name != dependency.protocol.name() { (dependency.protocol.name()) ", " } "calls per second, all pods" } };
    row("dependencies", &label, 44, course, &drawn, &format!("{top:.0}/s"))
}

/// What the pointer tells, per column: requests and losses per second, half and 99 % of the answers in ms.
fn columns(report: &Report) -> String {
    let Course { load, column_s, length_s, .. } = &report.course;
    let rounded = |value: f64| (value * 10.0).round() / 10.0;
    let column = |at: usize| {
        let per_s = |count: u64| rounded(count as f64 / column_s);
        let due = load.classes.iter().map(|class| class.due[at]).sum();
        let lost = load.classes.iter().map(|class| class.lost[at]).sum();
        let times = load.times[at].map(|q| [rounded(q[0]), rounded(q[2])]);
        serde_json::json!([per_s(due), per_s(lost), times])
    };
    let steps: Vec<_> =
        report.steps.iter().map(|step| (rounded(step.from_s), rounded(step.took_s), &step.name)).collect();
    let columns: Vec<_> = (0..load.times.len()).map(column).collect();
    let data =
        serde_json::json!({ "length": length_s, "column": column_s, "steps": steps, "columns": columns });
    // No text of this can end the script element.
    data.to_string().replace('<', "\\u003c")
}
