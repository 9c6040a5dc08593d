//! `validator diff`: what got better and worse between two runs.

use super::saved;
use crate::cli::DiffArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::Difference;

/// Compares two reports or evidence files.
///
/// # Errors
/// Exit 2 for a file that is neither.
pub(super) fn diff(args: &DiffArgs) -> Result<Exit, Failure> {
    let difference = Difference::between(&saved::report(&args.before)?, &saved::report(&args.after)?);
    let mut out = anstream::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &difference)?;
        std::io::Write::write_all(&mut out, b"\n")?;
    } else {
        difference.print(&mut out)?;
    }
    Ok(if difference.regressions().next().is_some() { Exit::NoGo } else { Exit::Success })
}
