//! Shares of a whole, from 0 to 1.

/// Parses a number from 0 to 1, both included.
pub fn parse(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("expected a number from 0 to 1, such as 0.01".to_owned()),
    }
}

/// As [`parse`], but refuses zero.
pub fn parse_positive(text: &str) -> Result<f64, String> {
    let above_zero = parse(text).ok().filter(|ratio| *ratio > 0.0);
    above_zero.ok_or_else(|| "expected a number above 0, up to 1, such as 0.5".to_owned())
}
