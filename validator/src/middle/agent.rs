//! A running agent: what it knows, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::call::{Call, Says};
use super::context::Context;
use super::desk::{Desk, Limits};
use super::in_force::Verdict;
use super::spans::{Passed, Spans};
use super::{MiddlePlan, Origin};
use crate::config::Protocol;
use crate::evidence::{Fact, Who};
use crate::pulse::Pulse;

/// How often time is looked at: the precision of the ends of faults.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// How often the agent looks whether it is late itself.
const BEAT: Duration = Duration::from_millis(250);

/// One agent before one dependency.
pub struct Agent {
    pub(super) desk: Arc<Desk>,
    spans: Spans,
    pulse: Pulse,
}

impl Agent {
    /// An agent that knows no target yet: it forwards everything. Its clock-driven work ends with the runtime.
    pub fn start(plan: MiddlePlan, limits: Limits) -> Arc<Self> {
        let desk = Arc::new(Desk::new(plan, limits));
        let (clock, who) = (desk.clock, Who::Middle(desk.plan.dependency.clone()));
        let pulse = Pulse::start(who, BEAT, move || clock.millis(Instant::now()));
        let agent = Arc::new(Self { spans: Spans::start(Arc::clone(&desk)), desk, pulse });
        let ticking = Arc::clone(&agent);
        tokio::spawn(async move {
            loop {
                sleep(TICK).await;
                ticking.desk.tick();
            }
        });
        agent
    }

    /// Everything seen so far.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let told = self.desk.facts().into_iter().chain(self.spans.facts(&self.desk));
        told.chain(self.pulse.facts()).collect()
    }

    /// A request to an HTTP dependency, or an export to the collector, has come by on a connection opened then.
    pub(super) fn request(
        &self,
        source: Origin,
        opened: Instant,
        mark: u64,
        context: Option<Context>,
    ) -> Verdict {
        // Exports go on for a while after the load has ended: they are no pings.
        let mark = if self.desk.plan.protocol == Protocol::Otlp { 0 } else { mark };
        let (says, came) = (Says::Other, Instant::now());
        let call = Call { mark, says, came, opened, settled: true, goes_on: false };
        let verdict = self.desk.call(source, &call);
        let prefix = &self.desk.plan.trace_prefix;
        let ours = context.as_ref().is_none_or(|context| context.trace_id.starts_with(prefix));
        if self.desk.plan.protocol == Protocol::Http && ours {
            self.desk.outgoing(source, mark, context);
        }
        verdict
    }

    pub(super) fn export(&self, passed: Passed) {
        self.spans.export(&self.desk, passed);
    }

    /// A connection has turned out to be nothing that is understood.
    pub(super) fn unread(&self, source: Origin) {
        let expected = match self.desk.plan.protocol {
            Protocol::Postgres => "it is not the protocol of Postgres",
            Protocol::Redis => "it is no RESP, or a value too long to be read",
            Protocol::Otlp | Protocol::Http => "it is neither HTTP/1.1 nor HTTP/2",
            Protocol::Tcp => "only its bytes are told",
        };
        self.desk.unread(source, expected);
    }
}
