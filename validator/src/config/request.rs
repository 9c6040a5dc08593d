//! One kind of request in the load.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use http::uri::PathAndQuery;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::header::checked;
use super::{Body, Headers, Method, PortRef, Template};

/// `- METHOD: PATH` with headers, a body and the statuses that are right.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Entry", into = "Entry")]
pub struct RequestSpec {
    /// The method.
    pub method: Method,
    /// The path, placeholders included.
    pub path: Template,
    /// Headers beside those that the load sets itself.
    pub headers: Headers,
    /// The body.
    pub body: Option<Body>,
    /// Statuses that are right; none means those that the quiet phase gave.
    pub expect: Vec<u16>,
    /// A text that the body of every answer of the 2xx class holds; none means that bodies are not looked at.
    pub expect_body: Option<String>,
    /// Port of the Service; the target's when absent.
    pub port: Option<PortRef>,
    /// How often it is chosen, against the others that read, or against the others that write.
    pub weight: NonZeroU32,
}

#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// A path to GET, with {1..1000} and {uuid} as placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    get: Option<Template>,
    /// A path to HEAD, with {1..1000} and {uuid} as placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<Template>,
    /// A path to OPTIONS, with {1..1000} and {uuid} as placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<Template>,
    /// A path to POST, with {1..1000} and {uuid} as placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    post: Option<Template>,
    /// A path to PUT, with {1..1000} and {uuid} as placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    put: Option<Template>,
    /// A path to PATCH, with {1..1000} and {uuid} as placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patch: Option<Template>,
    /// A path to DELETE, with {1..1000} and {uuid} as placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delete: Option<Template>,
    /// Headers; the value of a secret one from a Secret or a file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: Headers,
    /// A JSON body; placeholders in its texts are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    /// A form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    form: Option<BTreeMap<String, String>>,
    /// A body as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Statuses that are right; those of the quiet phase when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<Vec<u16>>,
    /// A text that the body of every answer of the 2xx class holds, in its first 64 KiB: what a fallback that says 200
    /// and means an error lacks.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "expectBody")]
    expect_body: Option<String>,
    /// Port of the Service; the target's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<PortRef>,
    /// How often it is chosen, against the others of its kind.
    #[serde(default)]
    weight: Option<NonZeroU32>,
}

impl RequestSpec {
    /// A GET of this path.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn get(get: Template) -> Result<Self, String> {
        Entry { get: Some(get), ..Entry::default() }.try_into()
    }

    /// `GET /api/users/{1..1000}`, the name in reports.
    pub fn name(&self) -> String {
        format!("{} {}", self.method.verb(), self.path)
    }
}

impl Entry {
    fn paths(&mut self) -> [(Method, &mut Option<Template>); 7] {
        [
            (Method::Get, &mut self.get),
            (Method::Head, &mut self.head),
            (Method::Options, &mut self.options),
            (Method::Post, &mut self.post),
            (Method::Put, &mut self.put),
            (Method::Patch, &mut self.patch),
            (Method::Delete, &mut self.delete),
        ]
    }

    fn method(&mut self) -> Result<(Method, Template), String> {
        let named = self.paths().into_iter().filter_map(|(method, path)| Some((method, path.take()?)));
        let mut named: Vec<_> = named.collect();
        if let (Some(one), true) = (named.pop(), named.is_empty()) {
            return Ok(one);
        }
        let names = Method::ALL.map(Method::name).join(", ");
        Err(format!("expected exactly one method with its path in each request, of {names}"))
    }

    fn body(&mut self) -> Result<Option<Body>, String> {
        let json = self.json.take().map(Body::Json);
        let form = self.form.take().map(Body::Form);
        let text = self.body.take().map(Body::Text);
        let mut bodies = [json, form, text].into_iter().flatten();
        match (bodies.next(), bodies.next()) {
            (_, Some(_)) => Err("expected at most one of `json`, `form` and `body` in each request".into()),
            (one, None) => Ok(one),
        }
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

fn statuses(expect: Option<Vec<u16>>) -> Result<Vec<u16>, String> {
    match expect {
        None => Ok(Vec::new()),
        Some(all) if all.is_empty() => Err("expect: expected at least one status, such as [200, 404]".into()),
        Some(all) => match all.iter().find(|status| !(200..=599).contains(*status)) {
            Some(wrong) => Err(format!("expect: {wrong} is no final status: expected 200 to 599")),
            None => Ok(all),
        },
    }
}

fn text(expect_body: Option<String>, method: Method) -> Result<Option<String>, String> {
    match expect_body {
        Some(text) if text.is_empty() => Err("expectBody: expected a text that right answers hold".into()),
        Some(_) if method == Method::Head => {
            Err("expectBody: an answer to `head` has no body: leave it out, or use `get`".into())
        }
        other => Ok(other),
    }
}

impl TryFrom<Entry> for RequestSpec {
    type Error = String;

    fn try_from(mut entry: Entry) -> Result<Self, Self::Error> {
        let (method, template) = entry.method()?;
        let body = entry.body()?;
        if method.is_safe() && body.is_some() {
            let name = method.name();
            return Err(format!(
                "a `{name}` has no body: leave out `json`, `form` and `body`, or use `post`"
            ));
        }
        Ok(Self {
            method,
            path: path(template)?,
            headers: checked(entry.headers)?,
            body,
            expect: statuses(entry.expect)?,
            expect_body: text(entry.expect_body, method)?,
            port: entry.port,
            weight: entry.weight.unwrap_or(NonZeroU32::MIN),
        })
    }
}

impl From<RequestSpec> for Entry {
    fn from(spec: RequestSpec) -> Self {
        let mut entry = Self {
            headers: spec.headers,
            expect: Some(spec.expect).filter(|expect| !expect.is_empty()),
            expect_body: spec.expect_body,
            port: spec.port,
            weight: Some(spec.weight),
            ..Self::default()
        };
        match spec.body {
            Some(Body::Json(json)) => entry.json = Some(json),
            Some(Body::Form(form)) => entry.form = Some(form),
            Some(Body::Text(text)) => entry.body = Some(text),
            None => {}
        }
        let mine = entry.paths().into_iter().find(|(method, _)| *method == spec.method);
        if let Some((_, path)) = mine {
            *path = Some(spec.path);
        }
        entry
    }
}
