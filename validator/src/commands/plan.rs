//! `validator plan`: what a run would do. It reads, and creates nothing.

use std::io::Write;

use super::{rules, target_file};
use crate::cli::PlanArgs;
use crate::cluster::{Cluster, discover, find_sites};
use crate::config::Purpose;
use crate::exit::Exit;
use crate::experiment::forecast;
use crate::failure::Failure;
use crate::gate::planned;
use crate::moment::now;

/// Prints the plan of a run.
///
/// # Errors
/// Exit 2 or 3 for what would end the run before anything was touched.
pub(super) async fn plan(args: PlanArgs) -> Result<Exit, Failure> {
    let mut check = target_file::read(&args.target)?;
    if args.observe {
        check = check.gentle()?;
    }
    let given = target_file::given(&args.target.traffic.header)?;
    let rules = rules::read(&args.target.rules, &check.spec.policy)?;
    let context = args.target.cluster.context.as_deref();
    let cluster = Cluster::connect(context, &check.metadata.namespace).await?;
    let purpose = if args.observe { Purpose::Observe } else { Purpose::Prove };
    let (mut target, _) = discover(&cluster, &check, purpose, args.image.as_deref(), now()).await?;
    let mut plan = planned(&check, &mut target, &given, args.parts.selected()?, "plan")?;
    if args.observe {
        plan = plan.observing();
    } else {
        find_sites(&cluster, &check.spec.dependencies, &target.plan).await?;
    }
    rules.govern(&mut plan);
    write!(anstream::stdout(), "{}", forecast(&plan, target.expected_roll))?;
    Ok(Exit::Success)
}
