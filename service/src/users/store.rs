use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Either;
use tokio::time::timeout;
use tracing::instrument;

use super::cache::Cached;
use super::flights::{Flights, Part};
use super::metrics::{Fallback, Metrics};
use super::outage::Outage;
use super::{Cache, NewUser, Order, Postgres, PostgresError, User};
use golive_pillars::breaker::{Breaker, CallError, Class, Classify as _};
use golive_pillars::telemetry::{annotate, is_sampled};

/// Users: Postgres behind the breaker, else what the fallback of each question is.
#[derive(Clone)]
pub struct Users {
    postgres: Postgres,
    cache: Option<Cache>,
    breaker: Breaker,
    answer_within: Option<Duration>,
    flights: Flights<Read>,
    metrics: Metrics,
    outage: Outage,
}

/// The answer to a question for one user.
#[derive(Debug)]
pub enum Lookup {
    /// From Postgres.
    Live(User),
    /// From the cache, since Postgres cannot answer.
    Stale {
        /// The copy.
        user: User,
        /// Time since it was read from Postgres.
        age: Duration,
    },
    /// There is no such user.
    Unknown,
}

/// The answer to a question for many users.
#[derive(Debug)]
pub enum Listing {
    /// From Postgres.
    Live(Vec<User>),
    /// Postgres cannot answer; nothing is shown.
    Empty,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres cannot answer, and there is no fallback.
    #[error("the database is not available")]
    Unavailable {
        /// When it is worth to ask again.
        retry_after: Duration,
    },
    /// Another user has this address.
    #[error("a user with this email exists")]
    Duplicate,
    /// Postgres refused a statement of ours.
    #[error(transparent)]
    Refused(PostgresError),
}

/// Advice while the circuit is still closed: the next call may work.
const SOON: Duration = Duration::from_secs(1);
/// How long after an outage the same question is asked once at a time.
const RECOVERY: Duration = Duration::from_secs(10);

const CACHE_OUTCOME: &str = "app.cache.outcome";
const FALLBACK: &str = "app.fallback";

impl Users {
    /// Puts the parts together; without a cache, lookups have no fallback.
    pub fn new(postgres: Postgres, cache: Option<Cache>, breaker: Breaker, metrics: Metrics) -> Self {
        let (flights, outage) = (Flights::new(), Outage::default());
        Self { postgres, cache, breaker, answer_within: None, flights, metrics, outage }
    }

    /// Gives Postgres so long to answer, whatever the deadline of its circuit; then the fallback is answered.
    pub fn answering_within(self, limit: Option<Duration>) -> Self {
        Self { answer_within: limit, ..self }
    }

    /// One user, or else the copy in the cache.
    pub async fn find(&self, id: i64) -> Result<Lookup, StoreError> {
        annotate("app.user.id", id);
        let failure = match self.read(id).await? {
            Read::User(user) => return Ok(Lookup::Live(user)),
            Read::Nobody => return Ok(Lookup::Unknown),
            Read::Unavailable(retry) => retry,
        };
        let Some(cached) = self.copy(id).boxed().await else {
            annotate(CACHE_OUTCOME, "miss");
            return Err(self.give_up(failure));
        };
        annotate(CACHE_OUTCOME, "hit");
        self.fall_back(Fallback::cached, "cached");
        Ok(Lookup::Stale { user: cached.user, age: cached.age })
    }

    /// What there is instead of an answer of Postgres.
    #[instrument(name = "fall back on the copy", skip_all)]
    async fn copy(&self, id: i64) -> Option<Cached> {
        self.cache.as_ref()?.read(id).await
    }

    /// Right after the circuit has closed, when everybody comes at once, a user is read once at a time. Not always: the
    /// circuit is to see every call. A request that is sampled asks for itself, so that its trace is whole.
    async fn read(&self, id: i64) -> Result<Read, StoreError> {
        if !self.breaker.closed_within(RECOVERY) || is_sampled() {
            return self.ask(id).await;
        }
        loop {
            match self.flights.join(id) {
                Part::Lead(lead) => {
                    let read = self.ask(id).await?;
                    lead.land(&read);
                    return Ok(read);
                }
                // Whoever led may have gone away: then one of those who waited leads.
                Part::Follow(answer) => {
                    if let Ok(read) = answer.await {
                        return Ok(read);
                    }
                }
            }
        }
    }

