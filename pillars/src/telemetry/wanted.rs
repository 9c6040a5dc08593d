use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer};

use super::bridge::is_shown;
use super::is_sampled;

/// Keeps from being made what neither the log nor the traces want.
///
/// Filters per layer are not enough for that: a registry makes a span, and forgets it again, even where each of them refuses
/// it, as long as one of them might have taken it (tracing-subscriber 0.3: `FilterMap::any_enabled` asks all 64 bits,
/// also those that belong to no filter). That takes 400 ns, twenty times as much as the question.
pub(super) struct Wanted {
    pub(super) lines: EnvFilter,
    /// Whether spans go anywhere.
    pub(super) spans: bool,
}

impl<S: Subscriber> Layer<S> for Wanted {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if !metadata.is_span() {
            Layer::<S>::register_callsite(&self.lines, metadata)
        } else if self.spans && is_shown(metadata) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        if metadata.is_span() {
            self.spans && is_shown(metadata) && is_sampled()
        } else {
            self.lines.enabled(metadata, context)
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let spans = if self.spans { LevelFilter::INFO } else { LevelFilter::OFF };
        self.lines.max_level_hint().map(|lines| lines.max(spans))
    }
}
