//! Whether the roll out can end in time, as far as that is known before anything is touched.

use std::time::Duration;

use super::super::{BREATH, LOAD_AT_MOST, QUIET, rolls};
use super::forecast;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::steer::Target;

/// What is asked for is a multiple of this.
const ROUND: Duration = Duration::from_mins(5);

/// Refuses a run whose roll out cannot end within the timeout, however fast its pods are: its users would meet every fault, and
/// it would have no verdict. Gives a warning where it is only not expected to, which the pods may prove wrong.
///
/// # Errors
/// Exit 2, with a timeout that is enough.
pub fn in_time(plan: &Plan, target: &Target, timeout: Duration) -> Result<Option<String>, Failure> {
    let least = least(target.least_roll);
    let about = forecast(plan, target.expected_roll).about().max(least);
    let (limit, of) = if timeout > LOAD_AT_MOST {
        (LOAD_AT_MOST, "the load of a run ends after")
    } else {
        (timeout, "--timeout is")
    };
    let (least_told, about_told, limit_told) = (told(least), told(about), told(limit));
    if least > limit {
        let why = format!(
            "the run takes at least {least_told}, about {about_told}, and {of} {limit_told}: its roll out could not end in time"
        );
        return Err(Failure::usage(why).hint(advice(about)));
    }
    let warning =
        || format!("it may not end in time: about {about_told}, and {of} {limit_told}; {}", advice(about));
    Ok((about > limit).then(warning))
}

/// What no pod can shorten: what every run waits for itself, and both rolls. What lies between them depends on the answers of the
/// target and on where agents stand, and counts for nothing.
fn least(roll: Duration) -> Duration {
    QUIET * 2 + BREATH * 2 + rolls::BEFORE + roll * 2
}

/// The next step: a quarter more than what is expected, as far as that is any good.
fn advice(about: Duration) -> String {
    if about > LOAD_AT_MOST {
        let most = told(LOAD_AT_MOST);
        return format!("no run can take more than {most}: a higher maxSurge makes its rolls shorter");
    }
    let rounds = (about * 5 / 4).as_secs().div_ceil(ROUND.as_secs());
    let enough = Duration::from_secs(rounds * ROUND.as_secs()).min(LOAD_AT_MOST);
    format!("pass `--timeout {}m`", enough.as_secs() / 60)
}

fn told(time: Duration) -> String {
    format!("{:.1} min", time.as_secs_f64() / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::rolled::target;
    use crate::exit::Exit;
    use crate::timeline::tests::header;

    const MINUTE: Duration = Duration::from_mins(1);

    fn plan() -> Plan {
        let mut plan = header().plan;
        plan.traffic.rate = 200.0;
        plan
    }

    /// What is said of a run with rolls of so many minutes at least, and about so many.
    fn said(least: u32, about: u32, timeout: u32) -> Result<Option<String>, Failure> {
        let target = Target { least_roll: MINUTE * least, expected_roll: MINUTE * about, ..target() };
        in_time(&plan(), &target, MINUTE * timeout)
    }

    #[test]
    fn a_run_that_cannot_end_in_time_is_refused_with_the_timeout_that_is_enough() {
        let refused = said(10, 13, 15).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        let text = refused.to_string();
        assert!(text.contains("at least 20.5 min") && text.contains("--timeout is 15.0 min"), "{text}");
        let about = forecast(&plan(), MINUTE * 13).about();
        assert!(text.contains(&format!("about {}", told(about))), "{text}");
        let enough: u32 =
            text.split("--timeout ").last().unwrap().trim_end_matches("m`").parse().expect("minutes");
        assert!(MINUTE * enough >= about && enough.is_multiple_of(5), "{text}");
        assert!(said(10, 13, enough).unwrap().is_none(), "what it says is enough");
    }

    #[test]
    fn a_run_that_could_end_in_time_is_not_refused() {
        let fast = said(0, 1, 15).unwrap();
        assert!(fast.is_none(), "{fast:?}");
        // Nobody declares how slow they are: the pods that there are took long, and the new ones may not.
        let slow = said(0, 13, 15).unwrap().unwrap();
        assert!(slow.contains("may not end in time") && slow.contains("pass `--timeout "), "{slow}");
        assert!(said(7, 7, 15).unwrap().is_some(), "the faults alone are not counted on");
    }

    #[test]
    fn a_run_is_not_told_to_outlast_its_load() {
        let text = said(23, 25, 600).unwrap_err().to_string();
        assert!(
            text.contains("the load of a run ends after 45.0 min") && text.contains("maxSurge"),
            "{text}"
        );
        assert!(!text.contains("pass"), "{text}");
        let text = said(15, 18, 15).unwrap_err().to_string();
        assert!(text.contains("pass `--timeout 45m`"), "{text}");
    }
}
