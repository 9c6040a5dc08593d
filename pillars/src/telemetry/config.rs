use opentelemetry::KeyValue;

use super::semconv;
use crate::Invalid;

/// Settings of traces, and of metrics that are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) endpoint: Option<String>,
    pub(super) protocol: Option<Protocol>,
    /// Where metrics go, and how.
    #[cfg(feature = "otlp-metrics")]
    pub(super) metrics: Option<(String, Protocol)>,
    pub(super) propagators: Option<String>,
    pub(super) sampler: Option<String>,
    pub(super) sampler_arg: Option<String>,
    pub(super) sample_ratio: f64,
    pub(super) remote_sampled_per_second: u32,
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "for requests"))]
    pub(super) query_values: bool,
    pub(super) name: Name,
    pub(super) attributes: Vec<KeyValue>,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over HTTP with protobuf, the one of port 4318.
    HttpProtobuf,
    /// OTLP over gRPC, the one of port 4317; needs the cargo feature `otlp-full`, as does `https`.
    Grpc,
}

const GRPC_PORT: u16 = 4317;

impl Protocol {
    /// The one that is spoken on the port of `url`: gRPC on 4317, HTTP on any other, or where there is none.
    pub fn of_port(url: &str) -> Self {
        let port = url.parse::<http::Uri>().ok().and_then(|url| url.port_u16());
        if port == Some(GRPC_PORT) { Self::Grpc } else { Self::HttpProtobuf }
    }
}

/// What the service is called in traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// So, whatever the environment says.
    Set(String),
    /// So, unless `OTEL_RESOURCE_ATTRIBUTES` says otherwise.
    Default(String),
}

impl Config {
    /// Traces of a service with this name and version, exported nowhere until there is an endpoint; 1 % of them, and 20
    /// a second that callers ask for.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            endpoint: None,
            protocol: None,
            #[cfg(feature = "otlp-metrics")]
            metrics: None,
            propagators: None,
            sampler: None,
            sampler_arg: None,
            sample_ratio: 0.01,
            remote_sampled_per_second: 20,
            query_values: false,
            name: Name::Default(name.into()),
            attributes: vec![KeyValue::new(semconv::SERVICE_VERSION, version.into())],
        }
    }

    /// Full URL that spans are sent to, as in `http://collector:4318/v1/traces`, or, over gRPC, `http://collector:4317`.
    #[must_use]
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        Self { endpoint: Some(url.into()), ..self }
    }

    /// How they are sent; as the port of the endpoint says if not set ([`Protocol::of_port`]).
    #[must_use]
    pub fn protocol(self, protocol: Protocol) -> Self {
        Self { protocol: Some(protocol), ..self }
    }

    /// Full URL that metrics are sent to, as in `http://collector:4318/v1/metrics`, every minute
    /// (`OTEL_METRIC_EXPORT_INTERVAL`) and at the end; nowhere by default.
    #[cfg(feature = "otlp-metrics")]
    #[must_use]
    pub fn metrics(self, url: impl Into<String>, protocol: Protocol) -> Self {
        Self { metrics: Some((url.into(), protocol)), ..self }
    }

    /// Comma-separated list of `tracecontext`, `baggage`, `none`.
    #[must_use]
    pub fn propagators(self, list: impl Into<String>) -> Self {
        Self { propagators: Some(list.into()), ..self }
    }

    /// One of the six standard samplers, by its name; `parentbased_traceidratio` if not set. A name that is none of
    /// them is warned of and passed over, as the specification asks.
    #[must_use]
    pub fn sampler(self, name: impl Into<String>) -> Self {
        Self { sampler: Some(name.into()), ..self }
    }

    /// The ratio of a sampler that has one, as text, above [`Config::sample_ratio`]. What is no number from 0 to 1 is
    /// warned of and passed over.
    #[must_use]
    pub fn sampler_arg(self, argument: impl Into<String>) -> Self {
        Self { sampler_arg: Some(argument.into()), ..self }
    }

    /// Share of requests traced that carry no decision of their own, from 0 to 1.
    #[must_use]
    pub fn sample_ratio(self, share: f64) -> Self {
        Self { sample_ratio: share, ..self }
    }

    /// Traces per second that callers may ask for by `sampled=01`; the excess falls to the ratio.
    #[must_use]
    pub fn remote_sampled_per_second(self, count: u32) -> Self {
        Self { remote_sampled_per_second: count, ..self }
    }

    /// Whether spans of requests show what stands in a query (`?email=...`); by default they show its names alone.
    #[must_use]
    pub fn query_values(self, shown: bool) -> Self {
        Self { query_values: shown, ..self }
    }

    /// The name of the service, above what the environment says.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Name::Set(name.into()), ..self }
    }

    /// A further attribute of everything that this process sends.
    #[must_use]
    pub fn attribute(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push(KeyValue::new(key, value.into()));
        self
    }

    /// How spans are sent to `endpoint`.
    pub(super) fn protocol_to(&self, endpoint: &str) -> Protocol {
        self.protocol.unwrap_or_else(|| Protocol::of_port(endpoint))
    }

    /// Says which setting cannot be used.
    pub fn validate(&self) -> Result<(), Invalid> {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err(Invalid::new("sample_ratio", self.sample_ratio, "a share from 0 to 1"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_is_none_is_named() {
        let setting =
            |ratio| Config::new("test", "1").sample_ratio(ratio).validate().map_err(|error| error.setting);
        assert_eq!((setting(0.0), setting(1.0)), (Ok(()), Ok(())));
        assert_eq!((setting(1.1), setting(f64::NAN)), (Err("sample_ratio"), Err("sample_ratio")));
    }

    #[test]
    fn the_port_says_how_spans_are_sent_where_nobody_else_does() {
        let config = Config::new("test", "1");
        for (endpoint, protocol) in [
            ("http://collector:4317", Protocol::Grpc),
            ("https://[::1]:4317", Protocol::Grpc),
            ("http://collector:4318/v1/traces", Protocol::HttpProtobuf),
            ("http://collector/v1/traces", Protocol::HttpProtobuf),
            ("no URL", Protocol::HttpProtobuf),
        ] {
            assert_eq!(config.protocol_to(endpoint), protocol, "{endpoint}");
        }
        let set = config.protocol(Protocol::HttpProtobuf);
        assert_eq!(set.protocol_to("http://collector:4317"), Protocol::HttpProtobuf);
    }
}
