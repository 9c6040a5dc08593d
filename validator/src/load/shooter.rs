//! Builds one request, sends it, and records what became of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use tokio::time::Instant;

use super::choice::Choice;
use super::idle::IdleLimit;
use super::link::{Exchange, Link, Untouched};
use super::patience::Patience;
use super::rates::rate_of;
use super::recorder::{LinkEnd, Recorder, Shot};
use super::sampling::Sampling;
use super::turn::{Aim, Turn};
use super::{LoadPlan, SecretHeaders};
use crate::evidence::{Class, Outcome};

/// A request without a complete answer after this time is lost.
pub(super) const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Sends the requests of one agent.
pub(super) struct Shooter {
    pub(super) plan: LoadPlan,
    pub(super) recorder: Recorder,
    secrets: SecretHeaders,
    patience: Patience,
    pub(super) idle: IdleLimit,
    pub(super) sampling: Sampling,
}

struct Prepared {
    request: Request<Full<Bytes>>,
    name: String,
    sampled: Option<(String, String)>,
}

impl Shooter {
    pub(super) fn new(
        plan: LoadPlan,
        secrets: SecretHeaders,
        patience: Patience,
        recorder: Recorder,
    ) -> Self {
        let serves = |class| !Choice::of(&plan, class).is_empty();
        let sampling = Sampling::new(plan.sampled, rate_of(Class::Idle, plan.rate, serves), plan.rate);
        Self { plan, recorder, secrets, patience, idle: IdleLimit::default(), sampling }
    }

    /// Whether the plan has a request for this class.
    pub(super) fn serves(&self, class: Class) -> bool {
        !Choice::of(&self.plan, class).is_empty()
    }

    /// The Service, for requests of this class, with the share of them that goes to each of its ports.
    pub(super) fn at_service(&self, class: Class) -> Vec<(Aim, f64)> {
        let choices = Choice::of(&self.plan, class);
        let total: u32 = choices.iter().map(|choice| choice.weight).sum();
        let aim = |choice: Choice| {
            let share = f64::from(choice.weight) / f64::from(total);
            let mut address = self.plan.address;
            if let Some(port) = choice.port {
                address.set_port(port.service);
            }
            let (keeps, choice) = (class.keeps_connections(), Arc::new(choice));
            (Aim { class, address, pod: None, choice, sampled: false, keeps }, share)
        };
        choices.into_iter().map(aim).collect()
    }

    /// Sends one request on the link in the slot, opening one when the slot is empty or its link has
    /// ended, and leaves the link there for the next one.
    pub(super) async fn shoot(&self, turn: Turn, slot: &mut Option<Link>) {
        let class = turn.aim.class;
        if slot.as_ref().is_some_and(|link| !self.keeps(link)) {
            self.retire(class, slot.take()).await;
        }
        let prepared = self.prepare(&turn);
        let keeps = turn.aim.keeps;
        let (sent, impatient) = (Instant::now(), self.patience.limit());
        let deadline = sent + impatient.unwrap_or(REQUEST_DEADLINE);
        let Exchange { outcome, error, retry_after } =
            self.deliver(&turn, prepared.request, slot, deadline).await;
        let gave_up = impatient.is_some() && outcome == Outcome::Timeout;
        let outcome = if gave_up { Outcome::GaveUp } else { outcome };
        self.recorder.request(Shot {
            turn,
            retry_after,
            sent,
            took: sent.elapsed(),
            name: prepared.name,
            outcome,
            error,
            sampled: prepared.sampled,
        });
        let spent = slot.as_ref().is_some_and(|link| link.announced);
        if spent || !outcome.is_response() || !keeps {
            self.retire(class, slot.take()).await;
        }
    }

    /// Whether a pool would still use it: the server has not ended it, and is not about to by its own time-out.
    fn keeps(&self, link: &Link) -> bool {
        let age = link.used.elapsed();
        let keeps = link.is_open()
            && self.idle.longest().is_none_or(|longest| age <= longest)
            && !self.patience.has_passed_since(link.opened);
        if keeps && link.requests > 0 {
            self.idle.survived(age);
        }
        keeps
    }

