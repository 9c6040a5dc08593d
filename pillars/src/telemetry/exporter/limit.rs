use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;

/// Characters of an attribute's value where neither variable says otherwise: enough for a statement, and little enough for
/// a queue full of them.
const DEFAULT: usize = 1_024;
/// As the specification has them; the SDK reads neither.
const VARIABLES: [&str; 2] = ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"];

/// The most characters that a value of an attribute keeps: strangers write some of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit(usize);

impl Limit {
    pub(super) fn from_env() -> Self {
        Self(VARIABLES.iter().find_map(|name| super::from_env(name)).unwrap_or(DEFAULT))
    }

    /// Cuts what is longer, in the span, its events and its links, and each string of a list by itself.
    pub(super) fn keep(self, span: &mut SpanData) {
        self.shorten_all(&mut span.attributes);
        span.events.events.iter_mut().for_each(|event| self.shorten_all(&mut event.attributes));
        span.links.links.iter_mut().for_each(|link| self.shorten_all(&mut link.attributes));
    }

    fn shorten_all(self, attributes: &mut [KeyValue]) {
        for KeyValue { value, .. } in attributes {
            match value {
                Value::String(text) => self.shorten(text),
                Value::Array(Array::String(texts)) => texts.iter_mut().for_each(|text| self.shorten(text)),
                _ => {}
            }
        }
    }

    fn shorten(self, text: &mut StringValue) {
        if let Some(cut) = self.cut(text.as_str()) {
            *text = StringValue::from(cut);
        }
    }

    fn cut(self, text: &str) -> Option<String> {
        let (end, _) = text.char_indices().nth(self.0)?;
        Some(text[..end].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    fn span(attributes: Vec<KeyValue>) -> SpanData {
        SpanData {
            span_context: SpanContext::NONE,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "test".into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[test]
    fn strings_in_lists_events_and_links_are_cut_as_well() {
        let list =
            |texts: [&'static str; 2]| Value::Array(Array::String(texts.map(StringValue::from).into()));
        let long = || vec![KeyValue::new("text", "abcd"), KeyValue::new("list", list(["abcd", "ab"]))];
        let mut span = span(long());
        span.events.events.push(Event::new("event", SystemTime::UNIX_EPOCH, long(), 0));
        span.links.links.push(Link::new(SpanContext::NONE, long(), 0));
        Limit(3).keep(&mut span);
        let short = vec![KeyValue::new("text", "abc"), KeyValue::new("list", list(["abc", "ab"]))];
        assert_eq!(span.attributes, short);
        assert_eq!(span.events[0].attributes, short);
        assert_eq!(span.links[0].attributes, short);
    }

    #[test]
    fn a_value_is_cut_between_characters() {
        let cut = |text: &str| Limit(3).cut(text);
        assert_eq!(
            (cut("abc"), cut("abcd").as_deref(), cut("\u{e4}\u{f6}\u{fc}\u{df}").as_deref()),
            (None, Some("abc"), Some("\u{e4}\u{f6}\u{fc}"))
        );
    }
}
