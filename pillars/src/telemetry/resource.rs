use opentelemetry_sdk::Resource;

use super::config::{Config, Name};
use super::semconv;

/// Who we are: the detectors of the SDK (`OTEL_RESOURCE_ATTRIBUTES` among them), and above them what we know.
pub(super) fn describe(config: &Config) -> Resource {
    let resource = || Resource::builder().with_attributes(config.attributes.clone());
    let name = match &config.name {
        Name::Set(name) => name.clone(),
        Name::Default(name) => resource()
            .build()
            .get(&semconv::SERVICE_NAME.into())
            .map(|name| name.to_string())
            .filter(|name| !name.starts_with("unknown_service"))
            .unwrap_or_else(|| name.clone()),
    };
    resource().with_service_name(name).build()
}
