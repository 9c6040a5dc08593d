//! A trace of each reconcile, by golive-pillars: one span for the whole of it, and one for every call to the API server.

use std::fmt::Display;
use std::future::Future;
use std::thread;
use std::time::Duration;

use golive_pillars::telemetry::opentelemetry::trace::{FutureExt as _, Status, TraceContextExt as _};
use golive_pillars::telemetry::opentelemetry::{Context, KeyValue};
use golive_pillars::telemetry::{Config, Telemetry, annotate};
use http::HeaderMap;

use super::trouble::Trouble;
use crate::api_server::answer;
use crate::failure::Failure;

/// What somebody looks for who searches for failures (semantic conventions, `error.type`).
const ERROR_TYPE: &str = "error.type";

/// Where the spans of the operator go. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Traces(Telemetry);

impl Traces {
    /// Every reconcile is traced: there are few. Without an endpoint nothing is, and it costs nothing.
    ///
    /// # Errors
    /// Exit 2 for an endpoint that cannot be used.
    pub(super) fn start(endpoint: Option<&str>) -> Result<Self, Failure> {
        let config = Config::new("golive-operator", env!("CARGO_PKG_VERSION")).sample_ratio(1.0);
        let config = endpoint.into_iter().fold(config, Config::endpoint);
        let wrong = |why: &dyn Display| {
            Failure::usage(format!("--otel-endpoint: {why}")).hint("such as http://collector:4318/v1/traces")
        };
        // The exporter's client may not be made where a runtime is.
        let started = thread::spawn(move || Telemetry::start(&config)).join();
        let started = started.map_err(|_| Failure::internal("the exporter of traces did not start"))?;
        Ok(Self(started.map_err(|e| wrong(&e))?))
    }

    /// Does a reconcile as a trace of its own.
    pub(super) async fn reconcile<T>(
        &self,
        (namespace, check): (&str, &str),
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let whole = async {
            annotate("golive.namespace", namespace.to_owned());
            annotate("golive.check", check.to_owned());
            let done = work.await;
            if let Err(trouble) = &done {
                annotate(ERROR_TYPE, trouble.reason());
                Context::map_current(|context| context.span().set_status(Status::error("")));
            }
            done
        };
        whole.with_context(self.0.root("reconcile", &HeaderMap::new())).await
    }

    /// Does a call of a reconcile as a span of its own, within the deadline of every call: reconciles come one after the other.
    pub(super) async fn call<T>(
        &self,
        verb: &'static str,
        resource: &str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> kube::Result<T> {
        let attributes = || vec![KeyValue::new("k8s.resource", resource.to_owned())];
        let span = self.0.client_span(verb, attributes);
        let done = answer(&format!("{verb} {resource}"), call).await;
        match &done {
            Ok(_) => {}
            // What is not there, or is there already, is an answer.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(kube::Error::Api(status)) => span.fail(&status.code.to_string()),
            Err(_) => span.fail("connection"),
        }
        done
    }

    /// Sends what is left, for at most so long. Blocks.
    pub(super) fn flush(&self, deadline: Duration) {
        self.0.flush(deadline);
    }
}
