#![doc = include_str!("../README.md")]
// What belongs to a feature says so there, where the compiler is a nightly one.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "breaker")]
pub mod breaker;
#[cfg(feature = "clap")]
pub mod flags;
#[cfg(feature = "health")]
pub mod health;
#[cfg(all(feature = "axum", any(feature = "health", feature = "shutdown")))]
mod http_server;
mod invalid;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "shutdown")]
pub mod shutdown;
#[cfg(feature = "telemetry")]
pub mod telemetry;

pub use invalid::Invalid;
