use super::logs::LogFormat;
use super::{Config, Protocol, semconv};
use crate::flags::ratio;

/// Settings of traces and logs. The `OTEL_` ones mean what the OpenTelemetry specification says; those that the SDK
/// reads itself (`OTEL_BSP_*`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_{HEADERS,TIMEOUT}`) work as well.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Telemetry")]
#[group(skip)]
pub struct Args {
    /// Full URL for traces, as in http://collector:4318/v1/traces, or http://collector:4317 over gRPC; wins over OTEL_EXPORTER_OTLP_*; none set, no export
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
    /// `true` creates no spans; context is still passed on
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
        let endpoint = self.traces_endpoint();
        let texts: [(Option<&String>, Setter); 5] = [
            (endpoint.as_ref(), Config::endpoint),
            (self.otel_propagators.as_ref(), Config::propagators),
            (self.otel_traces_sampler.as_ref(), Config::sampler),
            (self.otel_traces_sampler_arg.as_ref(), Config::sampler_arg),
            (self.otel_service_name.as_ref(), Config::name),
        ];
        let config = Config::new(name, self.version(version))
            .sample_ratio(self.sample_ratio)
            .remote_sampled_per_second(self.remote_sampled_per_second)
            .query_values(self.trace_query_values)
            .protocol(endpoint.as_deref().map_or(Protocol::HttpProtobuf, |url| self.protocol_to(url)))
            .attribute(semconv::SERVICE_INSTANCE_ID, self.instance());
        let config = texts.into_iter().fold(config, |config, (text, setter)| match set(text) {
            Some(text) => setter(config, text.to_owned()),
            None => config,
        });
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

    /// Where traces go, if anywhere.
    pub fn traces_endpoint(&self) -> Option<String> {
        let disabled =
            set(self.otel_sdk_disabled.as_ref()).is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let none =
            set(self.otel_traces_exporter.as_ref()).is_some_and(|text| text.eq_ignore_ascii_case("none"));
        if disabled || none {
            return None;
        }
        let base = || set(self.otel_exporter_otlp_endpoint.as_ref());
        set(self.otel_endpoint.as_ref())
            .or_else(|| set(self.otel_exporter_otlp_traces_endpoint.as_ref()))
            .map(str::to_owned)
            .or_else(|| base().map(|base| self.of_base(base)))
    }

    /// Over gRPC there is no path.
    fn of_base(&self, base: &str) -> String {
        match self.protocol_to(base) {
            Protocol::Grpc => base.to_owned(),
            Protocol::HttpProtobuf => format!("{}/v1/traces", base.trim_end_matches('/')),
        }
    }

    /// How spans are sent to `endpoint`: as the variables say, or else as its port does. A name that is none of the protocols
    /// here is passed over, as [`Args::unknown_protocol`] tells.
    fn protocol_to(&self, endpoint: &str) -> Protocol {
        match self.protocol_name() {
            Some(GRPC) => Protocol::Grpc,
            None if port_of(endpoint) == Some(GRPC_PORT) => Protocol::Grpc,
            _ => Protocol::HttpProtobuf,
        }
    }

    /// The protocol that was asked for, if it is none of those that there are.
    pub fn unknown_protocol(&self) -> Option<&str> {
        self.protocol_name().filter(|name| ![GRPC, HTTP].contains(name))
    }

    fn protocol_name(&self) -> Option<&str> {
        set(self.otel_exporter_otlp_traces_protocol.as_ref())
            .or_else(|| set(self.otel_exporter_otlp_protocol.as_ref()))
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

const GRPC: &str = "grpc";
const HTTP: &str = "http/protobuf";
const GRPC_PORT: u16 = 4317;

fn port_of(url: &str) -> Option<u16> {
    url.parse::<http::Uri>().ok()?.port_u16()
}

/// The specification treats an empty variable as one that is not set.
fn set(value: Option<&String>) -> Option<&str> {
    value.map(|text| text.trim()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn endpoint(flags: &[&str]) -> Option<String> {
        Cli::parse_from([&["users"], flags].concat()).args.traces_endpoint()
    }

    #[test]
    fn our_endpoint_wins_and_the_base_gets_its_path() {
        let base = "--otel-exporter-otlp-endpoint=http://base:4318/";
        assert_eq!(endpoint(&[]), None);
        assert_eq!(endpoint(&["--otel-endpoint="]), None);
        assert_eq!(endpoint(&[base]).as_deref(), Some("http://base:4318/v1/traces"));
        assert_eq!(endpoint(&[base, "--otel-endpoint=http://own/x"]).as_deref(), Some("http://own/x"));
    }

    #[test]
    fn the_protocol_is_the_one_that_is_named_or_else_that_of_the_port() {
        let protocol = |flags: &[&str]| {
            let args = Cli::parse_from([&["users"], flags].concat()).args;
            let endpoint = args.traces_endpoint().expect("one is set");
            (args.protocol_to(&endpoint), endpoint)
        };
        let base = "--otel-exporter-otlp-endpoint=https://base:4317";
        assert_eq!(protocol(&[base]), (Protocol::Grpc, "https://base:4317".to_owned()));
        let http = "--otel-exporter-otlp-protocol=http/protobuf";
        let endpoint = "https://base:4317/v1/traces".to_owned();
        assert_eq!(protocol(&[base, http]), (Protocol::HttpProtobuf, endpoint));
        let own = "--otel-endpoint=http://own:4318/v1/traces";
        assert_eq!(protocol(&[own]).0, Protocol::HttpProtobuf);
        assert_eq!(protocol(&[own, "--otel-exporter-otlp-traces-protocol=grpc"]).0, Protocol::Grpc);
    }

    #[test]
    fn what_is_set_reaches_the_config_and_an_empty_variable_is_none() {
        let config = |flags: &[&str]| Cli::parse_from([&["users"], flags].concat()).args.config("users", "1");
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

    #[test]
    fn the_standard_switches_turn_export_off() {
        let own = "--otel-endpoint=http://own/x";
        assert_eq!(endpoint(&[own, "--otel-sdk-disabled=TRUE"]), None);
        assert_eq!(endpoint(&[own, "--otel-traces-exporter=none"]), None);
        assert!(
            endpoint(&[own, "--otel-sdk-disabled=1"]).is_some(),
            "only `true` counts, by the specification"
        );
    }
}
