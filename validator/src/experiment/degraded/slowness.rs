//! How slow a dependency is made, and how long clients wait that do not wait for it.

use std::time::Duration;

/// What is slow by this much is slow, and far from dead.
const SLOW: Duration = Duration::from_millis(500);

/// Less is no slowness that anybody would notice.
const BARELY_SLOW: Duration = Duration::from_millis(25);

/// How long a client waits that does not wait for a dependency that hangs.
const IMPATIENT: Duration = Duration::from_secs(1);

/// The same for one that is slow: a part of its delay.
const IMPATIENT_PART: f64 = 0.6;

/// Of a delay, or of a deadline, so much may pass at most before a client gives up.
const LATEST_PART: f64 = 0.8;

/// Who waits for so many times what nearly all answers take gives up nothing but what was made slow.
const USUAL: u32 = 2;

/// How much longer every call is made to take: those of one request together no longer than a third of the deadline, since
/// it may be that of all of them; and so that those under way leave half of the pool to others. Of the connections that
/// the pod has ever had open, if they are what carries one call at a time, one is that of its health pings. None where
/// that leaves next to nothing.
pub(super) fn delay(
    deadline: Duration,
    calls_per_s: f64,
    calls_per_request: f64,
    most_open: Option<u32>,
) -> Option<Duration> {
    let wanted = SLOW.min((deadline / 3).div_f64(calls_per_request.max(1.0)));
    let half = most_open.map(|open| f64::from(open.saturating_sub(1)) / 2.0 / calls_per_s.max(0.1));
    let delay = half.map_or(wanted, |half| wanted.min(Duration::from_secs_f64(half)));
    (delay >= BARELY_SLOW).then_some(delay)
}

/// How long clients wait for calls that take so much longer; none if what is usual takes nearly as long.
pub(super) fn patience_of_slow(delay: Duration, usual: Duration) -> Option<Duration> {
    patience(delay.mul_f64(IMPATIENT_PART), delay, usual)
}

/// How long clients wait for calls that hang, below their deadline.
pub(super) fn patience_of_hang(deadline: Duration, usual: Duration) -> Option<Duration> {
    patience(IMPATIENT.min(deadline / 2), deadline, usual)
}

fn patience(wanted: Duration, whole: Duration, usual: Duration) -> Option<Duration> {
    let patience = wanted.max(usual * USUAL);
    (patience <= whole.mul_f64(LATEST_PART)).then_some(patience)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(3);

    fn ms(delay: Option<Duration>) -> Option<u128> {
        delay.map(|delay| delay.as_millis())
    }

    #[test]
    fn slow_calls_leave_half_of_the_pool_to_others() {
        assert_eq!(ms(delay(DEADLINE, 77.0, 1.0, Some(100))), Some(500), "there is room");
        assert_eq!(ms(delay(DEADLINE, 77.0, 1.0, Some(11))), Some(64));
        assert_eq!(ms(delay(DEADLINE, 50.0, 1.0, Some(4))), Some(30), "a pool of three");
        for pool in [1, 2] {
            assert_eq!(ms(delay(DEADLINE, 50.0, 1.0, Some(pool + 1))), None, "a pool of {pool}");
        }
        assert_eq!(ms(delay(DEADLINE, 77.0, 1.0, None)), Some(500), "one connection carries many calls");
    }

    #[test]
    fn all_calls_of_a_request_together_stay_far_below_the_deadline() {
        assert_eq!(ms(delay(Duration::from_secs(1), 40.0, 3.0, Some(100))), Some(111));
        assert_eq!(ms(delay(DEADLINE, 40.0, 8.0, Some(100))), Some(125));
        assert_eq!(ms(delay(DEADLINE, 10.0, 0.5, Some(100))), Some(500));
    }

    #[test]
    fn nobody_gives_up_what_is_no_slower_than_usual() {
        let fast = Duration::from_millis(10);
        assert_eq!(ms(patience_of_slow(SLOW, fast)), Some(300));
        assert_eq!(ms(patience_of_slow(SLOW, Duration::from_millis(180))), Some(360));
        assert_eq!(ms(patience_of_slow(SLOW, Duration::from_millis(400))), None);
        assert_eq!(ms(patience_of_hang(DEADLINE, fast)), Some(1_000));
        assert_eq!(ms(patience_of_hang(DEADLINE, Duration::from_millis(1_100))), Some(2_200));
        assert_eq!(ms(patience_of_hang(DEADLINE, Duration::from_millis(1_300))), None);
    }
}
