//! `validator completions` and `validator man`: what a shell and `man` need.

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints the completions of a shell. They are written whole before they are printed: clap_complete panics where it
/// cannot write.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "validator", &mut text);
    anstream::stdout().lock().write_all(&text)?;
    Ok(Exit::Success)
}

/// Prints the manual page: the command itself, then each of its commands.
pub(super) fn man() -> Result<Exit, Failure> {
    let mut text = Vec::new();
    let command = Cli::command();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let man = clap_mangen::Man::new(sub.clone().display_name(format!("validator-{}", sub.get_name())));
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
    }
    anstream::stdout().lock().write_all(&text)?;
    Ok(Exit::Success)
}
