mod destination;

use super::logs::LogFormat;
use super::{Config, semconv};
use crate::flags::ratio;

/// Settings of traces, metrics and logs. The `OTEL_` ones mean what the OpenTelemetry specification says; those that the exporters
/// read themselves (`OTEL_BSP_*`, `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_RESOURCE_ATTRIBUTES`,
/// `OTEL_EXPORTER_OTLP_{HEADERS,TIMEOUT}`) work as well.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Telemetry")]
#[group(skip)]
#[non_exhaustive]
pub struct Args {
    /// Full URL for traces, as in `http://collector:4318/v1/traces`, or `http://collector:4317` over gRPC; wins over OTEL_EXPORTER_OTLP_*; none set, no export
    #[arg(long, env = "OTEL_ENDPOINT")]
    pub otel_endpoint: Option<String>,
    /// Full URL for traces, standard variable
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]
    pub otel_exporter_otlp_traces_endpoint: Option<String>,
    /// Base URL of the collector, standard variable; `/v1/traces` is added
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otel_exporter_otlp_endpoint: Option<String>,
    /// `http/protobuf` or `grpc`, standard variables [default: `grpc` on port 4317]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")]
    pub otel_exporter_otlp_traces_protocol: Option<String>,
    /// The same for all signals
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL")]
    pub otel_exporter_otlp_protocol: Option<String>,
    /// `none` exports no traces
    #[arg(long, env = "OTEL_TRACES_EXPORTER")]
    pub otel_traces_exporter: Option<String>,
    /// `otlp` sends metrics to a collector as well, standard variable; `prometheus` and `none` leave them to /metrics
    #[cfg(feature = "otlp-metrics")]
    #[arg(long, env = "OTEL_METRICS_EXPORTER", default_value = "none")]
    pub otel_metrics_exporter: String,
    /// Full URL for metrics, standard variable; without it OTEL_EXPORTER_OTLP_ENDPOINT, to which `/v1/metrics` is added
    #[cfg(feature = "otlp-metrics")]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")]
    pub otel_exporter_otlp_metrics_endpoint: Option<String>,
    /// `http/protobuf` or `grpc` for metrics, standard variable
    #[cfg(feature = "otlp-metrics")]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL")]
    pub otel_exporter_otlp_metrics_protocol: Option<String>,
    /// `true` creates no spans and sends no metrics; context is still passed on
    #[arg(long, env = "OTEL_SDK_DISABLED")]
    pub otel_sdk_disabled: Option<String>,
    /// Comma-separated list of `tracecontext`, `baggage`, `none` [default: tracecontext,baggage]
    #[arg(long, env = "OTEL_PROPAGATORS")]
    pub otel_propagators: Option<String>,
    /// One of the six standard samplers [default: parentbased_traceidratio]
    #[arg(long, env = "OTEL_TRACES_SAMPLER")]
    pub otel_traces_sampler: Option<String>,
    /// Ratio of a `traceidratio` sampler [default: SAMPLE_RATIO, not 1: a typing error must not cost]
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG")]
    pub otel_traces_sampler_arg: Option<String>,
    /// Name of the service in traces [default: `service.name` of OTEL_RESOURCE_ATTRIBUTES, else that of the build]
    #[arg(long, env = "OTEL_SERVICE_NAME")]
    pub otel_service_name: Option<String>,
    /// Share of requests traced that carry no decision of their own
    #[arg(long, env = "SAMPLE_RATIO", default_value = "0.01", value_parser = ratio::parse)]
    pub sample_ratio: f64,
    /// Traces per second that callers may ask for by `sampled=01`; the excess falls to the ratio
    #[arg(long, env = "REMOTE_SAMPLED_PER_SECOND", default_value = "20")]
    pub remote_sampled_per_second: u32,
    /// Whether spans show the values of a query (`?email=...`), and not its names alone
    #[arg(long, env = "TRACE_QUERY_VALUES", default_value_t = false, action = clap::ArgAction::Set)]
    pub trace_query_values: bool,
    /// Version of the service in traces [default: that of the build]
    #[arg(long, env = "SERVICE_VERSION")]
    pub service_version: Option<String>,
    /// Name of this instance in traces and `x-served-by` [default: HOSTNAME]
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Name of the host, used where no pod name is given
    #[arg(long, env = "HOSTNAME")]
    pub hostname: Option<String>,
    /// Namespace of the pod in traces
    #[arg(long, env = "POD_NAMESPACE")]
    pub pod_namespace: Option<String>,
    /// Node of the pod in traces
    #[arg(long, env = "NODE_NAME")]
    pub node_name: Option<String>,
    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// What is logged, as in `info` or `info,golive_pillars=debug`; RUST_LOG wins
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// As LOG_LEVEL, under the name that Rust programs share
    #[arg(long, env = "RUST_LOG")]
    pub rust_log: Option<String>,
}

