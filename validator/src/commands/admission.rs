//! `validator admission`.

use crate::admission::{Settings, admit};
use crate::cli::AdmissionArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// Answers the API server until it is told to end.
pub(super) async fn admission(args: AdmissionArgs) -> Result<Exit, Failure> {
    let AdmissionArgs { namespace: namespaces, certificate, policy, exempt, account, port, management_port } =
        args;
    admit(Settings { namespaces, policy, exempt, account, certificate, port, management_port }).await?;
    Ok(Exit::Success)
}
