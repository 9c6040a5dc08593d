//! `validator schema`: the JSON Schemas of what the validator reads and writes.

use std::io::Write;

use crate::cli::{SchemaArgs, SchemaOf};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{config, report};

/// Prints one of them.
pub(super) fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.of {
        SchemaOf::Report => report::schema(),
        SchemaOf::Target => config::schema(),
        SchemaOf::Policy => config::GoLivePolicy::schema(),
    };
    let mut out = anstream::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &schema)?;
    out.write_all(b"\n")?;
    Ok(Exit::Success)
}