    async fn ask(&self, id: i64) -> Result<Read, StoreError> {
        match self.call(self.postgres.find(id)).await {
            Ok(Some(user)) => {
                self.keep(&user);
                Ok(Read::User(user))
            }
            Ok(None) => Ok(Read::Nobody),
            Err(error) => Ok(Read::Unavailable(self.unavailable(error)?)),
        }
    }

    /// Up to `limit` users after `after`, or else none.
    pub async fn list(&self, after: i64, limit: i64) -> Result<Listing, StoreError> {
        match self.call(self.postgres.list(after, limit)).await {
            Ok(users) => Ok(Listing::Live(users)),
            Err(error) => {
                self.unavailable(error)?;
                self.fall_back(Fallback::empty, "empty");
                Ok(Listing::Empty)
            }
        }
    }

    /// Stores a user. Not retried: an answer that was lost does not say that nothing was stored.
    pub async fn create(&self, user: &NewUser) -> Result<User, StoreError> {
        match self.call(self.postgres.insert(user)).await {
            Ok(user) => {
                annotate("app.user.id", user.id);
                self.keep(&user);
                Ok(user)
            }
            Err(CallError::Inner(error)) if error.is_duplicate() => Err(StoreError::Duplicate),
            Err(error) => Err(self.give_up(self.unavailable(error)?)),
        }
    }

    /// The orders of a user in our own table; `None` if there is no such user.
    pub async fn orders(&self, id: i64) -> Result<Option<Vec<Order>>, StoreError> {
        annotate("app.user.id", id);
        match self.call(self.postgres.orders(id)).await {
            Ok(orders) => Ok(orders),
            Err(error) => Err(self.give_up(self.unavailable(error)?)),
        }
    }

    /// Finishes what was left to do after the last request, for at most `limit`.
    pub async fn close(self, limit: Duration) {
        let Self { postgres, cache, .. } = self;
        if let Some(cache) = cache {
            cache.close(limit).await;
        }
        postgres.close();
    }

    /// No `async` function, which would hold the call twice: before it is polled, and while it is.
    fn call<T>(
        &self,
        work: impl Future<Output = Result<T, PostgresError>>,
    ) -> impl Future<Output = Result<T, CallError<PostgresError>>> {
        let call = self.breaker.call(work);
        match self.answer_within {
            None => Either::Left(call),
            Some(limit) => {
                let late = move |_| Err(CallError::Deadline(limit));
                Either::Right(timeout(limit, call).map(move |answer| answer.unwrap_or_else(late)))
            }
        }
    }

    /// Tells an outage, which has a fallback, from a statement that Postgres refused, which is our bug.
    fn unavailable(&self, error: CallError<PostgresError>) -> Result<Retry, StoreError> {
        match error {
            CallError::NotPermitted { retry_after } => return Ok(Retry(retry_after)),
            CallError::Inner(error) if error.class() == Class::Success => {
                return Err(StoreError::Refused(error));
            }
            CallError::Inner(error) => self.outage.tell(&error.kind(), &error),
            // Says that we are busy, and nothing of Postgres.
            CallError::Full => {}
            late => self.outage.tell("deadline", &late),
        }
        Ok(Retry(SOON))
    }

    fn keep(&self, user: &User) {
        if let Some(cache) = &self.cache {
            cache.keep(user);
        }
    }

    fn give_up(&self, Retry(retry_after): Retry) -> StoreError {
        self.fall_back(Fallback::unavailable, "unavailable");
        StoreError::Unavailable { retry_after }
    }

    fn fall_back(&self, kind: Fallback, name: &'static str) {
        annotate(FALLBACK, name);
        self.metrics.fall_back(kind);
    }
}

/// What Postgres says of one user; as good for one who asked as for another.
#[derive(Clone)]
enum Read {
    User(User),
    Nobody,
    Unavailable(Retry),
}

/// When it is worth to ask Postgres again.
#[derive(Clone, Copy)]
struct Retry(Duration);

#[cfg(test)]
mod tests;
