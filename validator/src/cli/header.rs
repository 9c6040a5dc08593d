//! `--header`, as curl has it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::config::checked_name;

/// `NAME: VALUE`, or `@FILE` with one such header a line.
#[derive(Clone)]
pub enum HeaderArg {
    /// A header.
    Line(String, String),
    /// A file of them.
    File(PathBuf),
}

impl HeaderArg {
    /// The headers, with lower-case names.
    ///
    /// # Errors
    /// What is wrong; no value is told.
    pub fn read(&self) -> Result<Vec<(String, String)>, String> {
        match self {
            Self::Line(name, value) => Ok(vec![(name.clone(), value.clone())]),
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| format!("--header: cannot read {}: {e}", path.display()))?;
                let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
                let wrong = |number, e| format!("--header: {}, line {number}: {e}", path.display());
                lines.map(|(at, line)| header(line).map_err(|e| wrong(at + 1, e))).collect()
            }
        }
    }
}

impl FromStr for HeaderArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('@') {
            Some(path) => Ok(Self::File(path.into())),
            None => header(text).map(|(name, value)| Self::Line(name, value)),
        }
    }
}

/// Without the value in any error: it may be a secret.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once(':').ok_or("expected `NAME: VALUE`, or @FILE with one header a line")?;
    Ok((checked_name(name.trim())?, value.trim().to_owned()))
}

impl fmt::Debug for HeaderArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(name, _) => write!(f, "{name}: ..."),
            Self::File(path) => write!(f, "@{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HeaderArg;

    #[test]
    fn a_header_is_read_as_curl_reads_it_and_its_value_is_not_shown() {
        let header: HeaderArg = "Authorization: Bearer s3cret:1".parse().unwrap();
        assert_eq!(header.read().unwrap(), [("authorization".to_owned(), "Bearer s3cret:1".to_owned())]);
        assert_eq!(format!("{header:?}"), "authorization: ...");
        for wrong in ["s3cret", "traceparent: 00-1", "na me: s3cret"] {
            let error = wrong.parse::<HeaderArg>().unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
