use opentelemetry::{KeyValue, StringValue, Value};
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

    /// Cuts what is longer.
    pub(super) fn keep(self, span: &mut SpanData) {
        for KeyValue { value, .. } in &mut span.attributes {
            if let Value::String(text) = value
                && let Some(cut) = self.cut(text.as_str())
            {
                *text = StringValue::from(cut);
            }
        }
    }

    fn cut(self, text: &str) -> Option<String> {
        let (end, _) = text.char_indices().nth(self.0)?;
        Some(text[..end].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_between_characters() {
        let cut = |text: &str| Limit(3).cut(text);
        assert_eq!(
            (cut("abc"), cut("abcd").as_deref(), cut("\u{e4}\u{f6}\u{fc}\u{df}").as_deref()),
            (None, Some("abc"), Some("\u{e4}\u{f6}\u{fc}"))
        );
    }
}
