//! Golive: a go-live gate for Kubernetes that proves production readiness by experiment.
//!
//! Data flows one way: argv or file -> [`plan`] -> [`cluster`] and [`load`] -> [`evidence`] ->
//! [`judge`] -> [`report`]. What judges ([`check`], [`checks`], [`judge`], [`timeline`], [`report`])
//! knows no cluster, no runtime and no clock; a test holds that.
pub mod admission;
mod api_server;
pub mod attestation;
pub mod check;
pub mod checks;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod events;
pub mod evidence;
pub mod exit;
pub mod experiment;
pub mod explain;
pub mod failure;
pub mod gate;
pub mod init;
pub mod judge;
mod key;
pub mod lint;
pub mod load;
pub mod local;
mod management;
pub mod middle;
pub mod moment;
pub mod operator;
pub mod plan;
pub mod platform;
pub mod policy;
pub mod progress;
pub mod pulse;
pub mod report;
mod selector;
pub mod severity;
pub mod steer;
pub mod timeline;
pub mod verify;
