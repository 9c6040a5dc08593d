use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Metric families of the users service itself. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    fallbacks: Family<FallbackLabel, Counter>,
    cache_writes: Family<WriteLabel, Counter>,
}

/// What was answered instead of Postgres' answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the derive writes the names of the variants as label values")]
pub(super) enum Fallback {
    cached,
    empty,
    unavailable,
}

/// What became of a copy for the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the derive writes the names of the variants as label values")]
pub(super) enum CopyFate {
    written,
    failed,
    queue_full,
    late,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabel {
    kind: Fallback,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabel {
    outcome: CopyFate,
}

impl Metrics {
    /// Adds the families to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        // There from the start, so that the first one is an increase.
        for kind in [Fallback::cached, Fallback::empty, Fallback::unavailable] {
            let _ = self.fallbacks.get_or_create(&FallbackLabel { kind });
        }
        for outcome in [CopyFate::written, CopyFate::failed, CopyFate::queue_full, CopyFate::late] {
            let _ = self.cache_writes.get_or_create(&WriteLabel { outcome });
        }
        registry.register("fallback", "Answers without Postgres, by kind", self.fallbacks.clone());
        registry.register("cache_writes", "Copies for the cache, by outcome", self.cache_writes.clone());
    }

    pub(super) fn fall_back(&self, kind: Fallback) {
        self.fallbacks.get_or_create(&FallbackLabel { kind }).inc();
    }

    pub(super) fn cache_write(&self, outcome: CopyFate) {
        self.cache_writes.get_or_create(&WriteLabel { outcome }).inc();
    }
}
