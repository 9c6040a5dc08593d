//! One kind of request in the load.

use std::num::NonZeroU32;

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
    pub fn get(path: Template) -> Self {
        Self { method: Method::Get, path, json: None, weight: once() }
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

impl TryFrom<Entry> for RequestSpec {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, Self::Error> {
        match (entry.get, entry.post) {
            (Some(_), None) if entry.json.is_some() => Err("json: a `get` has no body; use `post`".into()),
            (Some(path), None) => Ok(Self { method: Method::Get, path, json: None, weight: entry.weight }),
            (None, Some(path)) => {
                Ok(Self { method: Method::Post, path, json: entry.json, weight: entry.weight })
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
