use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::error::{ConfigError, value};

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

    /// What the variable says, or else the file that `variable`_FILE names; nothing where both are empty.
    pub(super) fn found(
        variable: &'static str,
        said: Option<&Self>,
        file: Option<&Path>,
    ) -> Result<Option<Self>, ConfigError> {
        let said = said.filter(|secret| !secret.0.is_empty()).cloned();
        let Some(path) = file.filter(|path| !path.as_os_str().is_empty()) else { return Ok(said) };
        let refused = |read, expected| value(format!("{variable}_FILE"), read, expected);
        if said.is_some() {
            return Err(refused(format!("a file beside {variable}"), "one of the two"));
        }
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(Self(text.trim().to_owned())).filter(|secret| !secret.0.is_empty())),
            Err(error) => Err(refused(format!("{} ({error})", path.display()), "a file that can be read")),
        }
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
