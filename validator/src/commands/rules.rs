//! `--policy FILE` and `--no-waivers`: what is judged by.

use crate::cli::PolicyArgs;
use crate::config::GoLivePolicy;
use crate::failure::Failure;
use crate::plan::{Rules, Waivers};
use crate::policy;

/// The rules of a command line. `named` is the policy that the target file asks for.
///
/// # Errors
/// Exit 2 for a policy that cannot be read, and where the target asks for another one than there is.
pub(super) fn read(args: &PolicyArgs, named: &str) -> Result<Rules, Failure> {
    let policy = args.policy.as_deref().map(policy::read).transpose()?.unwrap_or_default();
    if named != GoLivePolicy::BUILT_IN && named != policy.metadata.name {
        let told = match &args.policy {
            None => format!("spec.policy: `{named}` is not built in"),
            Some(file) => format!(
                "spec.policy: the target asks for `{named}`, and {} is `{}`",
                file.display(),
                policy.metadata.name
            ),
        };
        return Err(Failure::usage(told).hint("name the file of the policy: --policy FILE"));
    }
    Ok(Rules { policy, waivers: waivers(args) })
}

/// Whether waivers count.
pub(super) fn waivers(args: &PolicyArgs) -> Waivers {
    if args.no_waivers { Waivers::Ignored } else { Waivers::Count }
}
