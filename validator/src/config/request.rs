//! One kind of request in the load.

use std::num::NonZeroU32;

use http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Template;

/// `- get: PATH` or `- post: PATH` with a `json` body.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Entry", into = "Entry")]
pub struct RequestSpec {
    /// The method.
    pub method: Method,
    /// The path, placeholders included.
    pub path: Template,
    /// JSON body; placeholders in its strings are filled in per request.
    pub json: Option<Value>,
    /// How often it is chosen, against the others of its method.
    pub weight: NonZeroU32,
}

/// The methods a load may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    get: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    post: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    #[serde(default = "once")]
    weight: NonZeroU32,
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl RequestSpec {
    /// A GET of this path.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn get(get: Template) -> Result<Self, String> {
        Ok(Self { method: Method::Get, path: path(get)?, json: None, weight: once() })
    }

    /// The body of one request, or nothing for a method without one.
    pub fn body(&self, seed: &mut dyn FnMut() -> u64) -> Option<String> {
        self.json.as_ref().map(|json| fill(json, seed).to_string())
    }
}

fn fill(value: &Value, seed: &mut dyn FnMut() -> u64) -> Value {
    match value {
        Value::String(text) => match text.parse::<Template>() {
            Ok(template) => Value::String(template.render(seed)),
            Err(_) => Value::String(text.clone()),
        },
        Value::Array(items) => items.iter().map(|v| fill(v, seed)).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), fill(v, seed))).collect(),
        other => other.clone(),
    }
}

/// Refuses what no request could be sent to; any value of a placeholder does as well as another one.
fn path(template: Template) -> Result<Template, String> {
    let example = template.render(&mut || 0);
    let valid = example.starts_with('/') && example.parse::<PathAndQuery>().is_ok();
    if valid {
        Ok(template)
    } else {
        Err(format!("`{template}`: expected a path such as /api/users/{{1..1000}}"))
    }
}

impl TryFrom<Entry> for RequestSpec {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, Self::Error> {
        match (entry.get, entry.post) {
            (Some(_), None) if entry.json.is_some() => Err("json: a `get` has no body; use `post`".into()),
            (Some(get), None) => {
                Ok(Self { method: Method::Get, path: path(get)?, json: None, weight: entry.weight })
            }
            (None, Some(post)) => {
                Ok(Self { method: Method::Post, path: path(post)?, json: entry.json, weight: entry.weight })
            }
            _ => Err("expected exactly one of `get: PATH` and `post: PATH` in each request".into()),
        }
    }
}

impl From<RequestSpec> for Entry {
    fn from(spec: RequestSpec) -> Self {
        let (get, post) = match spec.method {
            Method::Get => (Some(spec.path), None),
            Method::Post => (None, Some(spec.path)),
        };
        Self { get, post, json: spec.json, weight: spec.weight }
    }
}
