//! `validator run`, and what it would do.

use clap::Args;

use super::{GateArgs, PartArgs, TargetArgs};

/// What is nothing to a run that looks on only.
const PROVING: [&str; 5] = ["image", "keep", "part", "check", "skip"];

/// `validator run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The target
    #[command(flatten)]
    pub target: TargetArgs,
    /// Roll to this image; without it the deployment is restarted as it is
    #[arg(long)]
    pub image: Option<String>,
    /// Image of all agents and of the guardian
    #[arg(long, env = "GOLIVE_AGENT_IMAGE", default_value = concat!("golive/validator:", env!("CARGO_PKG_VERSION")))]
    pub agent_image: String,
    /// Look on only: nothing is rolled or broken, and at most 10 requests per second are sent, none of which writes; no GO comes of it
    #[arg(long, conflicts_with_all = PROVING)]
    pub observe: bool,
    /// The gate
    #[command(flatten)]
    pub gate: GateArgs,
    /// Leave the candidate in place whatever the verdict
    #[arg(long)]
    pub keep: bool,
}

/// `validator plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// The target
    #[command(flatten)]
    pub target: TargetArgs,
    /// The image that the run would roll to
    #[arg(long)]
    pub image: Option<String>,
    /// The plan of a run that looks on only
    #[arg(long, conflicts_with_all = ["image", "part", "check", "skip"])]
    pub observe: bool,
    /// The parts
    #[command(flatten)]
    pub parts: PartArgs,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn observes(line: &str) -> Result<bool, String> {
        let words = ["validator"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words).map_err(|e| e.to_string())?.command {
            Command::Run(args) => Ok(args.observe),
            Command::Plan(args) => Ok(args.observe),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_only_a_proof_does_is_refused_beside_observe() {
        for command in ["run", "plan"] {
            assert_eq!(observes(&format!("{command} -f golive.yaml")), Ok(false));
            assert_eq!(observes(&format!("{command} -f golive.yaml --observe --rate 5")), Ok(true));
            for other in ["--image users:2", "--part quick", "--check GL-S201", "--skip loss"] {
                let told = observes(&format!("{command} -f golive.yaml --observe {other}")).unwrap_err();
                let name = other.split(' ').next().unwrap();
                assert!(told.contains("'--observe' cannot be used with") && told.contains(name), "{told}");
            }
        }
        let told = observes("run -f golive.yaml --observe --keep").unwrap_err();
        assert!(told.contains("--keep"), "{told}");
    }
}
