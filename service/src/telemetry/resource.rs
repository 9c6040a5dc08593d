use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use super::Args;
use super::args::set;
use super::semconv;

const DEFAULT_NAME: &str = "users";

/// Who we are: the detectors of the SDK (`OTEL_RESOURCE_ATTRIBUTES` among them), and above them what we know.
pub(super) fn describe(args: &Args) -> Resource {
    let mut attributes = vec![
        KeyValue::new(semconv::SERVICE_VERSION, args.service_version.clone()),
        KeyValue::new(semconv::SERVICE_INSTANCE_ID, args.instance().to_owned()),
    ];
    let known = [
        (semconv::K8S_POD_NAME, &args.pod_name),
        (semconv::K8S_NAMESPACE_NAME, &args.pod_namespace),
        (semconv::K8S_NODE_NAME, &args.node_name),
    ];
    attributes.extend(
        known
            .into_iter()
            .filter_map(|(key, value)| set(value.as_ref()).map(|value| KeyValue::new(key, value.to_owned()))),
    );
    let detected = Resource::builder().with_attributes(attributes.clone()).build();
    let name = match set(args.otel_service_name.as_ref()) {
        Some(name) => name.to_owned(),
        None => detected
            .get(&semconv::SERVICE_NAME.into())
            .map(|name| name.to_string())
            .filter(|name| !name.starts_with("unknown_service"))
            .unwrap_or_else(|| DEFAULT_NAME.to_owned()),
    };
    Resource::builder().with_attributes(attributes).with_service_name(name).build()
}
