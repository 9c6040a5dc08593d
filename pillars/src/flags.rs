//! Command lines with `clap`: every flag is also an environment variable.
//!
//! Each pillar has its own `Args`, which turn into its `Config`. Those without a name of their own are put behind a
//! prefix of yours by [`Prefixed`], so that two circuits can be set apart:
//!
//! ```
//! # #[cfg(feature = "breaker")] {
//! use clap::Parser as _;
//! use golive_pillars::breaker;
//! use golive_pillars::flags::{Prefix, Prefixed};
//!
//! struct Stock;
//! impl Prefix for Stock {
//!     const NAME: &'static str = "stock";
//! }
//!
//! #[derive(clap::Parser)]
//! struct Cli {
//!     /// `--stock-open-for` and `STOCK_OPEN_FOR`
//!     #[command(flatten)]
//!     stock: Prefixed<Stock, breaker::Args>,
//! }
//! let cli = Cli::parse_from(["shop", "--stock-open-for=5s"]);
//! assert_eq!(cli.stock.args.config(), breaker::Config::default().open_for(std::time::Duration::from_secs(5)));
//! # }
//! ```

pub mod duration;
pub mod port;
mod prefixed;
pub mod ratio;

pub use prefixed::{Prefix, Prefixed};

/// What a program reads that has these flags and no others.
#[cfg(test)]
pub(crate) fn parsed<A: clap::Args>(flags: &[&str]) -> Result<A, clap::Error> {
    let command = A::augment_args(clap::Command::new("test"));
    A::from_arg_matches(&command.try_get_matches_from([&["test"], flags].concat())?)
}
