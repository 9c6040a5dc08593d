use opentelemetry::metrics::Meter;

use super::{DRAINING, Shutdown};

impl Shutdown {
    /// The same as [`Shutdown::register`] for `meter`, read at each export.
    pub fn observe(&self, meter: &Meter) {
        let clock = self.clone();
        meter
            .u64_observable_gauge("shutdown.draining")
            .with_description(DRAINING)
            .with_callback(move |gauge| gauge.observe(u64::from(clock.is_draining()), &[]))
            .build();
        #[cfg(feature = "axum")]
        connections(&self.counts, meter);
    }
}

#[cfg(feature = "axum")]
fn connections(counts: &std::sync::Arc<super::super::Counts>, meter: &Meter) {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::{OPEN, REFUSED};

    let open = Arc::clone(counts);
    meter
        .i64_observable_gauge("http.server.connections")
        .with_description(OPEN)
        .with_callback(move |gauge| gauge.observe(open.open.load(Ordering::Relaxed), &[]))
        .build();
    let refused = Arc::clone(counts);
    meter
        .u64_observable_counter("http.server.connections.refused")
        .with_description(REFUSED)
        .with_callback(move |counter| counter.observe(refused.refused.load(Ordering::Relaxed), &[]))
        .build();
}
