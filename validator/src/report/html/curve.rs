//! Curves as SVG paths: one unit of x is one second, so that every row of the axis is stretched alike.

use std::fmt::Write;

/// Drawn at this height in units; the page stretches it.
pub(super) const HEIGHT: f64 = 100.0;

/// The area between two rows of heights from 0 to 1, in steps of one column.
pub(super) fn band(low: &[f64], high: &[f64], column_s: f64) -> String {
    let mut path = String::new();
    let steps = |path: &mut String, (at, height): (usize, &f64)| {
        let (x, y) = (at as f64 * column_s, HEIGHT * (1.0 - height));
        let _ = write!(path, "{}{x:.0} {y:.1}H{:.0}", if path.is_empty() { "M" } else { "L" }, x + column_s);
    };
    high.iter().enumerate().for_each(|column| steps(&mut path, column));
    for (at, height) in low.iter().enumerate().rev() {
        let (x, y) = (at as f64 * column_s, HEIGHT * (1.0 - height));
        let _ = write!(path, "L{:.0} {y:.1}H{x:.0}", x + column_s);
    }
    path.push('Z');
    path
}

/// A line through the middles of columns; it breaks where there is nothing.
pub(super) fn line(heights: impl Iterator<Item = Option<f64>>, column_s: f64) -> String {
    let mut path = String::new();
    let mut is_down = false;
    for (at, height) in heights.enumerate() {
        let Some(height) = height else {
            is_down = false;
            continue;
        };
        let (x, y) = ((at as f64 + 0.5) * column_s, HEIGHT * (1.0 - height));
        let _ = write!(path, "{}{x:.1} {y:.1}", if is_down { "L" } else { "M" });
        // A point alone would not be seen.
        if !is_down {
            let _ = write!(path, "h0.1");
        }
        is_down = true;
    }
    path
}

/// A line that keeps each value until the next one; nothing without any.
pub(super) fn staircase(points: &[(f64, f64)], end_s: f64) -> String {
    let mut path = String::new();
    if points.is_empty() {
        return path;
    }
    for (at, height) in points {
        let y = HEIGHT * (1.0 - height);
        let _ =
            if path.is_empty() { write!(path, "M{at:.1} {y:.1}") } else { write!(path, "H{at:.1}V{y:.1}") };
    }
    let _ = write!(path, "H{end_s:.1}");
    path
}

/// The next round number.
pub(super) fn round_up(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(1.0).log10().floor());
    [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|round| *round >= most)
        .unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::{band, line, round_up, staircase};

    #[test]
    fn paths_follow_their_values() {
        assert_eq!(band(&[0.0, 0.0], &[1.0, 0.5], 2.0), "M0 0.0H2L2 50.0H4L4 100.0H2L2 100.0H0Z");
        assert_eq!(line([Some(1.0), None, Some(0.0)].into_iter(), 1.0), "M0.5 0.0h0.1M2.5 100.0h0.1");
        assert_eq!(staircase(&[], 9.0), "");
        assert_eq!(staircase(&[(0.0, 1.0), (3.0, 0.5)], 9.0), "M0.0 0.0H3.0V50.0H9.0");
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (most, round) in
            [(0.0, 1.0), (1.0, 1.0), (3.0, 3.0), (187.0, 200.0), (201.0, 250.0), (900.0, 1000.0)]
        {
            assert!((round_up(most) - round).abs() < 1e-9, "{most}");
        }
    }
}
