use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
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

const FALLBACKS: &str = "Answers without Postgres, by kind";
const WRITES: &str = "Copies for the cache, by outcome";

impl Fallback {
    const ALL: [Self; 3] = [Self::cached, Self::empty, Self::unavailable];
}

impl CopyFate {
    const ALL: [Self; 4] = [Self::written, Self::failed, Self::queue_full, Self::late];
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
        for kind in Fallback::ALL {
            let _ = self.fallbacks.get_or_create(&FallbackLabel { kind });
        }
        for outcome in CopyFate::ALL {
            let _ = self.cache_writes.get_or_create(&WriteLabel { outcome });
        }
        registry.register("fallback", FALLBACKS, self.fallbacks.clone());
        registry.register("cache_writes", WRITES, self.cache_writes.clone());
    }

    /// The same for `meter`, read at each export.
    pub fn observe(&self, meter: &Meter) {
        let fallbacks = self.fallbacks.clone();
        meter
            .u64_observable_counter("fallback")
            .with_description(FALLBACKS)
            .with_callback(move |counter| {
                for kind in Fallback::ALL {
                    let count = fallbacks.get_or_create(&FallbackLabel { kind }).get();
                    counter.observe(count, &[KeyValue::new("kind", format!("{kind:?}"))]);
                }
            })
            .build();
        let writes = self.cache_writes.clone();
        meter
            .u64_observable_counter("cache.writes")
            .with_description(WRITES)
            .with_callback(move |counter| {
                for outcome in CopyFate::ALL {
                    let count = writes.get_or_create(&WriteLabel { outcome }).get();
                    counter.observe(count, &[KeyValue::new("outcome", format!("{outcome:?}"))]);
                }
            })
            .build();
    }

    pub(super) fn fall_back(&self, kind: Fallback) {
        self.fallbacks.get_or_create(&FallbackLabel { kind }).inc();
    }

    pub(super) fn cache_write(&self, outcome: CopyFate) {
        self.cache_writes.get_or_create(&WriteLabel { outcome }).inc();
    }
}
