//! Requests per second, losses and times, by column.

use super::Axis;
use crate::evidence::{Class, Histogram, Millis};
use crate::timeline::Timeline;

/// The load of users: what went through the Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadTrack {
    /// One per class that sent anything.
    pub classes: Vec<ClassTrack>,
    /// Times below which half, nine tenths and 99 % of the answers of a column lie, in ms; none without answers.
    pub times: Vec<Option<[f64; 3]>>,
    /// Whether nothing was broken on purpose, by column.
    pub peace: Vec<bool>,
    /// Requests answered or lost while pods were replaced.
    pub while_rolling: u64,
}

/// One class of clients.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassTrack {
    /// The class.
    pub class: Class,
    /// Requests due, by column.
    pub due: Vec<u64>,
    /// Of these, lost.
    pub lost: Vec<u64>,
}

pub(super) fn track(timeline: &Timeline, axis: Axis) -> LoadTrack {
    let empty = |class| ClassTrack { class, due: vec![0; axis.columns], lost: vec![0; axis.columns] };
    let mut classes = Class::ALL.map(empty);
    let mut times = vec![Histogram::default(); axis.columns];
    for (_, second) in &timeline.load.seconds {
        let (Some(column), Some(track)) =
            (axis.column(second.at), classes.iter_mut().find(|track| track.class == second.class))
        else {
            continue;
        };
        track.due[column] += u64::from(second.due);
        let lost = second.outcomes.iter().filter(|(o, _)| timeline.load.is_lost(second.template, *o));
        track.lost[column] += lost.map(|(_, count)| u64::from(*count)).sum::<u64>();
        times[column].merge(&second.times);
    }
    let quantiles = |times: &Histogram| {
        let any = times.0.iter().any(|count| *count > 0);
        any.then(|| [0.5, 0.9, 0.99].map(|share| times.quantile_ms(share)))
    };
    let sent = |track: &ClassTrack| track.due.iter().any(|due| *due > 0);
    let rolling = timeline.load.all_over(&timeline.rolling());
    LoadTrack {
        peace: peace(timeline, axis),
        while_rolling: rolling.answered + rolling.lost,
        times: times.iter().map(quantiles).collect(),
        classes: classes.into_iter().filter(sent).collect(),
    }
}

/// A request that was due so long before a fault began may still have met it.
const UNDER_WAY: Millis = 3_000;

fn peace(timeline: &Timeline, axis: Axis) -> Vec<bool> {
    let column_ms = axis.column_s * 1000.0;
    let window = |column: usize| {
        let from = axis.started + (column as f64 * column_ms) as Millis;
        (from, from + column_ms as Millis + UNDER_WAY)
    };
    // A column that only touches a fault is not told apart from one that lies within.
    let is_whole = |(from, to)| timeline.in_peace((from, to)).any(|part| part == (from, to));
    (0..axis.columns).map(|column| is_whole(window(column))).collect()
}
