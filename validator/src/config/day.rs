//! A day of the calendar.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A day in UTC, written as `2026-12-31`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
pub struct Day(Date);

impl Day {
    /// The day of a moment, in Unix milliseconds; the first day of 1970 for one that no calendar has.
    pub fn of(moment: i64) -> Self {
        let at = Timestamp::from_millisecond(moment).unwrap_or(Timestamp::UNIX_EPOCH);
        Self(Offset::UTC.to_datetime(at).date())
    }

    /// So many days later; the last day of the calendar if that is sooner.
    pub fn after(self, days: u32) -> Self {
        Self(self.0.saturating_add(Span::new().days(days.min(3_000_000))))
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let day = if text.len() == 10 { text.parse().ok() } else { None };
        day.map(Self).ok_or_else(|| format!("`{text}`: expected a day such as 2026-12-31"))
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn days_are_those_of_the_calendar_in_utc() {
        let day = |text: &str| Day::try_from(text.to_owned());
        assert_eq!(day("2026-12-31").unwrap().after(1).to_string(), "2027-01-01");
        assert_eq!(Day::of(1_767_225_599_999), day("2025-12-31").unwrap());
        assert_eq!(Day::of(1_767_225_600_000), day("2026-01-01").unwrap());
        for wrong in ["2026-02-30", "31.12.2026", "2026-1-1", "", "2026-12-31T00:00:00"] {
            assert!(day(wrong).unwrap_err().contains("2026-12-31"), "{wrong}");
        }
    }
}
