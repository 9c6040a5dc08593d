//! Rates and durations as people write them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A day: nothing that a gate waits for takes longer.
const MAX_HOURS: u32 = 24;

/// Requests per second; 1 to 100,000.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(extend("minimum" = 1, "maximum" = 100_000))]
pub struct Rate(u32);

/// A duration written as `250ms`, `3s` or `2m`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, PartialOrd)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[0-9]+([.][0-9]+)?(ms|s|m|h)$"))]
pub struct Seconds(pub f64);

impl Rate {
    pub(crate) const fn new(per_second: u32) -> Self {
        Self(per_second)
    }

    /// Requests per second.
    pub fn per_second(self) -> f64 {
        f64::from(self.0)
    }
}

impl Seconds {
    /// Reads a duration of at most so many hours.
    pub(super) fn up_to(hours: u32, text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}`: expected a duration such as 250ms, 3s or 2m");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: f64 = digits.parse().map_err(|_| expected())?;
        let factor = match &text[digits.len()..] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(expected()),
        };
        let seconds = number * factor;
        if seconds <= 0.0 {
            Err(expected())
        } else if seconds > f64::from(hours) * 3600.0 {
            Err(format!("`{text}`: expected at most {hours}h"))
        } else {
            Ok(Self(seconds))
        }
    }
}

impl TryFrom<u32> for Rate {
    type Error = String;

    fn try_from(value: u32) -> Result<Self, Self::Error> {
        if (1..=100_000).contains(&value) {
            Ok(Self(value))
        } else {
            Err(format!("rate {value}: expected 1 to 100000 requests per second"))
        }
    }
}

impl From<Rate> for u32 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<u32>().map_err(|e| e.to_string())?.try_into()
    }
}

impl std::str::FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::up_to(MAX_HOURS, text)
    }
}

impl TryFrom<String> for Seconds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Seconds> for String {
    fn from(seconds: Seconds) -> Self {
        seconds.to_string()
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1.0 { write!(f, "{}ms", (self.0 * 1000.0).round()) } else { write!(f, "{}s", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::Seconds;

    #[test]
    fn durations_need_a_unit_and_a_positive_number() {
        assert_eq!("250ms".parse(), Ok(Seconds(0.25)));
        assert_eq!("2m".parse(), Ok(Seconds(120.0)));
        for wrong in ["3", "s", "-1s", "0s", "3 days", "", "1e30s", "25h"] {
            assert!(wrong.parse::<Seconds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_that_is_too_long_is_told_the_limit() {
        assert_eq!("25h".parse::<Seconds>(), Err("`25h`: expected at most 24h".to_owned()));
        assert_eq!(Seconds::up_to(168, "168h"), Ok(Seconds(604_800.0)));
        assert_eq!(Seconds::up_to(168, "169h"), Err("`169h`: expected at most 168h".to_owned()));
    }
}
