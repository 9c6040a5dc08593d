//! Throw-away dependencies: what stands behind the agents where a file names nothing.

use std::path::Path;

use super::sink::Sink;
use super::{RunFolder, Store};
use crate::config::{Dependency, LocalDependency, Protocol};
use crate::failure::Failure;

/// Those that were started; they end with this value.
#[derive(Default)]
pub(super) struct Behind {
    stores: Vec<Store>,
    sinks: Vec<Sink>,
}

impl Behind {
    /// What the variable of a dependency is to hold; starts what is not named.
    ///
    /// # Errors
    /// Exit 2 for what is named nowhere and cannot be started, exit 3 for what does not start.
    pub(super) async fn value(
        &mut self,
        dependency: &Dependency,
        declared: &LocalDependency,
        folder: &RunFolder,
        seed: Option<&Path>,
    ) -> Result<String, Failure> {
        let name = &dependency.name;
        let started = match (&declared.url, dependency.protocol) {
            (Some(url), _) => return Ok(url.clone()),
            (None, Protocol::Postgres) => Store::postgres(folder, name, seed).await?,
            (None, Protocol::Redis) => Store::redis(folder, name).await?,
            (None, Protocol::Otlp) => return self.collector(&declared.variable).await,
            (None, Protocol::Http | Protocol::Tcp) => {
                return Err(Failure::usage(format!(
                    "spec.local.dependencies: {} needs its `url`: there is no throw-away one for {}",
                    declared.variable,
                    dependency.protocol.name()
                )));
            }
        };
        let url = started.url.clone();
        self.stores.push(started);
        Ok(url)
    }

    async fn collector(&mut self, variable: &str) -> Result<String, Failure> {
        let sink = Sink::start()
            .await
            .map_err(|e| Failure::environment(format!("a collector does not start: {e}")))?;
        let path = if variable.contains("TRACES") { "/v1/traces" } else { "" };
        let url = format!("http://{}{path}", sink.address);
        self.sinks.push(sink);
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::Behind;

    #[tokio::test]
    async fn every_collector_listens_for_as_long_as_the_run() {
        let mut behind = Behind::default();
        let one = behind.collector("OTEL_EXPORTER_OTLP_ENDPOINT").await.unwrap();
        let two = behind.collector("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").await.unwrap();
        let of = |url: &str| url.trim_start_matches("http://").trim_end_matches("/v1/traces").to_owned();
        assert!(one != two && two.ends_with("/v1/traces"), "{one} {two}");
        // A listener that was told to end does so when the runtime comes to it.
        tokio::task::yield_now().await;
        for url in [one, two] {
            TcpStream::connect(of(&url)).await.unwrap();
        }
    }
}
