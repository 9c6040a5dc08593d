//! Which requests carry the sampled flag.

use std::sync::{Mutex, PoisonError};

use crate::evidence::Class;

/// Idle connections get this part of the sampled requests: theirs are the last ones that a pod answers before its
/// exit, so they show whether its last spans are sent.
const IDLE_PART: f64 = 0.5;

/// So many requests per second, spread evenly over those that come.
pub(super) struct Sampling {
    idle: Owed,
    others: Owed,
    // Guards the part of them that is left while others are traced past the Service; held to read or set it.
    left: Mutex<f64>,
}

struct Owed {
    /// Sampled requests per request.
    share: f64,
    // Guards what is still owed; held for one addition.
    owed: Mutex<f64>,
}

impl Sampling {
    /// `sampled` requests per second, given how many come per second on idle connections and in all.
    pub(super) fn new(sampled: f64, idle_rate: f64, rate: f64) -> Self {
        let others_rate = rate - idle_rate;
        let idle = if others_rate > 0.0 { sampled * IDLE_PART } else { sampled }.min(idle_rate);
        Self {
            idle: Owed::new(idle, idle_rate),
            others: Owed::new(sampled - idle, others_rate),
            left: Mutex::new(1.0),
        }
    }

    /// From now on this part of them, 0 to 1.
    pub(super) fn thin(&self, left: f64) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left.clamp(0.0, 1.0);
    }

    pub(super) fn takes(&self, class: Class) -> bool {
        let left = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if class == Class::Idle { self.idle.takes(left) } else { self.others.takes(left) }
    }
}

impl Owed {
    fn new(sampled: f64, rate: f64) -> Self {
        let share = if rate > 0.0 { (sampled / rate).clamp(0.0, 1.0) } else { 0.0 };
        Self { share, owed: Mutex::new(0.0) }
    }

    fn takes(&self, part: f64) -> bool {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        *owed += self.share * part;
        if *owed < 1.0 {
            return false;
        }
        *owed -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(sampling: &Sampling, class: Class, of: usize) -> usize {
        (0..of).filter(|_| sampling.takes(class)).count()
    }

    #[test]
    fn idle_connections_get_half_and_the_sum_is_what_was_asked_for() {
        let sampling = Sampling::new(20.0, 30.0, 200.0);
        assert!((99..=100).contains(&taken(&sampling, Class::Idle, 300)));
        assert!((99..=100).contains(&taken(&sampling, Class::Busy, 1_700)));
    }

    #[test]
    fn what_idle_connections_cannot_carry_goes_to_the_others() {
        let sampling = Sampling::new(20.0, 4.0, 40.0);
        assert_eq!(taken(&sampling, Class::Idle, 40), 40);
        assert!((159..=160).contains(&taken(&sampling, Class::New, 360)));
        let none = Sampling::new(20.0, 0.0, 40.0);
        assert!((199..=200).contains(&taken(&none, Class::Post, 400)));
        none.thin(0.25);
        assert!((49..=50).contains(&taken(&none, Class::Post, 400)));
        assert_eq!(taken(&Sampling::new(0.0, 4.0, 40.0), Class::New, 100), 0);
    }
}
