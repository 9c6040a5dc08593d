/// Counts nothing: the feature `metrics` is off.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {}

/// Why a span never arrived.
#[derive(Clone, Copy, Debug)]
#[expect(non_camel_case_types, reason = "as where they are label values")]
pub(super) enum DropReason {
    queue_full,
    export_failed,
}

#[expect(clippy::unused_self, reason = "as where it counts")]
impl Metrics {
    #[cfg(feature = "axum")]
    pub(super) fn request(
        &self,
        _: &'static str,
        _: Option<&axum::extract::MatchedPath>,
        _: u16,
        _: std::time::Duration,
        _: Option<&opentelemetry::trace::SpanContext>,
    ) {
    }

    pub(super) fn drop_spans(&self, _: DropReason, _: u64) {}

    pub(super) fn over_budget(&self) {}
}
