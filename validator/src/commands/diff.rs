//! `validator diff`: what got better and worse between two runs.

use super::saved;
use crate::cli::DiffArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::Difference;

/// Compares two reports or evidence files.
///
/// # Errors
/// Exit 2 for a file that is neither, and for reports of two deployments.
pub(super) fn diff(args: &DiffArgs) -> Result<Exit, Failure> {
    let (before, after) = (saved::report(&args.before)?, saved::report(&args.after)?);
    saved::of_one_target(&before, &after)?;
    let difference = Difference::between(&before, &after);
    let mut out = anstream::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &difference)?;
        std::io::Write::write_all(&mut out, b"\n")?;
    } else {
        difference.print(&mut out)?;
    }
    Ok(if difference.is_worse() { Exit::NoGo } else { Exit::Success })
}
