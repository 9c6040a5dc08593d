//! Lanes of the axis: pods, faults, circuits, disturbances, findings.

use maud::{Markup, html};

use super::curve::HEIGHT;
use super::row::row;
use super::{checklist::tone, clock};
use crate::report::Report;
use crate::report::course::{
    CircuitLane, CircuitState, Course, DependencyTrack, Generation, Phase, PodLane, Stretch,
};

/// Height of one lane on the screen.
const LANE_PX: usize = 12;

/// A row is as high as its label, so that a single lane does not fill it.
const MIN_LANES: usize = 4;

pub(super) fn pods(course: &Course) -> Markup {
    html! { @for generation in [Generation::Found, Generation::Candidate, Generation::ToStay] {
        (group(course, generation))
    } }
}

fn group(course: &Course, generation: Generation) -> Markup {
    let mine: Vec<&PodLane> = course.pods.iter().filter(|pod| pod.generation == generation).collect();
    if mine.is_empty() {
        return Markup::default();
    }
    let drawn = html! { @for (at, pod) in mine.iter().enumerate() { @for (phase, stretch) in &pod.phases {
        (bar(at, mine.len().max(MIN_LANES), stretch, phase_class(*phase), &pod_title(pod, stretch)))
    } } };
    let label = html! {
        "pods " small { (generation.name()) }
        ul.legend { @for phase in [Phase::Starting, Phase::Ready, Phase::Unready, Phase::Terminating] {
            li { i.(phase_class(phase)) {} (phase.name()) }
        } }
    };
    row("pods", &label, LANE_PX * mine.len().max(MIN_LANES), course, &drawn, "")
}

fn phase_class(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Ready => "up",
        Phase::Unready => "unready",
        Phase::Terminating => "leaving",
        Phase::Ended => "ended",
    }
}

fn pod_title(pod: &PodLane, stretch: &Stretch) -> String {
    let end = pod.end.as_deref().map(|end| format!(", {end}")).unwrap_or_default();
    format!("{}: {} from {} to {}{end}", pod.name, stretch.text, clock(stretch.from_s), clock(stretch.to_s))
}

/// One stretch in one of several lanes, with a tooltip.
fn bar(lane: usize, lanes: usize, stretch: &Stretch, class: &str, title: &str) -> Markup {
    let step = HEIGHT / lanes.max(1) as f64;
    let width = (stretch.to_s - stretch.from_s).max(0.3);
    html! {
        rect.(class) x=(format!("{:.1}", stretch.from_s)) width=(format!("{width:.1}"))
            y=(format!("{:.1}", step * (lane as f64 + 0.1))) height=(format!("{:.1}", step * 0.8)) { title { (title) } }
    }
}

pub(super) fn dependency(dependency: &DependencyTrack, course: &Course) -> Markup {
    html! { (faults(dependency, course)) (circuits(dependency, course)) }
}

fn faults(dependency: &DependencyTrack, course: &Course) -> Markup {
    let mut pods: Vec<&str> = dependency.faults.iter().map(|fault| fault.pod.as_str()).collect();
    pods.sort_unstable();
    pods.dedup();
    if pods.is_empty() {
        return Markup::default();
    }
    let mut kinds: Vec<&str> = dependency.faults.iter().map(|fault| fault.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let lanes = pods.len().max(MIN_LANES);
    let lane = |pod: &str| pods.iter().position(|other| *other == pod).unwrap_or(0);
    let drawn = html! { @for fault in &dependency.faults {
        (bar(lane(&fault.pod), lanes, &fault.stretch, &format!("fault {}", fault.kind), &format!("{}: {} {}", fault.pod, clock(fault.stretch.from_s), fault.stretch.text)))
    } };
    let label = html! { "faults at " (dependency.name) small { "a line per pod" }
    ul.legend { @for kind in &kinds { li { i.fault.(kind) {} (kind) } } } };
    row("dependencies", &label, LANE_PX * lanes, course, &drawn, "")
}

fn circuits(dependency: &DependencyTrack, course: &Course) -> Markup {
    let lanes: &[CircuitLane] = &dependency.circuits;
    if lanes.is_empty() {
        return Markup::default();
    }
    let rows = lanes.len().max(MIN_LANES);
    let title = |lane: &CircuitLane, stretch: &Stretch| {
        format!("{}: {} from {} to {}", lane.pod, stretch.text, clock(stretch.from_s), clock(stretch.to_s))
    };
    let drawn = html! { @for (at, lane) in lanes.iter().enumerate() { @for (state, stretch) in &lane.states {
        (bar(at, rows, stretch, state_class(*state), &title(lane, stretch)))
    } } };
    let states =
        [CircuitState::Closed, CircuitState::Open, CircuitState::HalfOpen, CircuitState::StaysClosed];
    let any =
        |state: &CircuitState| lanes.iter().flat_map(|lane| &lane.states).any(|(other, _)| other == state);
    let label = html! { "circuits before " (dependency.name) small { "as the database sees them" }
    ul.legend { @for state in states.iter().filter(|state| any(state)) { li { i.(state_class(*state)) {} (state.name()) } } } };
    row("dependencies", &label, LANE_PX * rows, course, &drawn, "")
}

fn state_class(state: CircuitState) -> &'static str {
    match state {
        CircuitState::Closed => "closed",
        CircuitState::Open => "opened",
        CircuitState::HalfOpen => "trial",
        CircuitState::StaysClosed => "never",
    }
}

pub(super) fn disturbances(course: &Course) -> Markup {
    let drawn = html! { @for stretch in &course.disturbances {
        (bar(0, 1, stretch, "disturbed", &format!("{} to {}: {}", clock(stretch.from_s), clock(stretch.to_s), stretch.text)))
    } };
    let label = html! { "disturbances" small { "of the run itself: " (course.disturbances.len()) } };
    row("trust", &label, 20, course, &drawn, "")
}

/// A lane per check with cases; each case is where its finding leads to.
pub(super) fn findings(report: &Report) -> Markup {
    let course = &report.course;
    html! { @for line in &report.checks {
        @let marks: Vec<_> = course.marks.iter().filter(|mark| mark.check == line.id).collect();
        @if !marks.is_empty() {
            (row("trust", &html! { a href=(format!("#{}", line.id)) { (line.id) } small { (line.slug) } }, 20, course, &html! { @for mark in marks {
                @let width = (mark.to_s - mark.from_s).max(course.length_s / 250.0);
                rect.mark.(if mark.struck.is_some() { "struck" } else { tone(line.finding.outcome) })
                    id=(format!("case-{}-{}", mark.check, mark.case)) data-at=(format!("{:.1}", mark.from_s))
                    x=(format!("{:.1}", mark.from_s.min(course.length_s - width))) width=(format!("{width:.1}")) y="10" height="80" { title { (clock(mark.from_s)) " " (mark.text) } }
            } }, ""))
        }
    } }
}
