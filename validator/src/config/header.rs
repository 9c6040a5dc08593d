//! Headers of a request: values in the clear, or where a secret value is found.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::template::fill_text;
use crate::failure::Failure;

/// Headers by their lower-case names.
pub type Headers = BTreeMap<String, HeaderText>;

/// The value of a header, or a reference to it; only the reference ever stands in the evidence.
#[derive(Clone, Debug, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(untagged)]
pub enum HeaderText {
    /// In the clear; placeholders are filled in per request.
    Plain(String),
    /// A key of a Secret in the target's namespace.
    Secret {
        /// Which one.
        #[serde(rename = "secretKeyRef")]
        secret: SecretKey,
    },
    /// The content of a file, without the line end at its end.
    File {
        /// Its path; a relative one starts at the folder of the target file.
        file: PathBuf,
    },
}

/// The value of header `name` that stands in a file.
///
/// # Errors
/// Exit 2 when it cannot be read.
pub fn text_of(name: &str, file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("header `{name}`: cannot read {}: {e}", file.display())))?;
    // An editor's line end belongs to no token.
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// One key of one Secret.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    /// Name of the Secret.
    pub name: String,
    /// Key in its data.
    pub key: String,
}

impl HeaderText {
    /// The value of one request, if it stands in the clear.
    pub fn plain(&self, random: &mut dyn FnMut() -> u64) -> Option<String> {
        match self {
            Self::Plain(text) => Some(fill_text(text, random)),
            _ => None,
        }
    }
}

/// Lower-case names that a load may set.
///
/// # Errors
/// What is wrong with a name or with a value in the clear.
pub(super) fn checked(headers: Headers) -> Result<Headers, String> {
    headers.into_iter().map(|(name, text)| Ok((checked_name(&name)?, checked_text(&name, text)?))).collect()
}

/// The name of a header as HTTP/2 writes it, if the load may set it.
///
/// # Errors
/// Why not.
pub fn checked_name(name: &str) -> Result<String, String> {
    /// Set by the load itself, or by the framing of the message.
    const OURS: [&str; 5] = ["connection", "content-length", "traceparent", "transfer-encoding", "upgrade"];
    let parsed = HeaderName::from_bytes(name.as_bytes());
    let lower = parsed.map_err(|_| format!("headers: `{name}` is no name of a header"))?.as_str().to_owned();
    if OURS.contains(&lower.as_str()) {
        return Err(format!("headers: `{lower}` is set by the load itself"));
    }
    Ok(lower)
}

fn checked_text(name: &str, text: HeaderText) -> Result<HeaderText, String> {
    let Some(plain) = text.plain(&mut || 0) else { return Ok(text) };
    if is_secret(name) {
        return Err(format!(
            "headers: a `{name}` in the clear would stand in the evidence: use `secretKeyRef: {{ name, key }}` or `file: PATH`"
        ));
    }
    match HeaderValue::from_str(&plain) {
        Ok(_) => Ok(text),
        Err(_) => Err(format!("headers: the value of `{name}` cannot be sent: expected one line of text")),
    }
}

/// Names whose values nobody should write down.
fn is_secret(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "x-api-key"]
        .iter()
        .any(|it| name.eq_ignore_ascii_case(it))
}

impl<'de> Deserialize<'de> for HeaderText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Written)
    }
}

/// A string, or a map with one of two keys: an error of ours says so, one of an untagged enum does not.
struct Written;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reference {
    #[serde(default)]
    secret_key_ref: Option<SecretKey>,
    #[serde(default)]
    file: Option<PathBuf>,
}

impl<'de> Visitor<'de> for Written {
    type Value = HeaderText;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text, { secretKeyRef: { name, key } } or { file: PATH }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<HeaderText, E> {
        Ok(HeaderText::Plain(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<HeaderText, E> {
        Ok(HeaderText::Plain(number.to_string()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<HeaderText, E> {
        Ok(HeaderText::Plain(value.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HeaderText, A::Error> {
        match Reference::deserialize(MapAccessDeserializer::new(map))? {
            Reference { secret_key_ref: Some(secret), file: None } => Ok(HeaderText::Secret { secret }),
            Reference { secret_key_ref: None, file: Some(file) } => Ok(HeaderText::File { file }),
            _ => Err(A::Error::custom(
                "expected one of `secretKeyRef: { name, key }` and `file: PATH` as the value of a header",
            )),
        }
    }
}
