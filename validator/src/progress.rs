//! Tells on stderr what is being done and how long it may still take: a line that moves on a terminal, plain lines elsewhere.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::task::JoinHandle;

use crate::events::{Event, Events};
use crate::report::wrap;

/// Lines on stderr.
pub struct Progress {
    started: Instant,
    out: Output,
    expected: Duration,
    last: String,
}

/// Where it goes.
enum Output {
    /// Nowhere.
    Quiet,
    /// Lines that stay.
    Lines,
    /// Lines that stay, and below them one that moves: the step, its time, and what is left.
    Live(ProgressBar),
}

impl Progress {
    /// Tells what is told to these events from now on, unless `quiet`; it has told everything when the task has ended, which
    /// is after the last clone of them.
    pub fn listen(quiet: bool) -> (Events, JoinHandle<()>) {
        let (events, mut stream) = Events::stream();
        let told = tokio::spawn(async move {
            let mut progress = Self::new(quiet);
            while let Some(event) = stream.recv().await {
                progress.hear(event);
            }
            progress.settle();
        });
        (events, told)
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Step(what) => self.tell(&what),
            Event::Left(left) => self.expect(left),
            Event::Settle(answer) => {
                self.settle();
                answer.send(()).ok(); // nobody waits any more
            }
        }
    }

    /// Starts the clock.
    fn new(quiet: bool) -> Self {
        let out = if quiet {
            Output::Quiet
        } else if std::io::stderr().is_terminal() {
            Output::Live(bar())
        } else {
            Output::Lines
        };
        Self { started: Instant::now(), out, expected: Duration::ZERO, last: String::new() }
    }

    /// Sets how long is left from now, as far as it can be known.
    fn expect(&mut self, left: Duration) {
        self.expected = self.started.elapsed() + left;
        if let Output::Live(bar) = &self.out {
            bar.set_length(self.expected.as_secs().max(1));
        }
    }

    /// Takes the line that moves away: what follows is written by others too.
    fn settle(&mut self) {
        if let Output::Live(bar) = &self.out {
            bar.finish_and_clear();
            self.out = Output::Lines;
        }
    }

    /// Tells of a step; the same words are told once.
    fn tell(&mut self, what: &str) {
        if what == self.last {
            return;
        }
        what.clone_into(&mut self.last);
        let elapsed = self.started.elapsed();
        let left = self.expected.saturating_sub(elapsed).as_secs();
        match &self.out {
            Output::Quiet => {}
            Output::Lines => {
                let left = if left > 0 { format!(" (about {left} s left)") } else { String::new() };
                // A closed stderr is no reason to end a run that has a cluster to clean up.
                writeln!(anstream::stderr(), "[{:>4} s] {what}{left}", elapsed.as_secs()).ok();
            }
            Output::Live(bar) => {
                let at = format!("[{:>4} s] ", elapsed.as_secs());
                bar.println(wrap(&at, what, at.len()));
                bar.set_position(elapsed.as_secs());
                bar.set_message(short(what));
            }
        }
    }
}

/// Ticks by itself, so that a step that takes a minute is seen to be alive.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(4));
    let style = ProgressStyle::with_template("{spinner} {wide_msg} {took} s [{bar:20}] about {left} s left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("took", took)
        .with_key("left", left);
    bar.set_style(style.progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// In seconds, as everything else here.
fn took(state: &ProgressState, out: &mut dyn fmt::Write) {
    // As below.
    write!(out, "{}", state.elapsed().as_secs()).ok();
}

/// What was expected less what is over: the steps are of very different lengths, so that nothing follows from how far the last
/// one was.
fn left(state: &ProgressState, out: &mut dyn fmt::Write) {
    let left = state.len().unwrap_or(0).saturating_sub(state.elapsed().as_secs());
    // Nothing is lost but a number on a line that moves.
    write!(out, "{left}").ok();
}

/// What fits beside the bar.
fn short(what: &str) -> String {
    what.chars().take(60).collect()
}
