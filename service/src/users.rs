//! The users service's own part: who the users are, where they are kept, and what is answered when that place is away.
//!
//! Reads and writes go to Postgres through the breaker. What was read is written to Redis off the request path; when
//! Postgres cannot answer, the copy there is the fallback, marked with its age.

mod cache;
mod database;
mod flights;
mod metrics;
mod orders;
mod outage;
mod postgres;
mod redis;
mod schema;
mod statement;
mod store;
mod user;

pub use cache::{Args as CacheArgs, Cache};
pub(crate) use database::parse as parse_database;
pub use database::{Args as DatabaseArgs, Pooler};
pub use metrics::Metrics;
pub use orders::{Args as OrdersArgs, Orders, OrdersError};
pub use postgres::{Postgres, PostgresError, PostgresProbe};
pub use redis::RedisProbe;
pub(crate) use redis::parse as parse_redis;
pub use schema::{Schema, SchemaError};
pub use store::{Listing, Lookup, StoreError, Users};
pub use user::{InvalidUser, NewUser, Order, User};
