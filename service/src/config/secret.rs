use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A value that no log, error or debug output shows.
///
/// Parsing accepts everything, since clap would put a refused value into its message.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be said of it: whether it is there and how long it is.
    pub(super) fn describe(secret: Option<&Self>) -> String {
        match secret {
            Some(secret) => format!("{} characters (secret, not shown)", secret.0.chars().count()),
            None => "nothing".to_owned(),
        }
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}
