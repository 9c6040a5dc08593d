//! The code of a check.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GL-<area><nnn>`; that there is such a check is for whoever knows the checks to say.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^GL-[A-Z][0-9]{3}$"))]
pub struct CheckCode(String);

impl CheckCode {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CheckCode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_code = |rest: &[u8]| {
            rest.len() == 4 && rest[0].is_ascii_uppercase() && rest[1..].iter().all(u8::is_ascii_digit)
        };
        if text.strip_prefix("GL-").is_some_and(|rest| is_code(rest.as_bytes())) {
            return Ok(Self(text));
        }
        Err(format!("`{text}`: expected the code of a check such as GL-B201; `validator checks` lists them"))
    }
}

impl From<CheckCode> for String {
    fn from(code: CheckCode) -> Self {
        code.0
    }
}

impl fmt::Display for CheckCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