    /// Records the end of a kept connection.
    pub(super) async fn retire(&self, class: Class, link: Option<Link>) {
        let Some(link) = link else { return };
        let (opened, used, requests, announced) = (link.opened, link.used, link.requests, link.announced);
        let ended = link.end().await;
        if class.keeps_connections() {
            let silent = ended.filter(|_| requests > 0 && !announced);
            let timed_out =
                silent.is_some_and(|ended| self.idle.ended(ended.saturating_duration_since(used)));
            let end = LinkEnd { class, opened, ended, requests, announced, timed_out };
            self.recorder.connection(&end);
        }
    }

    /// Sends a request on the link in the slot, or on a new one. A kept link that ended while idle was never written
    /// to: a pool opens the next one instead. A new link that ends before its first request is an outcome: a second
    /// try would hide what users meet.
    pub(super) async fn deliver(
        &self,
        Turn { aim, template, .. }: &Turn,
        request: Request<Full<Bytes>>,
        slot: &mut Option<Link>,
        deadline: Instant,
    ) -> Exchange {
        let mut request = request;
        let text = self.plan.requests[*template].expect_body.as_deref();
        loop {
            if slot.is_none() {
                match Link::open(aim.address).await {
                    Ok(link) => {
                        self.recorder.opened(aim.class);
                        *slot = Some(link);
                    }
                    Err(exchange) => return exchange,
                }
            }
            let Some(link) = slot.as_mut() else { continue };
            let reused = link.requests > 0;
            match link.exchange(request, text, deadline).await {
                Ok(exchange) => return exchange,
                Err(Untouched(untouched)) => request = *untouched,
            }
            self.retire(aim.class, slot.take()).await;
            if !reused {
                return Exchange::failed(
                    Outcome::Closed,
                    "the new connection ended before its first request",
                );
            }
        }
    }

    fn prepare(&self, Turn { aim, template, .. }: &Turn) -> Prepared {
        let (class, spec) = (aim.class, &self.plan.requests[*template]);
        let mut random = || fastrand::u64(..);
        let path = spec.path.render(&mut random);
        let sampled = aim.sampled || self.sampling.takes(class);
        // The trace ids of a run begin alike, so that middle agents know them; the rest is random, as the W3C asks.
        let (trace, parent) = (
            format!("{}{:08x}{:016x}", self.plan.trace_prefix, fastrand::u32(..), fastrand::u64(1..)),
            format!("{:016x}", fastrand::u64(1..)),
        );
        let name = format!("{} {path}", spec.method.verb());
        let body = spec.body.as_ref().map(|body| body.render(&mut random)).unwrap_or_default();
        // Paths and headers were checked when the plan was accepted, so the parts always make a request.
        let mut request = Request::builder()
            .method(spec.method.verb())
            .uri(path)
            .header(header::HOST, &self.plan.host)
            .header(header::USER_AGENT, concat!("golive-validator/", env!("CARGO_PKG_VERSION")))
            .header("traceparent", format!("00-{trace}-{parent}-{:02x}", u8::from(sampled)))
            .body(Full::from(body))
            .unwrap_or_default();
        if let Some(body) = &spec.body {
            let media_type = HeaderValue::from_static(body.media_type());
            request.headers_mut().insert(header::CONTENT_TYPE, media_type);
        }
        let declared = spec.headers.iter().filter_map(|(name, text)| {
            let value = HeaderValue::from_str(&text.plain(&mut random)?).ok()?;
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        });
        // What is declared takes the place of what is usual.
        for (name, value) in declared.chain(self.secrets.of(*template)) {
            request.headers_mut().insert(name, value);
        }
        Prepared { request, name, sampled: sampled.then_some((trace, parent)) }
    }
}
