//! A process that outlives the validator by a moment: when that is gone, however, what it has left goes too.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Root, RunFolder};
use crate::failure::Failure;

/// The command that a guardian runs as; see [`guard`].
pub const COMMAND: &str = "local-guardian";

/// A guardian at work. Its pipe closes with this process, whatever ends it.
#[derive(Debug)]
pub struct Guardian {
    process: Child,
}

impl Guardian {
    /// Starts one for a run, from the validator's own program; it works once this returns.
    ///
    /// # Errors
    /// Exit 3 when it cannot be started.
    pub fn start(program: &Path, run: &RunFolder) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command
            .arg(COMMAND)
            .arg(run.root().path())
            .arg(run.run())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // A signal to the validator's group, such as Ctrl-C, is not for it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let started = command.spawn().and_then(|mut process| {
            let mut word = [0];
            process.stdout.take().map_or(Ok(()), |mut said| said.read_exact(&mut word))?;
            Ok(process)
        });
        let process = started.map_err(|e| Failure::environment(format!("no guardian: {e}")))?;
        Ok(Self { process })
    }
}

impl Drop for Guardian {
    /// It finds nothing to do, and ends.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok(); // it was ended by somebody else
    }
}

/// What a guardian does: waits until its standard input ends and the run is dead, then sweeps. Blocks.
///
/// # Errors
/// Exit 3 when something cannot be swept.
pub fn guard(root: &Root, run: &str) -> Result<(), Failure> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout());
    // Whoever started it waits for this word; one that is gone already shows at the input.
    output.write_all(b"!").and_then(|()| output.flush()).ok();
    let mut rest = Vec::new();
    input.read_to_end(&mut rest).ok(); // an input that cannot be read has ended as well
    root.wait_for_end(run);
    root.sweep().map(drop)
}