type Setter = fn(Config, String) -> Config;

const FALLBACK_INSTANCE: &str = "unknown";

impl Args {
    /// The same as a [`Config`], for a program with this name and version where nothing else is said.
    pub fn config(&self, name: &str, version: &str) -> Config {
        let traces = self.traces_destination();
        let texts: [(Option<&String>, Setter); 4] = [
            (self.otel_propagators.as_ref(), Config::propagators),
            (self.otel_traces_sampler.as_ref(), Config::sampler),
            (self.otel_traces_sampler_arg.as_ref(), Config::sampler_arg),
            (self.otel_service_name.as_ref(), Config::name),
        ];
        let config = Config::new(name, self.version(version))
            .sample_ratio(self.sample_ratio)
            .remote_sampled_per_second(self.remote_sampled_per_second)
            .query_values(self.trace_query_values)
            .attribute(semconv::SERVICE_INSTANCE_ID, self.instance());
        let config = texts.into_iter().fold(config, |config, (text, setter)| match set(text) {
            Some(text) => setter(config, text.to_owned()),
            None => config,
        });
        let config = match traces {
            Some((url, protocol)) => config.endpoint(url).protocol(protocol),
            None => config,
        };
        #[cfg(feature = "otlp-metrics")]
        let config = match self.metrics_destination() {
            Some((url, protocol)) => config.metrics(url, protocol),
            None => config,
        };
        let known = [
            (semconv::K8S_POD_NAME, &self.pod_name),
            (semconv::K8S_NAMESPACE_NAME, &self.pod_namespace),
            (semconv::K8S_NODE_NAME, &self.node_name),
        ];
        let known = known.into_iter().filter_map(|(key, value)| Some((key, set(value.as_ref())?)));
        known.fold(config, |config, (key, value)| config.attribute(key, value))
    }

    /// The version of the service: what was set, else that of the build.
    pub fn version<'a>(&'a self, of_build: &'a str) -> &'a str {
        set(self.service_version.as_ref()).unwrap_or(of_build)
    }

    /// What is logged.
    pub fn log_filter(&self) -> &str {
        set(self.rust_log.as_ref()).unwrap_or(&self.log_level)
    }

    /// Name of this process among its replicas.
    pub fn instance(&self) -> &str {
        set(self.pod_name.as_ref()).or_else(|| set(self.hostname.as_ref())).unwrap_or(FALLBACK_INSTANCE)
    }
}

/// The specification treats an empty variable as one that is not set.
fn set(value: Option<&String>) -> Option<&str> {
    value.map(|text| text.trim()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parsed;

    #[test]
    fn what_is_set_reaches_the_config_and_an_empty_variable_is_none() {
        let config = |flags: &[&str]| parsed::<Args>(flags).unwrap().config("users", "1");
        let instance = |config: Config| config.attribute(semconv::K8S_POD_NAME, "users-1");
        assert_eq!(
            config(&[
                "--otel-traces-sampler=always_on",
                "--otel-traces-sampler-arg=0.5",
                "--otel-propagators=none",
                "--otel-service-name=other",
                "--pod-name=users-1",
                "--otel-endpoint= "
            ]),
            instance(
                Config::new("users", "1")
                    .attribute(semconv::SERVICE_INSTANCE_ID, "users-1")
                    .sampler("always_on")
                    .sampler_arg("0.5")
                    .propagators("none")
                    .name("other")
            )
        );
    }
}
