//! File descriptors: this one process holds every connection of a run.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::Failure;

/// Of one request: the client's, two of the switch, two of the agent before a dependency.
const PER_REQUEST: f64 = 5.0;

/// Of requests past the Service, of idle connections, probes and files, whatever the rate.
const REST: f64 = 500.0;

/// Raises what this process may have open to what it may be raised to; copies inherit it, as containers have it.
///
/// # Errors
/// Exit 3 when so many requests at a time do not fit: they would fail, and be held against the target.
pub fn raise_limit(requests_at_a_time: f64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    // Without the right to it nothing is raised, and the next look shows it.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
    fits(getrlimit(Resource::Nofile).current, requests_at_a_time)
}

fn fits(limit: Option<u64>, requests_at_a_time: f64) -> Result<(), Failure> {
    let needed = requests_at_a_time.mul_add(PER_REQUEST, REST).ceil();
    match limit {
        Some(limit) if (limit as f64) < needed => Err(Failure::environment(format!(
            "this process may have {limit} files open, and {needed:.0} are needed at this rate"
        ))
        .hint(format!("ulimit -Hn {needed:.0}, or a lower --rate"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_the_load_would_meet_ends_the_run_before_it_begins() {
        let told = fits(Some(1024), 2_000.0).unwrap_err().to_string();
        assert!(told.contains("1024") && told.contains("10500"), "{told}");
        assert!(fits(Some(1024), 50.0).is_ok() && fits(None, 1e6).is_ok());
    }

    #[test]
    fn the_limit_is_raised_to_what_it_may_be() {
        raise_limit(0.0).unwrap();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
