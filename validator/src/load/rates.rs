//! How many requests per second each class gets.

use crate::evidence::Class;

/// Requests per second of one class, given those of all: a class without a request leaves its part to the others.
pub(super) fn rate_of(class: Class, rate: f64, serves: impl Fn(Class) -> bool) -> f64 {
    let total: f64 = Class::ALL.into_iter().filter(|class| serves(*class)).map(weight).sum();
    if serves(class) { rate * weight(class) / total } else { 0.0 }
}

fn weight(class: Class) -> f64 {
    match class {
        Class::New => 0.30,
        Class::Busy => 0.45,
        Class::Idle => 0.15,
        Class::Post => 0.10,
        Class::Direct => 0.0, // has a rate of its own
    }
}
