//! Credentials in attributes of spans, by what the attributes are called and by where credentials stand in an address.
//! Values are looked at and never kept.
//!
//! What must not stand there is said by the semantic conventions of OpenTelemetry: headers are not recorded without a
//! choice of each, and `url.full` holds neither a user with its password nor the values of signatures
//! (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/>).

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

/// The last part of a name whose value is one.
const NAMES: [&str; 14] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "api-key",
    "apikey",
    "password",
    "passwd",
    "client-secret",
    "access-token",
    "refresh-token",
    "id-token",
    "private-key",
];

/// Parameters of an address that are signatures, beside those names.
const SIGNATURES: [&str; 5] = ["sig", "signature", "x-amz-signature", "x-goog-signature", "awsaccesskeyid"];

/// What stands for a value that was taken out holds one of these, in lower case.
const TAKEN_OUT: [&str; 5] = ["redacted", "filtered", "masked", "***", "xxxx"];

/// Names of the attributes that hold a credential, each once, with what it is.
pub(super) fn exposed(attributes: &[KeyValue]) -> Vec<String> {
    let mut found: Vec<String> = attributes.iter().filter_map(in_attribute).collect();
    found.sort();
    found.dedup();
    found
}

fn in_attribute(attribute: &KeyValue) -> Option<String> {
    let texts = texts(attribute.value.as_ref()?);
    let key = &attribute.key;
    let last = key.rsplit('.').next().unwrap_or(key);
    if is_name(last) && texts.iter().any(|text| is_kept(text)) {
        return Some(key.clone());
    }
    let part = texts.iter().find_map(|text| in_address(text))?;
    Some(format!("{key} ({part})"))
}

/// The texts of a value; of an array those of its members.
fn texts(value: &AnyValue) -> Vec<&str> {
    match value.value.as_ref() {
        Some(Value::StringValue(text)) => vec![text],
        Some(Value::ArrayValue(array)) => array.values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn is_name(name: &str) -> bool {
    NAMES.contains(&name.to_ascii_lowercase().replace('_', "-").as_str())
}

/// Whether a value is there, and was not taken out.
fn is_kept(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    !value.trim().is_empty() && !TAKEN_OUT.iter().any(|word| lower.contains(word))
}

/// A credential within an address or the query of one, in words.
fn in_address(text: &str) -> Option<String> {
    let query = match text.split_once("://") {
        Some((_, rest)) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
            let user = authority.rsplit_once('@').map(|(user, _)| user);
            if user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| is_kept(password)) {
                return Some("the password of a user".into());
            }
            rest.split_once('?')?.1
        }
        None => text.split_once('?').map_or(text, |(_, query)| query),
    };
    let pairs = query.split('#').next().unwrap_or(query).split('&').filter_map(|pair| pair.split_once('='));
    let is_one = |name: &str| is_name(name) || SIGNATURES.contains(&name.to_ascii_lowercase().as_str());
    let found = pairs.into_iter().find(|(name, value)| is_one(name) && is_kept(value));
    found.map(|(name, _)| format!("its parameter {name}"))
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::ArrayValue;

    use super::*;

    fn text(text: &str) -> AnyValue {
        AnyValue { value: Some(Value::StringValue(text.into())) }
    }

    fn found(key: &str, value: AnyValue) -> Vec<String> {
        exposed(&[KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }])
    }

    #[test]
    fn a_credential_is_told_by_the_name_of_its_attribute_alone() {
        let header =
            AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![text("Bearer 2d8f")] })) };
        let key = "http.request.header.authorization";
        assert_eq!(found(key, header), [key]);
        assert_eq!(found("app.client_secret", text("2d8f")), ["app.client_secret"]);
        assert_eq!(
            found("db.connection_string", text("postgres://users:2d8f@db:5432/users?sslmode=require")),
            ["db.connection_string (the password of a user)"]
        );
        assert_eq!(
            found("url.full", text("https://x.example/a?page=2&access_token=2d8f#top")),
            ["url.full (its parameter access_token)"]
        );
        assert_eq!(found("url.query", text("sig=2d8f")), ["url.query (its parameter sig)"]);
    }

    #[test]
    fn what_was_taken_out_and_what_only_looks_like_one_is_none() {
        for (key, value) in [
            ("http.request.header.authorization", "REDACTED"),
            ("http.request.header.cookie", ""),
            ("url.full", "https://REDACTED:REDACTED@x.example/a?sig=REDACTED"),
            ("url.full", "https://x.example/login?page=2"),
            ("url.query", "token=next-page"),
            ("db.connection_string", "postgres://users@db:5432/users"),
            ("db.query.text", "select * from users where password=$1"),
            ("db.query.text", "update users set password = ? where id = 'a://b:c'"),
            ("gen_ai.usage.output_tokens", "12"),
            ("server.address", "users.demo.svc:8080"),
            ("user_agent.original", "x/1.0 (+https://x.example/bot)"),
        ] {
            assert_eq!(found(key, text(value)), [""; 0], "{key}={value}");
        }
    }
}
