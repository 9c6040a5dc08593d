use std::ffi::OsString;
use std::fmt;
use std::marker::PhantomData;

use clap::builder::Resettable;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// What flags and variables begin with, in lower case and with dashes: `stock` gives `--stock-window` and `STOCK_WINDOW`.
pub trait Prefix {
    /// The prefix, without the dash at its end.
    const NAME: &'static str;
}

/// The flags of `A`, each behind the prefix `P`: its long name, its variable and its name in errors.
///
/// For flags as those of the pillars are, each with a long name and a value; the variables that `A` names itself are not
/// read.
pub struct Prefixed<P, A> {
    /// What was read.
    pub args: A,
    prefix: PhantomData<fn() -> P>,
}

impl<P: Prefix, A: Args> Prefixed<P, A> {
    fn inner() -> Command {
        let inner = A::augment_args(Command::new(P::NAME).no_binary_name(true).disable_help_flag(true));
        // Without a value behind the prefix it would read the variable that has none.
        inner.mut_args(|argument| argument.env(Resettable::Reset))
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    struct Stock;
    impl Prefix for Stock {
        const NAME: &'static str = "stock";
    }

    struct Price;
    impl Prefix for Price {
        const NAME: &'static str = "price-list";
    }

    #[derive(clap::Args)]
    struct Settings {
        /// Set in every process that cargo runs
        #[arg(long, env = "CARGO_PKG_NAME")]
        window: Option<String>,
        #[arg(long, default_value = "7")]
        calls: u32,
    }

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        stock: Prefixed<Stock, Settings>,
        #[command(flatten)]
        price: Prefixed<Price, Settings>,
    }

    #[test]
    fn two_of_the_same_kind_are_set_apart() {
        let cli = Cli::parse_from(["shop", "--stock-calls=1", "--price-list-window=2s"]);
        assert_eq!((cli.stock.args.calls, cli.price.args.calls), (1, 7));
        assert_eq!(cli.price.args.window.as_deref(), Some("2s"));
    }

    #[test]
    fn a_variable_without_the_prefix_is_not_read() {
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some(), "or this shows nothing");
        assert_eq!(Cli::parse_from(["shop"]).stock.args.window, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_prefix() {
        let Err(error) = Cli::try_parse_from(["shop", "--stock-calls=many"]) else { panic!("read") };
        assert!(error.to_string().contains("--stock-calls <STOCK_CALLS>"), "{error}");
    }
}
