//! A process that outlives the validator by a moment: when that is gone, however, what it has left goes too.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Root, RunFolder};
use crate::failure::Failure;

/// The command that a guardian runs as; see [`guard`].
pub const COMMAND: &str = "local-guardian";

/// A guardian at work. Its pipe closes with this value, or this process, whatever ends it; it then waits for the end of the run.
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
        command.arg(COMMAND).arg(run.run()).stdin(Stdio::piped()).stdout(Stdio::piped());
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

    /// Waits until it has seen that the run is gone. For ever while the run's folder is there.
    pub fn dismiss(mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok(); // it was ended by somebody else
    }
}

/// What a guardian does: waits until its standard input ends and the run is dead, then sweeps. Blocks.
///
/// # Errors
/// Exit 3 when something cannot be swept.
pub fn guard(run: &str) -> Result<(), Failure> {
    let root = Root::usual()?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout());
    // Whoever started it waits for this word; one that is gone already shows at the input.
    output.write_all(b"!").and_then(|()| output.flush()).ok();
    let mut rest = Vec::new();
    input.read_to_end(&mut rest).ok(); // an input that cannot be read has ended as well
    root.wait_for_end(run);
    root.sweep().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by another process: what is open for writing here, or in a process that was just forked, cannot be run.
    const WRITE: &str = "echo '#!/bin/sh
printf !; cat; while [ -e $0 ]; do sleep 0.05; done' > $0; chmod 700 $0";

    #[test]
    fn a_run_that_fails_does_not_wait_for_its_guardian_which_waits_for_its_end() {
        let root = Root::usual().unwrap();
        let run = root.create(&format!("golive-guardian-{:06x}", fastrand::u32(0..0x0100_0000))).unwrap();
        let program = run.path().join("guardian");
        assert!(Command::new("sh").args(["-c", WRITE]).arg(&program).status().unwrap().success());
        let (tell, told) = std::sync::mpsc::channel();
        let (guardian, path) = (Guardian::start(&program, &run).unwrap(), run.path().to_owned());
        std::thread::spawn(move || {
            drop(guardian); // as a panic does, before the folder
            tell.send(()).ok();
        });
        told.recv_timeout(std::time::Duration::from_mins(1)).unwrap();
        run.remove().unwrap();
        assert!(!path.exists());
    }
}
