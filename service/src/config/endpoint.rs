use http::Uri;

use super::error::{ConfigError, value};

/// Of a service that is asked inside of a cluster.
pub(super) fn plain_http(variable: &'static str, text: &str) -> Result<Uri, ConfigError> {
    let expected = "a plain HTTP URL without credentials or a query, such as http://orders:8080";
    let base = url(variable, text, &["http"], expected)?;
    // What is asked is appended to its path.
    if base.query().is_some() {
        return Err(value(variable, format!("{text:?}"), expected));
    }
    Ok(base)
}

/// Of a collector of telemetry.
pub(super) fn of_collector(text: &str) -> Result<Uri, ConfigError> {
    let expected = "a URL without credentials, such as http://host:4318/v1/traces or https://host:4317";
    url("OTEL_ENDPOINT or OTEL_EXPORTER_OTLP_*", text, &["http", "https"], expected)
}

fn url(
    variable: &'static str,
    text: &str,
    schemes: &[&str],
    expected: &'static str,
) -> Result<Uri, ConfigError> {
    let parsed = text.parse::<Uri>().ok().filter(|uri| {
        uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    parsed.ok_or_else(|| {
        let read = if text.contains('@') {
            "a URL with credentials (not shown)".to_owned()
        } else {
            format!("{text:?}")
        };
        value(variable, read, expected)
    })
}
