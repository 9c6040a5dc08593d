use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    static DECIDED: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Random ids, but for the trace that was decided on: the SDK asks for the id of a new trace itself, its builder of spans
/// takes none.
#[derive(Debug, Default)]
pub(super) struct Ids(RandomIdGenerator);

impl Ids {
    /// Runs `start`, in which the next new trace on this thread has the id `decided`.
    pub(super) fn hand_over<T>(decided: Option<TraceId>, start: impl FnOnce() -> T) -> T {
        let _left = Left;
        DECIDED.set(decided);
        start()
    }
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        DECIDED.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// Takes back an id that nobody asked for, as after the flush, or that a panic left: no other trace is to have it.
struct Left;

impl Drop for Left {
    fn drop(&mut self) {
        DECIDED.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decided_id_is_given_once_and_none_is_left_behind() {
        let (ids, decided) = (Ids::default(), TraceId::from(7));
        let both = Ids::hand_over(Some(decided), || (ids.new_trace_id(), ids.new_trace_id()));
        assert!(both.0 == decided && both.1 != decided, "{both:?}");
        Ids::hand_over(Some(decided), || {});
        assert_ne!(ids.new_trace_id(), decided);
    }
}
