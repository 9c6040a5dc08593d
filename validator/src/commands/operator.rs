//! `validator operator`, and the definitions of its kinds.

use std::io::Write;

use crate::cli::OperatorArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::operator::{self, Settings, operate};

/// Watches until it is told to end.
pub(super) async fn operator(args: OperatorArgs) -> Result<Exit, Failure> {
    let OperatorArgs { namespace: namespaces, image, account, management_port, otel_endpoint } = args;
    operate(Settings { namespaces, image, account, management_port, otel_endpoint }).await?;
    Ok(Exit::Success)
}

/// Prints the CustomResourceDefinitions.
pub(super) fn crds() -> Result<Exit, Failure> {
    let text = operator::crds().map_err(Failure::internal)?;
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}
