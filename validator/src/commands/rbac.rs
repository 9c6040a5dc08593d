//! `validator rbac`: the Role that a run needs.

use std::io::Write;

use crate::cluster::role;
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints it.
pub(super) fn rbac() -> Result<Exit, Failure> {
    anstream::stdout().lock().write_all(role().as_bytes())?;
    Ok(Exit::Success)
}
