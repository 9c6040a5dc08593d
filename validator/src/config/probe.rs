//! A probe of the container that serves, as it is declared: what the kubelet asks, how often, and when it acts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One declared probe, the defaults of Kubernetes filled in.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub handler: Handler,
    /// An answer that takes longer is a failure; in seconds.
    pub timeout_s: u32,
    /// From one question to the next; in seconds.
    pub period_s: u32,
    /// Failures in a row after which the kubelet acts.
    pub failure_threshold: u32,
    /// Successes in a row after which it is content again.
    pub success_threshold: u32,
    /// From the start of the container to the first question; in seconds.
    pub initial_delay_s: u32,
}

/// What a probe asks.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Handler {
    /// GET; an answer of 200 to 399 is a success. Redirects to the same host are followed, one to another host is a
    /// success (`pkg/probe/http` of the kubelet).
    HttpGet {
        /// Over what; the certificate is not verified.
        scheme: Scheme,
        /// Where, if that is not the pod.
        host: Option<String>,
        /// Port number.
        port: u16,
        /// Path, with its query; without it in the evidence, since it may hold a token.
        path: String,
        /// Declared headers; without their values in the evidence.
        headers: Vec<Header>,
    },
    /// A connection that opens is a success.
    TcpSocket {
        /// Where, if that is not the pod.
        host: Option<String>,
        /// Port number.
        port: u16,
    },
    /// `grpc.health.v1.Health/Check` without TLS; SERVING is a success (KEP-2727).
    Grpc {
        /// Port number.
        port: u16,
        /// The service asked for; empty for the server as a whole.
        service: String,
    },
    /// A command inside of the container. Nobody but the kubelet runs it: what it said shows in the pod's conditions.
    Exec,
}

/// Over what an HTTP probe asks.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Plain.
    Http,
    /// TLS.
    Https,
}

/// A header that a probe sends.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Header {
    /// Name, in any case.
    pub name: String,
    /// Value; absent in the evidence, since it may be a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Probe {
    /// For how long it must fail until the kubelet acts, whenever it happens to ask; in seconds.
    pub fn gives_up_after_s(&self) -> u32 {
        self.period_s.saturating_mul(self.failure_threshold)
    }

    /// How long a readiness probe takes to take a pod out, by its own timings.
    pub fn out_s(&self) -> f64 {
        f64::from(self.gives_up_after_s().saturating_add(self.timeout_s))
    }

    /// The same for letting it back in.
    pub fn back_s(&self) -> f64 {
        let content = self.period_s.saturating_mul(self.success_threshold);
        f64::from(content.saturating_add(self.timeout_s))
    }

    /// Whether somebody other than the kubelet can ask it.
    pub fn can_be_asked(&self) -> bool {
        self.handler != Handler::Exec
    }

    /// The same, at another port.
    pub fn at(mut self, port: impl Fn(u16) -> u16) -> Self {
        if let Handler::HttpGet { port: own, .. }
        | Handler::TcpSocket { port: own, .. }
        | Handler::Grpc { port: own, .. } = &mut self.handler
        {
            *own = port(*own);
        }
        self
    }

    /// The port it asks, if it asks one.
    pub fn port(&self) -> Option<u16> {
        match &self.handler {
            Handler::HttpGet { port, .. } | Handler::TcpSocket { port, .. } | Handler::Grpc { port, .. } => {
                Some(*port)
            }
            Handler::Exec => None,
        }
    }

    /// Without what may be a secret: for the evidence.
    pub fn redacted(mut self) -> Self {
        if let Handler::HttpGet { path, headers, .. } = &mut self.handler {
            path.truncate(without_query(path).len());
            for header in headers {
                header.value = None;
            }
        }
        self
    }
}

/// A path without its query.
pub(crate) fn without_query(path: &str) -> &str {
    path.split_once('?').map_or(path, |(path, _)| path)
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.handler {
            Handler::HttpGet { path, .. } => write!(f, "GET {}", without_query(path)),
            Handler::TcpSocket { port, .. } => write!(f, "a connection to port {port}"),
            Handler::Grpc { port, .. } => write!(f, "the gRPC health check on port {port}"),
            Handler::Exec => write!(f, "the exec probe"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Handler, Header, Probe, Scheme};

    #[test]
    fn timings_that_nobody_lives_to_see_are_no_overflow() {
        let (handler, most) = (Handler::Exec, i32::MAX.unsigned_abs());
        let (period_s, failure_threshold, success_threshold) = (most, most, most);
        let probe = Probe {
            handler,
            timeout_s: most,
            period_s,
            failure_threshold,
            success_threshold,
            initial_delay_s: 0,
        };
        assert_eq!(probe.gives_up_after_s(), u32::MAX);
        assert!(probe.out_s() > 0.0 && probe.back_s() > 0.0);
    }

    #[test]
    fn neither_the_value_of_a_header_nor_a_query_reaches_the_evidence_or_a_report() {
        let header = Header { name: "Authorization".into(), value: Some("s3cret".into()) };
        let (path, headers) = ("/ready?token=s3cret".to_owned(), vec![header]);
        let handler = Handler::HttpGet { scheme: Scheme::Http, host: None, port: 80, path, headers };
        let (timeout_s, period_s, initial_delay_s) = (1, 10, 0);
        let probe = Probe {
            handler,
            timeout_s,
            period_s,
            failure_threshold: 3,
            success_threshold: 1,
            initial_delay_s,
        };
        assert_eq!(probe.to_string(), "GET /ready");
        let text = serde_json::to_string(&probe.redacted()).unwrap();
        assert!(text.contains("\"/ready\""), "{text}");
        assert!(text.contains("Authorization") && !text.contains("s3cret"), "{text}");
    }
}
