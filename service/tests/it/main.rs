//! The service as its users meet it: the real binary, a real Postgres, a real Redis.
//!
//! Needs the programs that `tests/backends.sh` installs.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod api;
mod breaker;
mod config;
mod drops;
mod failover;
mod flaw;
mod grpc;
mod half_open;
mod harness;
mod health;
mod hostile;
mod logs;
mod migrations;
mod orders;
mod otlp_metrics;
mod outage;
mod overload;
mod panics;
mod pooler;
mod propagation;
mod restart;
mod shutdown;
mod soak;
mod streams;
mod telemetry;
mod tls;
mod worker;
