//! Steers one middle agent through its API, and notices when it is gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::api_link::{ApiLink, ClockOffset};
use super::dial::Dial;
use crate::config::Dependency;
use crate::evidence::{Fact, MiddleClock, MiddleFact, MiddleTrouble, Millis, Trouble};
use crate::failure::Failure;
use crate::middle::{FaultOrder, Learning, MiddleStatus, Targets};
use crate::moment::now;

/// How often an agent is asked; each question is a word that keeps its faults alive.
const PERIOD: Duration = Duration::from_millis(250);

/// How long one answer may take while the agent starts.
const ANSWER: Duration = Duration::from_secs(3);

/// An agent that does not answer for this long, nor twice in a row, is lost: the target has to be led past it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who is so much later with a question than he meant to be has stood still himself: that tells nothing about an agent.
const STALL: Duration = Duration::from_secs(1);

/// How much later than here an order may begin at the agent: until then it ends there by itself, not by being left out.
const LATE: Duration = Duration::from_secs(2);

/// What a person is told of an agent that is lost.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Its name on its platform.
    pub(crate) name: String,
    /// Where to look.
    pub(crate) hint: String,
}

/// One agent.
pub(crate) struct Middle {
    pub(super) dependency: Dependency,
    pub(super) told: Told,
    api: ApiLink,
    /// A connection of its own for the questions whether it is there: evidence takes a while to come.
    heart: ApiLink,
    clock: ClockOffset,
    /// The process that answers: what another one saw is lost.
    instance: u64,
    since: Millis,
    status: watch::Sender<MiddleStatus>,
    // Held for one PUT: orders reach the agent in the order in which they were given.
    orders: tokio::sync::Mutex<Orders>,
    // Guards a list; held for one push or one copy.
    troubles: Mutex<Vec<Fact>>,
}

/// The faults that an agent was told of and that have not run out.
#[derive(Default)]
struct Orders {
    given: Vec<(FaultOrder, Instant)>,
}

impl Orders {
    /// Changes them and gives what is to be in force now. One that has run out is not given again.
    fn change(&mut self, now: Instant, change: impl FnOnce(&mut Vec<FaultOrder>)) -> Vec<FaultOrder> {
        let before = std::mem::take(&mut self.given);
        let left: Vec<_> = before.into_iter().filter(|(_, end)| *end > now).collect();
        let mut present: Vec<FaultOrder> = left.iter().map(|(order, _)| order.clone()).collect();
        change(&mut present);
        let end = |order: &FaultOrder| {
            let given = left.iter().find(|(old, _)| old.id == order.id).map(|(_, end)| *end);
            given.unwrap_or(now + Duration::from_millis(order.for_ms) + LATE)
        };
        self.given = present.iter().map(|order| (order.clone(), end(order))).collect();
        present
    }
}

/// What may be in the way of an agent there.
fn unreached(dial: &Dial) -> &'static str {
    match dial {
        Dial::PortForward(..) => "does a NetworkPolicy keep it out?",
        Dial::Socket(..) => "does it run where spec.local.dependencies says it is?",
    }
}

impl Middle {
    /// Connects to one that was just started.
    ///
    /// # Errors
    /// Why it cannot be worked with yet.
    pub(crate) async fn connect(
        dependency: &Dependency,
        told: Told,
        dial: Dial,
    ) -> Result<Arc<Self>, String> {
        let api = ApiLink::new(dial.clone());
        let status: MiddleStatus = api.ask("/status", ANSWER).await?;
        if !status.reached {
            return Err(format!("it does not reach the dependency; {}", unreached(&dial)));
        }
        Ok(Arc::new(Self {
            dependency: dependency.clone(),
            told,
            heart: ApiLink::new(dial),
            clock: api.clock().await?,
            api,
            instance: status.instance,
            since: now(),
            status: watch::channel(MiddleStatus::default()).0,
            orders: tokio::sync::Mutex::default(),
            troubles: Mutex::default(),
        }))
    }

    /// The last status heard.
    pub(super) fn status(&self) -> MiddleStatus {
        self.status.borrow().clone()
    }

    /// Tells it the pods of the target.
    pub(super) async fn aim(&self, targets: &Targets) -> Result<(), String> {
        self.api.send(Method::PUT, "/targets", targets).await
    }

    /// Changes the faults in force and tells it all of them.
    pub(super) async fn order(&self, change: impl FnOnce(&mut Vec<FaultOrder>)) -> Result<(), Failure> {
        let mut orders = self.orders.lock().await;
        let present = orders.change(Instant::now(), change);
        let told = self.api.send(Method::PUT, "/faults", &present).await;
        told.map_err(|error| self.lost(&error))
    }

    pub(super) async fn learn(&self, on: bool) -> Result<(), Failure> {
        let told = self.api.send(Method::PUT, "/learning", &Learning { on }).await;
        told.map_err(|error| self.lost(&error))
    }

