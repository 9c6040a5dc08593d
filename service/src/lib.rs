//! The users service: users in Postgres, copies in Redis, orders from another service, on the pillars of
//! [`golive_pillars`]. Only [`app`] wires them together.

pub mod app;
pub mod config;
pub mod http;
pub mod probe;
pub mod start;
pub mod users;
