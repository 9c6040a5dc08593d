//! Tells on stderr what is being done and how long it may still take.

use std::io::Write;
use std::time::{Duration, Instant};

/// Lines on stderr; silent with `--quiet`.
pub struct Progress {
    started: Instant,
    quiet: bool,
    expected: Duration,
    last: String,
}

impl Progress {
    /// Starts the clock.
    pub fn new(quiet: bool) -> Self {
        Self { started: Instant::now(), quiet, expected: Duration::ZERO, last: String::new() }
    }

    /// Sets how long is left from now, as far as it can be known.
    pub fn expect(&mut self, left: Duration) {
        self.expected = self.started.elapsed() + left;
    }

    /// Tells of a step; the same words are told once.
    pub fn tell(&mut self, what: &str) {
        if self.quiet || what == self.last {
            return;
        }
        what.clone_into(&mut self.last);
        let elapsed = self.started.elapsed();
        let left = self.expected.saturating_sub(elapsed).as_secs();
        let left = if left > 0 { format!(" (about {left} s left)") } else { String::new() };
        // A closed stderr is no reason to end a run that has a cluster to clean up.
        writeln!(anstream::stderr(), "[{:>4} s] {what}{left}", elapsed.as_secs()).ok();
    }
}
