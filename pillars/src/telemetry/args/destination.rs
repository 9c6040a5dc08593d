use super::{Args, set};
use crate::telemetry::Protocol;

const GRPC: &str = "grpc";
const HTTP: &str = "http/protobuf";

/// What a signal has of its own, above that of all signals.
struct Own<'a> {
    endpoint: Option<&'a str>,
    protocol: Option<&'a str>,
    /// Below a base URL.
    path: &'static str,
}

impl Args {
    /// Where traces go, if anywhere: a full URL, and how it is spoken to.
    pub fn traces_destination(&self) -> Option<(String, Protocol)> {
        let none = set(self.otel_traces_exporter.as_ref());
        let none = none.is_some_and(|text| text.eq_ignore_ascii_case("none"));
        if none || self.is_disabled() { None } else { self.destination(&self.traces()) }
    }

    /// The same for metrics, which go nowhere unless they are asked for ([`Args::sends_metrics`]).
    #[cfg(feature = "otlp-metrics")]
    pub fn metrics_destination(&self) -> Option<(String, Protocol)> {
        if self.sends_metrics() { self.destination(&self.metrics()) } else { None }
    }

    /// Whether metrics are to be sent, to wherever.
    #[cfg(feature = "otlp-metrics")]
    pub fn sends_metrics(&self) -> bool {
        !self.is_disabled() && self.metrics_exporters().any(|name| name == "otlp")
    }

    /// The exporter of metrics that was asked for, if it is none of those that there are.
    #[cfg(feature = "otlp-metrics")]
    pub fn unknown_metrics_exporter(&self) -> Option<&str> {
        self.metrics_exporters().find(|name| !["otlp", "prometheus", "none"].contains(name))
    }

    #[cfg(feature = "otlp-metrics")]
    fn metrics_exporters(&self) -> impl Iterator<Item = &str> {
        self.otel_metrics_exporter.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// The protocol that was asked for, if it is none of those that there are.
    pub fn unknown_protocol(&self) -> Option<&str> {
        let names = [
            self.protocol_name(&self.traces()),
            #[cfg(feature = "otlp-metrics")]
            self.protocol_name(&self.metrics()),
        ];
        names.into_iter().flatten().find(|name| ![GRPC, HTTP].contains(name))
    }

    fn traces(&self) -> Own<'_> {
        let own = set(self.otel_endpoint.as_ref());
        Own {
            endpoint: own.or_else(|| set(self.otel_exporter_otlp_traces_endpoint.as_ref())),
            protocol: set(self.otel_exporter_otlp_traces_protocol.as_ref()),
            path: "/v1/traces",
        }
    }

    #[cfg(feature = "otlp-metrics")]
    fn metrics(&self) -> Own<'_> {
        Own {
            endpoint: set(self.otel_exporter_otlp_metrics_endpoint.as_ref()),
            protocol: set(self.otel_exporter_otlp_metrics_protocol.as_ref()),
            path: "/v1/metrics",
        }
    }

    fn is_disabled(&self) -> bool {
        set(self.otel_sdk_disabled.as_ref()).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// Over gRPC there is no path.
    fn destination(&self, own: &Own<'_>) -> Option<(String, Protocol)> {
        if let Some(url) = own.endpoint {
            return Some((url.to_owned(), self.protocol_to(url, own)));
        }
        let base = set(self.otel_exporter_otlp_endpoint.as_ref())?;
        let protocol = self.protocol_to(base, own);
        let url = match protocol {
            Protocol::Grpc => base.to_owned(),
            Protocol::HttpProtobuf => format!("{}{}", base.trim_end_matches('/'), own.path),
        };
        Some((url, protocol))
    }

    /// As the variables say, or else as the port does. A name that is none of the protocols here is passed over, as
    /// [`Args::unknown_protocol`] tells.
    fn protocol_to(&self, url: &str, own: &Own<'_>) -> Protocol {
        match self.protocol_name(own) {
            Some(GRPC) => Protocol::Grpc,
            Some(_) => Protocol::HttpProtobuf,
            None => Protocol::of_port(url),
        }
    }

    fn protocol_name<'a>(&'a self, own: &Own<'a>) -> Option<&'a str> {
        own.protocol.or_else(|| set(self.otel_exporter_otlp_protocol.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parsed;

    fn args(flags: &[&str]) -> Args {
        parsed::<Args>(flags).unwrap()
    }

    fn endpoint(flags: &[&str]) -> Option<String> {
        args(flags).traces_destination().map(|(url, _)| url)
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
        let to = |flags: &[&str]| args(flags).traces_destination().expect("one is set");
        let base = "--otel-exporter-otlp-endpoint=https://base:4317";
        assert_eq!(to(&[base]), ("https://base:4317".to_owned(), Protocol::Grpc));
        let http = "--otel-exporter-otlp-protocol=http/protobuf";
        let url = "https://base:4317/v1/traces".to_owned();
        assert_eq!(to(&[base, http]), (url, Protocol::HttpProtobuf));
        let own = "--otel-endpoint=http://own:4318/v1/traces";
        assert_eq!(to(&[own]).1, Protocol::HttpProtobuf);
        assert_eq!(to(&[own, "--otel-exporter-otlp-traces-protocol=grpc"]).1, Protocol::Grpc);
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

    #[cfg(feature = "otlp-metrics")]
    #[test]
    fn metrics_are_sent_only_where_that_is_asked_for_and_not_where_traces_alone_go() {
        let to = |flags: &[&str]| args(flags).metrics_destination();
        let (base, asked) =
            ("--otel-exporter-otlp-endpoint=http://base:4318", "--otel-metrics-exporter=prometheus, otlp");
        assert_eq!(to(&[base]), None);
        assert_eq!(to(&[base, "--otel-metrics-exporter=prometheus"]), None);
        assert_eq!(to(&[base, asked, "--otel-sdk-disabled=true"]), None);
        let of_base = ("http://base:4318/v1/metrics".to_owned(), Protocol::HttpProtobuf);
        assert_eq!(to(&[base, asked, "--otel-endpoint=http://traces/x"]), Some(of_base));
        assert_eq!(to(&[asked, "--otel-endpoint=http://traces/x"]), None);
        let own = ["--otel-exporter-otlp-metrics-endpoint=http://own:4317", asked, base];
        assert_eq!(to(&own), Some(("http://own:4317".to_owned(), Protocol::Grpc)));
        assert_eq!(args(&["--otel-metrics-exporter=oltp"]).unknown_metrics_exporter(), Some("oltp"));
    }
}
