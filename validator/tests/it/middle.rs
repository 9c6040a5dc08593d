//! The middle agent between real clients and a real Postgres, a real Redis, a web server.

mod by_itself;
mod collectors;
mod http;
mod losses;
mod postgres;
mod redis;
mod tcp;
mod traces;
