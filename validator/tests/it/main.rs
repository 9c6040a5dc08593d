//! Tests of the whole validator that need no cluster.

mod cli;
mod mutations;
mod purity;
