//! Which marks are statements that set a new connection up: they say nothing about what the service does, and come
//! whenever a pool replaces a connection.

use std::collections::{HashMap, HashSet};

/// A connection is heard after so many calls: one that serves a single request and goes never is, since nobody could
/// tell its set-up from the request.
const HEARD_AFTER: u32 = 20;

/// The first calls of a connection, of which some may set it up.
const FIRST: usize = 12;

/// Connections that must have been heard.
const ENOUGH: u32 = 3;

/// Of ten connections so many must begin with it.
const NEARLY_ALL: u32 = 9;

/// What the connections of the target had in common at their begin.
#[derive(Default)]
pub(super) struct SetUp {
    heard: u32,
    begins: HashMap<u64, u32>,
    /// What came again later on some connection.
    calls: HashSet<u64>,
}

impl SetUp {
    /// A connection has made enough calls to be heard: marks that came only at its begin.
    pub(super) fn hear(&mut self, marks: Vec<u64>) {
        self.heard += 1;
        let fresh = marks.into_iter().filter(|mark| !self.calls.contains(mark));
        fresh.for_each(|mark| *self.begins.entry(mark).or_default() += 1);
    }

    /// Whether a call sets its connection up. One that comes on a connection that has `settled` is none, and never was:
    /// of a request with many statements each stands once among the first.
    pub(super) fn is(&mut self, mark: u64, settled: bool) -> bool {
        if settled && self.begins.remove(&mark).is_some() {
            self.calls.insert(mark);
        }
        self.heard >= ENOUGH
            && self.begins.get(&mark).is_some_and(|begins| begins * 10 >= self.heard * NEARLY_ALL)
    }
}

/// The first calls of one connection.
#[derive(Default)]
pub(in crate::middle) struct Opening {
    calls: u32,
    /// Each mark once, with how often it came.
    first: Vec<(u64, u32)>,
}

impl Opening {
    /// Whether so many calls have come that the next one sets nothing up.
    pub(in crate::middle) fn has_settled(&self) -> bool {
        self.calls >= HEARD_AFTER
    }

    /// A call has come. Gives, once, the marks of those that came at the begin and never again.
    pub(in crate::middle) fn call(&mut self, mark: u64) -> Option<Vec<u64>> {
        if self.has_settled() {
            return None;
        }
        self.calls += 1;
        match self.first.iter_mut().find(|(known, _)| *known == mark) {
            Some((_, times)) => *times += 1,
            None if self.calls as usize <= FIRST => self.first.push((mark, 1)),
            None => {}
        }
        let heard = self.calls == HEARD_AFTER;
        heard.then(|| self.first.drain(..).filter(|(_, times)| *times == 1).map(|(mark, _)| mark).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that each make these calls.
    fn learned(connections: u32, calls: impl Fn(u32) -> Vec<u64>) -> SetUp {
        let mut set_up = SetUp::default();
        for connection in 0..connections {
            let mut opening = Opening::default();
            let heard = calls(connection).into_iter().filter_map(|mark| opening.call(mark));
            heard.for_each(|marks| set_up.hear(marks));
        }
        set_up
    }

    fn pooled(connection: u32) -> Vec<u64> {
        let first_query = 1_000 + u64::from(connection);
        [1, 2].into_iter().chain([first_query]).chain([7, 8, 9].into_iter().cycle().take(40)).collect()
    }

    #[test]
    fn what_every_connection_begins_with_and_never_says_again_sets_it_up() {
        let mut set_up = learned(5, pooled);
        assert!(set_up.is(1, false) && set_up.is(2, false));
        assert!(!set_up.is(7, false), "it comes again");
        assert!(!set_up.is(1_000, false), "only one begins with it");
        assert!(!learned(2, pooled).is(1, false), "two are not enough to tell");
    }

    #[test]
    fn a_connection_for_one_request_teaches_nothing() {
        assert!(!learned(100, |_| vec![1, 7]).is(7, false));
    }

    #[test]
    fn a_request_of_many_statements_is_no_set_up_once_it_comes_again() {
        let mut set_up = learned(5, |_| (1..=30).collect());
        assert!(set_up.is(1, false), "nobody can tell yet");
        assert!(!set_up.is(1, true) && !set_up.is(1, false));
        set_up.hear(vec![1]);
        assert!(!set_up.is(1, false), "nor is it learned again");
    }
}
