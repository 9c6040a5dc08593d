//! Text with placeholders: `{1..1000}` is a number of that range, `{uuid}` a fresh UUID.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A parsed template; rendering cannot fail.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Range(u64, u64),
    Uuid,
}

impl Template {
    /// Whether every rendering is the same.
    pub fn is_fixed(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// Fills the placeholders from a source of random numbers.
    pub fn render(&self, random: &mut dyn FnMut() -> u64) -> String {
        let mut text = String::with_capacity(self.source.len() + 32);
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Range(from, to) => {
                    let _ = write!(text, "{}", from + random() % (to - from + 1));
                }
                Part::Uuid => {
                    let bits = (u128::from(random()) << 64) | u128::from(random());
                    let _ =
                        write!(text, "{}", uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid());
                }
            }
        }
        text
    }
}

/// A text with its placeholders filled in; one that is no template is a text as it stands.
pub(super) fn fill_text(text: &str, random: &mut dyn FnMut() -> u64) -> String {
    text.parse::<Template>().map_or_else(|_| text.to_owned(), |template| template.render(random))
}

impl FromStr for Template {
    type Err = String;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some(open) = rest.find('{') {
            let close =
                rest[open..].find('}').ok_or_else(|| format!("`{source}`: expected `}}` after `{{`"))? + open;
            parts.push(Part::Literal(rest[..open].to_owned()));
            parts.push(placeholder(&rest[open + 1..close])?);
            rest = &rest[close + 1..];
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(Self { source: source.to_owned(), parts })
    }
}

fn placeholder(text: &str) -> Result<Part, String> {
    if text == "uuid" {
        return Ok(Part::Uuid);
    }
    let range = text.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match range {
        Some((from, to)) if from <= to && to < u64::MAX => Ok(Part::Range(from, to)),
        _ => Err(format!("`{{{text}}}`: expected {{uuid}} or a range such as {{1..1000}}")),
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn a_range_stays_inside_its_ends() {
        let template: Template = "/users/{3..5}/x".parse().unwrap();
        let mut next = 0;
        for _ in 0..100 {
            let path = template.render(&mut || {
                next += 1;
                next
            });
            assert!(["/users/3/x", "/users/4/x", "/users/5/x"].contains(&path.as_str()), "{path}");
        }
    }

    #[test]
    fn wrong_placeholders_are_refused() {
        for wrong in ["/{5..3}", "/{id}", "/{1..", "/{}"] {
            assert!(wrong.parse::<Template>().is_err(), "{wrong}");
        }
    }
}
