use std::ffi::OsString;
use std::time::Duration;

/// Time for one export where no variable says another: short enough for the flush at the end.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// What is sent over OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    #[cfg(feature = "otlp-metrics")]
    Metrics,
}

impl Signal {
    /// Time for one export. The standard variables are in milliseconds.
    pub(super) fn timeout(self) -> Duration {
        let set = self.variable("TIMEOUT").and_then(|text| text.to_str()?.trim().parse().ok());
        set.map_or(DEFAULT_TIMEOUT, Duration::from_millis)
    }

    /// What the environment says of a setting: under the signal's own name, else under that of all signals.
    pub(super) fn variable(self, setting: &str) -> Option<OsString> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{setting}", self.as_str());
        let names = [own, format!("OTEL_EXPORTER_OTLP_{setting}")];
        names.iter().filter_map(std::env::var_os).find(|text| !text.is_empty())
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            #[cfg(feature = "otlp-metrics")]
            Self::Metrics => "METRICS",
        }
    }
}
