use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Questions under way, by what they ask for, so that the same question is asked once at a time.
pub(super) struct Flights<T>(Arc<Mutex<Waiting<T>>>);

/// Who waits for the answer to each question.
type Waiting<T> = HashMap<i64, Vec<oneshot::Sender<T>>>;

/// What a caller is to do.
pub(super) enum Part<T> {
    /// Ask, and tell the others.
    Lead(Lead<T>),
    /// Wait for the one who asks. An error if that one went away without an answer.
    Follow(oneshot::Receiver<T>),
}

/// The right to ask. Dropped without an answer, it leaves the others to themselves.
pub(super) struct Lead<T> {
    flights: Flights<T>,
    key: i64,
}

impl<T> Flights<T> {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// Joins the flight of `key`, or begins it.
    pub(super) fn join(&self, key: i64) -> Part<T> {
        let mut waiting = self.lock();
        if let Some(others) = waiting.get_mut(&key) {
            let (sender, receiver) = oneshot::channel();
            others.push(sender);
            return Part::Follow(receiver);
        }
        waiting.insert(key, Vec::new());
        Part::Lead(Lead { flights: self.clone(), key })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Flights<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Lead<T> {
    /// Tells the others and ends the flight: whoever comes after this begins another.
    pub(super) fn land(self, answer: &T) {
        let followers = self.flights.lock().get_mut(&self.key).map(std::mem::take).unwrap_or_default();
        for follower in followers {
            // Whoever is not there any more needs no answer.
            let _ = follower.send(answer.clone());
        }
    }
}

impl<T> Drop for Lead<T> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn followers_get_the_answer_of_the_one_who_asks() {
        let flights = Flights::new();
        let Part::Lead(lead) = flights.join(1) else { panic!("nobody asks yet") };
        let Part::Follow(follower) = flights.join(1) else { panic!("somebody asks") };
        assert!(matches!(flights.join(2), Part::Lead(_)), "another question");
        lead.land(&"answer");
        assert_eq!(follower.await, Ok("answer"));
        assert!(matches!(flights.join(1), Part::Lead(_)), "a new flight");
    }

    #[tokio::test]
    async fn one_who_goes_away_leaves_the_others_to_themselves() {
        let flights = Flights::<()>::new();
        let Part::Lead(lead) = flights.join(1) else { panic!("nobody asks yet") };
        let Part::Follow(follower) = flights.join(1) else { panic!("somebody asks") };
        drop(lead);
        assert!(follower.await.is_err());
        assert!(matches!(flights.join(1), Part::Lead(_)));
    }
}
