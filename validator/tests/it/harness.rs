//! What the tests of the middle agent stand on: the service's real backends, and an agent before one of them.

mod agent;
// The same Postgres and Redis as in the service's tests.
#[path = "../../../service/tests/it/harness/backends.rs"]
mod backends;
mod h2;
mod long_run;
mod peer;

use std::net::TcpListener;

pub(crate) use agent::{Before, POD, failing, limits};
pub(crate) use backends::{postgres_port, redis_port};
pub(crate) use h2::H2;
pub(crate) use long_run::six_million;
pub(crate) use peer::{Postgres, Redis, database, echo, from_elsewhere, web};

/// A port that nobody had a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
