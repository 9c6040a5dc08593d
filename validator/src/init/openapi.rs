//! Paths from an OpenAPI document: reads alone, since a write that is repeated a thousand times is for its owner to allow.

use serde_json::Value;

use super::{Asked, Path};
use crate::failure::Failure;

/// Paths that are taken at most.
const MAX_PATHS: usize = 20;

/// The paths of an OpenAPI 3 or Swagger 2 document in JSON or YAML that a GET without further knowledge can ask.
///
/// # Errors
/// Exit 2 for a text that is none.
pub fn paths(document: &str) -> Result<Asked, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("the OpenAPI document: {why}"))
            .hint("expected OpenAPI 3 or Swagger 2, as JSON or YAML")
    };
    let document: Value = serde_saphyr::from_str(document).map_err(|e| wrong(e.to_string()))?;
    let all = document["paths"].as_object().ok_or_else(|| wrong("it has no `paths`".into()))?;
    let base = base(&document);
    let gets = all.iter().filter_map(|(path, item)| asked(&base, path, item, &document));
    let mut paths: Vec<Path> = gets.collect();
    let left_out = paths.len().saturating_sub(MAX_PATHS);
    paths.truncate(MAX_PATHS);
    Ok(Asked { paths, left_out })
}

/// What stands before every path: `basePath` of Swagger 2, the path of the first server of OpenAPI 3 (3.1, 4.8.5), with the
/// defaults of its variables.
fn base(document: &Value) -> String {
    let server = &document["servers"][0];
    let mut url = server["url"].as_str().or(document["basePath"].as_str()).unwrap_or_default().to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        url = url.replace(&format!("{{{name}}}"), variable["default"].as_str().unwrap_or_default());
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map(|(_, path)| format!("/{path}")).unwrap_or_default(),
        None => url,
    };
    path.trim_end_matches('/').to_owned()
}

/// A GET whose every required parameter is known or can be guessed.
fn asked(base: &str, path: &str, item: &Value, document: &Value) -> Option<Path> {
    let get = item.get("get")?;
    let own = |of: &Value| of["parameters"].as_array().cloned().unwrap_or_default();
    let parameters: Vec<Value> =
        own(item).into_iter().chain(own(get)).map(|parameter| resolved(parameter, document)).collect();
    let (mut asked, mut query, mut guessed) = (format!("{base}{path}"), Vec::new(), Vec::new());
    for parameter in &parameters {
        let name = parameter["name"].as_str()?;
        match parameter["in"].as_str()? {
            "path" => {
                let (value, is_guess) = value(parameter);
                if is_guess {
                    guessed.push(format!("{name} = {value}"));
                }
                asked = asked.replace(&format!("{{{name}}}"), &value);
            }
            "query" if parameter["required"] == true => query.push(format!("{name}={}", value(parameter).0)),
            "header" | "cookie" if parameter["required"] == true => return None,
            _ => {}
        }
    }
    if !query.is_empty() {
        asked = format!("{asked}?{}", query.join("&"));
    }
    let guessed = (!guessed.is_empty()).then(|| format!("GET {path}: {}", guessed.join(", ")));
    // What is left in braces has no parameter that would say what it is.
    let is_whole = asked.parse::<crate::config::Template>().is_ok();
    is_whole.then_some(Path { path: asked, guessed })
}

fn resolved(parameter: Value, document: &Value) -> Value {
    let target =
        parameter["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.cloned().unwrap_or(parameter)
}

/// Its example, its first allowed value, or a guess by its type.
fn value(parameter: &Value) -> (String, bool) {
    let schema = parameter.get("schema").unwrap_or(parameter);
    let told = [&parameter["example"], &schema["example"], &schema["default"], &schema["enum"][0]];
    let told = told.into_iter().find_map(|value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    });
    let safe = |text: &String| text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
    match (told.filter(safe), schema["type"].as_str(), schema["format"].as_str()) {
        (Some(told), ..) => (told, false),
        (None, Some("integer" | "number"), _) => ("{1..100}".into(), true),
        (None, _, Some("uuid")) => ("{uuid}".into(), true),
        _ => ("1".into(), true),
    }
}