    /// Where it stands, what it saw and what happened to it, on our clock.
    pub(super) async fn evidence(&self) -> Vec<Fact> {
        let ClockOffset { offset_ms, uncertainty_ms } = self.clock;
        let standing = Fact::Middle(MiddleFact {
            at: self.since,
            dependency: self.dependency.name.clone(),
            service: self.dependency.upstream.to_string(),
            protocol: self.dependency.protocol,
            standing: Ok(MiddleClock { offset_ms, uncertainty_ms }),
        });
        let seen = self.api.evidence().await.unwrap_or_else(|error| {
            self.trouble(Trouble::Lost(error));
            Vec::new()
        });
        let offset = offset_ms.round() as Millis;
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let seen = seen.into_iter().map(|fact| fact.shifted(offset));
        std::iter::once(standing).chain(seen).chain(troubles).collect()
    }

    /// Asks for the status over and over; returns why the agent is lost, once it is. What another process answers is
    /// no answer of this one: whatever it saw is gone.
    pub(super) async fn listen(&self) -> String {
        let mut silence = Silence::from(Instant::now());
        let why = loop {
            // After a question that failed the next one comes over a fresh connection.
            match self.heart.ask::<MiddleStatus>("/status", PATIENCE / 2).await {
                Ok(status) if status.instance != self.instance => {
                    break "it was started again".to_owned();
                }
                Ok(status) => {
                    silence = Silence::from(Instant::now());
                    self.status.send_replace(status);
                }
                Err(error) if silence.is_last(Instant::now()) => break error,
                Err(_) => {}
            }
            sleep(PERIOD).await;
        };
        self.trouble(Trouble::Lost(why.clone()));
        why
    }

    fn trouble(&self, trouble: Trouble) {
        let dependency = self.dependency.name.clone();
        let fact = Fact::Trouble(MiddleTrouble { at: now(), dependency, trouble });
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
    }

    fn lost(&self, error: &str) -> Failure {
        let Self { told, dependency, .. } = self;
        Failure::environment(format!("middle agent {} before {}: {error}", told.name, dependency.upstream))
            .hint(format!("{}; it forwards everything by itself after 15 s", told.hint))
    }
}

/// Questions to an agent that were not answered, one after the other.
struct Silence {
    since: Instant,
    asked: Instant,
    questions: u32,
}

impl Silence {
    fn from(now: Instant) -> Self {
        Self { since: now, asked: now, questions: 0 }
    }

    /// One more was not answered; says whether the agent is lost.
    fn is_last(&mut self, now: Instant) -> bool {
        if now - self.asked > PERIOD + PATIENCE / 2 + STALL {
            *self = Self::from(now);
            return false;
        }
        self.asked = now;
        self.questions += 1;
        self.questions >= 2 && now - self.since >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Fault;

    fn order(id: u64, for_ms: u64) -> FaultOrder {
        FaultOrder { id, pod: format!("pod-{id}"), fault: Fault::Hang, for_ms }
    }

    fn ids(orders: &[FaultOrder]) -> Vec<u64> {
        orders.iter().map(|order| order.id).collect()
    }

    /// Whether an agent is lost when questions fail at these times, in ms after its last answer.
    fn is_lost(failed_at: &[u64]) -> bool {
        let start = Instant::now();
        let mut silence = Silence::from(start);
        let at = |ms: &u64| start + Duration::from_millis(*ms);
        failed_at.iter().map(at).fold(false, |_, now| silence.is_last(now))
    }

    #[test]
    fn an_agent_is_lost_after_two_questions_and_two_seconds_but_not_by_our_own_stall() {
        assert!(is_lost(&[1_250, 2_500]), "it answers nothing");
        assert!(!is_lost(&[2_100]), "one question may be lost on the way");
        assert!(!is_lost(&[250, 500, 750]), "a connection that is refused fails at once");
        assert!(is_lost(&[500, 1_000, 1_500, 2_000]));
        assert!(!is_lost(&[1_250, 6_000]), "we stood still");
        assert!(!is_lost(&[1_250, 6_000, 7_250]) && is_lost(&[1_250, 6_000, 7_250, 8_500]));
    }

    #[test]
    fn what_has_run_out_is_not_ordered_again() {
        let (mut orders, start) = (Orders::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let present = orders.change(start, |all| all.extend([order(1, 1_000), order(2, 60_000)]));
        assert_eq!(ids(&present), [1, 2]);
        assert_eq!(ids(&orders.change(at(2), |_| {})), [1, 2], "it may have begun late");
        assert_eq!(ids(&orders.change(at(4), |all| all.push(order(3, 60_000)))), [2, 3]);
        assert!(orders.change(at(80), Vec::clear).is_empty());
    }
}
