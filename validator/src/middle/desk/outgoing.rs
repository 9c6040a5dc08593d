//! The trace contexts of requests to an HTTP dependency.

use super::pings::Pings;
use super::{Desk, MAX_OUTGOING};
use crate::evidence::{Millis, OutgoingFact};
use crate::middle::Origin;
use crate::middle::context::Context;

/// Requests without a context that are kept of one pod and second: more of them say nothing new.
const MAX_BARE: usize = 20;

/// Those that are worth telling: with the sampled flag, or without any context.
#[derive(Default)]
pub(super) struct Outgoing {
    kept: Vec<Request>,
    overflown: Option<Millis>,
}

struct Request {
    at: Millis,
    pod: String,
    mark: u64,
    context: Option<Context>,
}

impl Desk {
    /// A request to an HTTP dependency has come by; `mark` tells pings from others once they are learned.
    pub(in crate::middle) fn outgoing(&self, origin: Origin, mark: u64, context: Option<Context>) {
        let at = self.now();
        let mut state = self.lock();
        if let Some(pod) = state.targets.get(&origin).cloned() {
            state.outgoing.note(Request { at, pod, mark, context });
        }
    }
}

impl Outgoing {
    fn note(&mut self, request: Request) {
        // An unsampled request leaves no span that could miss it.
        if request.context.as_ref().is_some_and(|context| !context.sampled) {
            return;
        }
        let like = |other: &&Request| other.context.is_none() && other.pod == request.pod;
        let recent = self.kept.iter().rev().take_while(|other| other.at > request.at - 1_000);
        if request.context.is_none() && recent.filter(like).take(MAX_BARE).count() == MAX_BARE {
            return;
        }
        if self.kept.len() < MAX_OUTGOING {
            self.kept.push(request);
        } else {
            self.overflown.get_or_insert(request.at);
        }
    }

    /// All of them but the health pings, which belong to no trace; some came before they were learned.
    pub(super) fn facts<'a>(
        &'a self,
        dependency: &'a str,
        pings: &'a Pings,
    ) -> impl Iterator<Item = OutgoingFact> + 'a {
        let calls =
            self.kept.iter().filter(|request| request.context.is_some() || !pings.knows(request.mark));
        calls.map(|request| {
            let ids = request.context.clone().map(|context| (context.trace_id, context.parent_id));
            let (trace_id, parent_id) = ids.unzip();
            let (dependency, pod) = (dependency.to_owned(), request.pod.clone());
            OutgoingFact { at: request.at, dependency, pod, trace_id, parent_id }
        })
    }

    pub(super) fn overflown(&self) -> Option<(Millis, &'static str)> {
        self.overflown.map(|at| (at, "more outgoing requests than are kept"))
    }
}
