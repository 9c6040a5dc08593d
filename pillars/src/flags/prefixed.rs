use std::ffi::OsString;
use std::fmt;
use std::marker::PhantomData;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// What flags and variables begin with, in lower case and with dashes: `stock` gives `--stock-window` and `STOCK_WINDOW`.
pub trait Prefix {
    /// The prefix, without the dash at its end.
    const NAME: &'static str;
}

/// The flags of `A`, each behind the prefix `P`.
pub struct Prefixed<P, A> {
    /// What was read.
    pub args: A,
    prefix: PhantomData<fn() -> P>,
}

impl<P: Prefix, A: Args> Prefixed<P, A> {
    fn inner() -> Command {
        A::augment_args(Command::new(P::NAME).no_binary_name(true).disable_help_flag(true))
    }

    fn rename(argument: &Arg) -> Arg {
        let flag = argument.get_long().unwrap_or(argument.get_id().as_str());
        let flag = format!("{}-{flag}", P::NAME);
        let variable = flag.to_uppercase().replace('-', "_");
        let renamed = argument.clone().id(flag.clone()).long(flag).env(variable.clone());
        // What clap names in its errors.
        if argument.get_action().takes_values() { renamed.value_name(variable) } else { renamed }
    }
}

impl<P: Prefix, A: Args> Args for Prefixed<P, A> {
    fn augment_args(command: Command) -> Command {
        Self::inner().get_arguments().fold(command, |command, each| command.arg(Self::rename(each)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<P: Prefix, A: Args> FromArgMatches for Prefixed<P, A> {
    /// clap binds a value to the name of its flag, which is another one here: what was read, from wherever it came, is
    /// read once more under the names that `A` knows.
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Vec::<OsString>::new();
        for argument in Self::inner().get_arguments() {
            let name = Self::rename(argument).get_id().to_string();
            for value in matches.get_raw(&name).into_iter().flatten() {
                let mut flag = OsString::from(format!("--{}=", argument.get_long().unwrap_or_default()));
                flag.push(value);
                flags.push(flag);
            }
        }
        let args = A::from_arg_matches(&Self::inner().try_get_matches_from(flags)?)?;
        Ok(Self { args, prefix: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<P, A: Clone> Clone for Prefixed<P, A> {
    fn clone(&self) -> Self {
        Self { args: self.args.clone(), prefix: PhantomData }
    }
}

impl<P, A: fmt::Debug> fmt::Debug for Prefixed<P, A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.args.fmt(formatter)
    }
}
