//! The body of a request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::template::fill_text;

/// What a request carries; placeholders in texts are filled in per request.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `json`: sent as application/json.
    Json(Value),
    /// `form`: sent as application/x-www-form-urlencoded.
    Form(BTreeMap<String, String>),
    /// `body`: sent as it stands, text/plain unless a header says otherwise.
    Text(String),
}

impl Body {
    /// The body of one request.
    pub fn render(&self, random: &mut dyn FnMut() -> u64) -> String {
        match self {
            Self::Json(value) => fill(value, random).to_string(),
            Self::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (key, text) in fields {
                    form.append_pair(key, &fill_text(text, random));
                }
                form.finish()
            }
            Self::Text(text) => fill_text(text, random),
        }
    }

    /// Its media type, for a request that names none.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Form(_) => "application/x-www-form-urlencoded",
            Self::Text(_) => "text/plain; charset=utf-8",
        }
    }
}

fn fill(value: &Value, random: &mut dyn FnMut() -> u64) -> Value {
    match value {
        Value::String(text) => Value::String(fill_text(text, random)),
        Value::Array(items) => items.iter().map(|v| fill(v, random)).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), fill(v, random))).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::Body;

    #[test]
    fn a_form_is_encoded_and_its_placeholders_are_filled() {
        let fields = [("q", "a b&c"), ("n", "{7..7}")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(Body::Form(fields.into()).render(&mut || 0), "n=7&q=a+b%26c");
    }

    #[test]
    fn a_text_without_placeholders_stays_as_it_is() {
        let query = "{ users { id } }";
        assert_eq!(Body::Text(query.into()).render(&mut || 0), query);
        assert_eq!(Body::Text("id={3..3}".into()).render(&mut || 0), "id=3");
    }
}
