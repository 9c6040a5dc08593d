use std::future::{pending, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use recloser::{AsyncRecloser, Recloser};

use super::Class;

/// `recloser` reduced to what it does well: closed, open for a time, then half-open.
///
/// Rings of length one, because the window is ours. Such a ring decides on its second outcome (a length of zero would
/// panic with recloser's lock held), so every decision is written twice.
pub(super) struct Machine(AsyncRecloser);

impl Machine {
    pub(super) fn new(open_for: Duration) -> Self {
        let recloser =
            Recloser::custom().error_rate(0.5).closed_len(1).half_open_len(1).open_wait(open_for).build();
        Self(AsyncRecloser::from(recloser))
    }

    /// Whether a call may be made; turns *open* into *half-open* when the open period is over.
    ///
    /// A future that never ends is admitted or rejected at its first poll, and dropping it records nothing: this
    /// splits recloser's admission from its bookkeeping, which it does not offer itself.
    pub(super) fn permits(&self) -> bool {
        self.0.call(pending::<Result<(), ()>>()).now_or_never().is_none()
    }

    /// Moves to *open* after a failure, to *closed* after a success.
    pub(super) fn decide(&self, class: Class) {
        let outcome = if class == Class::Failure { Err(()) } else { Ok(()) };
        for _ in 0..2 {
            // The result is the outcome just handed in, or a rejection once the first of the two has decided.
            let _ = self.0.call(ready(outcome)).now_or_never();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_opens_and_success_after_the_wait_closes() {
        let machine = Machine::new(Duration::from_millis(20));
        assert!(machine.permits());
        machine.decide(Class::Failure);
        assert!(!machine.permits());
        let patience = std::time::Instant::now();
        while !machine.permits() {
            assert!(patience.elapsed() < Duration::from_secs(2), "never half-open");
            std::thread::yield_now();
        }
        machine.decide(Class::Failure);
        assert!(!machine.permits(), "one failed trial opens again");
        while !machine.permits() {
            std::thread::yield_now();
        }
        machine.decide(Class::Success);
        machine.decide(Class::Failure);
        assert!(!machine.permits(), "closed, so a trip opens it");
    }
}
