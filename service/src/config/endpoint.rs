use http::Uri;

use super::error::{ConfigError, value};

/// Of a service that is asked inside of a cluster.
pub(super) fn plain_http(variable: &'static str, text: &str) -> Result<Uri, ConfigError> {
    let expected = "a plain HTTP URL without credentials or a query, such as http://orders:8080";
    // What is asked is appended to its path.
    let fits = |uri: &Uri| uri.scheme_str() == Some("http") && uri.query().is_none();
    url(variable, text, fits, expected)
}

/// Of a collector of telemetry.
pub(super) fn of_collector(text: &str) -> Result<Uri, ConfigError> {
    let expected = "a URL without credentials, such as http://host:4318/v1/traces or https://host:4317";
    let fits = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
    url("OTEL_ENDPOINT or OTEL_EXPORTER_OTLP_*", text, fits, expected)
}

fn url(
    variable: &'static str,
    text: &str,
    fits: impl Fn(&Uri) -> bool,
    expected: &'static str,
) -> Result<Uri, ConfigError> {
    let parsed = text.parse::<Uri>().ok().filter(|uri| {
        fits(uri) && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
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
