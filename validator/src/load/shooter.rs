//! Builds one request, sends it, and records what became of it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use tokio::time::Instant;

use super::LoadPlan;
use super::classes::rate_of;
use super::idle::IdleLimit;
use super::link::{Exchange, Link, Untouched};
use super::recorder::{LinkEnd, Recorder, Shot};
use super::sampling::Sampling;
use crate::config::{Method, RequestSpec};
use crate::evidence::{Class, Outcome};

/// A request without a complete answer after this time is lost.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Sends the requests of one agent.
pub(super) struct Shooter {
    pub(super) plan: LoadPlan,
    pub(super) recorder: Recorder,
    pub(super) idle: IdleLimit,
    gets: Choice,
    posts: Choice,
    sampling: Sampling,
}

/// Where requests of a class go.
#[derive(Clone)]
pub(super) struct Aim {
    pub(super) class: Class,
    pub(super) address: SocketAddr,
    /// The pod, for requests past the Service.
    pub(super) pod: Option<String>,
    /// Whether every request carries the sampled flag.
    pub(super) sampled: bool,
    /// Whether a connection may outlive a request.
    pub(super) keeps: bool,
}

/// The requests of one method, each as often as its weight says.
struct Choice {
    specs: Vec<RequestSpec>,
    total: u32,
}

struct Prepared {
    request: Request<Full<Bytes>>,
    name: String,
    sampled: Option<(String, String)>,
}

impl Shooter {
    pub(super) fn new(plan: LoadPlan, recorder: Recorder) -> Self {
        let of = |method| Choice::new(plan.requests.iter().filter(|r| r.method == method).cloned().collect());
        let (gets, posts) = (of(Method::Get), of(Method::Post));
        let serves = |class| !(if class == Class::Post { &posts } else { &gets }).specs.is_empty();
        let sampling = Sampling::new(plan.sampled, rate_of(Class::Idle, plan.rate, serves), plan.rate);
        Self { plan, recorder, idle: IdleLimit::default(), gets, posts, sampling }
    }

    /// Whether the plan has a request for this class.
    pub(super) fn serves(&self, class: Class) -> bool {
        !self.choice(class).specs.is_empty()
    }

    /// The Service, for requests of this class.
    pub(super) fn at_service(&self, class: Class) -> Aim {
        let keeps = class.keeps_connections();
        Aim { class, address: self.plan.address, pod: None, sampled: false, keeps }
    }

    /// Sends one request on the link in the slot, opening one when the slot is empty or its link has
    /// ended, and leaves the link there for the next one.
    pub(super) async fn shoot(&self, aim: &Aim, due: Instant, slot: &mut Option<Link>) {
        let class = aim.class;
        if slot.as_ref().is_some_and(|link| !self.keeps(link)) {
            self.retire(class, slot.take()).await;
        }
        let prepared = self.prepare(aim);
        let sent = Instant::now();
        let Exchange { outcome, error, retry_after } =
            self.deliver(aim, prepared.request, slot, sent + REQUEST_DEADLINE).await;
        self.recorder.request(Shot {
            class,
            pod: aim.pod.clone(),
            retry_after,
            due,
            sent,
            took: sent.elapsed(),
            name: prepared.name,
            outcome,
            error,
            sampled: prepared.sampled,
        });
        let spent = slot.as_ref().is_some_and(|link| link.announced);
        if spent || !matches!(outcome, Outcome::Answered(_)) || !aim.keeps {
            self.retire(class, slot.take()).await;
        }
    }

    /// Whether a pool would still use it: the server has not ended it, and is not about to by its own time-out.
    fn keeps(&self, link: &Link) -> bool {
        let age = link.used.elapsed();
        let keeps = link.is_open() && self.idle.longest().is_none_or(|longest| age <= longest);
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
        aim: &Aim,
        request: Request<Full<Bytes>>,
        slot: &mut Option<Link>,
        deadline: Instant,
    ) -> Exchange {
        let mut request = request;
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
            match link.exchange(request, deadline).await {
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

    fn choice(&self, class: Class) -> &Choice {
        if class == Class::Post { &self.posts } else { &self.gets }
    }

    fn prepare(&self, aim: &Aim) -> Prepared {
        let class = aim.class;
        let spec = self.choice(class).pick(fastrand::u32(..));
        let mut random = || fastrand::u64(..);
        let path = spec.path.render(&mut random);
        let sampled = aim.sampled || self.sampling.takes(class);
        // The trace ids of a run begin alike, so that middle agents know them; the rest is random, as the W3C asks.
        let (trace, parent) = (
            format!("{}{:08x}{:016x}", self.plan.trace_prefix, fastrand::u32(..), fastrand::u64(1..)),
            format!("{:016x}", fastrand::u64(1..)),
        );
        let verb = if class == Class::Post { http::Method::POST } else { http::Method::GET };
        let name = format!("{verb} {path}");
        let body = spec.body(&mut random);
        let mut builder = Request::builder()
            .method(verb)
            .uri(path)
            .header(header::HOST, &self.plan.host)
            .header(header::USER_AGENT, concat!("golive-validator/", env!("CARGO_PKG_VERSION")))
            .header("traceparent", format!("00-{trace}-{parent}-{:02x}", u8::from(sampled)));
        if body.is_some() {
            builder = builder.header(header::CONTENT_TYPE, "application/json");
        }
        // Paths were checked when the plan was accepted, so the parts always make a request.
        let request = builder.body(Full::from(body.unwrap_or_default())).unwrap_or_default();
        Prepared { request, name, sampled: sampled.then_some((trace, parent)) }
    }
}

impl Choice {
    fn new(specs: Vec<RequestSpec>) -> Self {
        let total = specs.iter().map(|spec| spec.weight.get()).sum();
        Self { specs, total }
    }

    fn pick(&self, random: u32) -> &RequestSpec {
        let mut left = random % self.total.max(1);
        for spec in &self.specs {
            match left.checked_sub(spec.weight.get()) {
                Some(rest) => left = rest,
                None => return spec,
            }
        }
        &self.specs[0]
    }
}
