//! A row of the axis, and where a moment lies in it.

use maud::{Markup, html};

use super::curve::HEIGHT;
use crate::report::course::Course;

/// One row of the axis: a label, and a drawing in seconds.
pub(super) fn row(
    group: &str,
    label: &Markup,
    height_px: usize,
    course: &Course,
    drawn: &Markup,
    top: &str,
) -> Markup {
    html! {
        div.row data-group=(group) {
            div.label { (label) }
            div.plot style=(format!("height:{height_px}px")) {
                svg viewBox=(format!("0 0 {:.1} {HEIGHT}", course.length_s)) preserveAspectRatio="none" aria-hidden="true" focusable="false" { (drawn) }
                @if !top.is_empty() { span.scale { (top) } }
            }
        }
    }
}

/// Where something lies, as a style.
pub(super) fn place(course: &Course, from_s: f64, to_s: f64) -> String {
    let share = |seconds: f64| 100.0 * seconds / course.length_s;
    format!("left:{:.3}%;width:{:.3}%", share(from_s), share((to_s - from_s).max(0.0)))
}
