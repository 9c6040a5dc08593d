//! Tests of the whole validator that need no cluster.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod cli;
mod foreign;
mod harness;
mod krew;
mod kubelet;
mod lint;
mod local;
mod middle;
mod mutations;
mod policy;
mod purity;
mod readme;
mod report;
mod verify;
