//! Values of headers that stand in no plan, no evidence and no log.

use std::fmt;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

/// `PUT /headers`: for each request of the plan the headers whose values are secret, with the values. Sent to the
/// agents before the load starts, and kept in memory only.
#[derive(Clone, Default, Deserialize, Serialize)]
pub struct SecretHeaders(Vec<Vec<(String, String)>>);

impl SecretHeaders {
    /// Adds a header to one request of the plan.
    ///
    /// # Errors
    /// That the value cannot stand in a header; the value itself is not told.
    pub fn add(&mut self, request: usize, name: &str, value: &str) -> Result<(), String> {
        if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
            return Err(format!("the value of header `{name}` cannot be sent: expected one line of text"));
        }
        if self.0.len() <= request {
            self.0.resize(request + 1, Vec::new());
        }
        self.0[request].push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Headers of one request, marked so that nothing writes them to a log.
    pub(super) fn of(&self, request: usize) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.0.get(request).into_iter().flatten().filter_map(|(name, value)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        })
    }
}

impl fmt::Debug for SecretHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHeaders({})", self.0.iter().map(Vec::len).sum::<usize>())
    }
}

#[cfg(test)]
mod tests {
    use super::SecretHeaders;

    #[test]
    fn a_secret_is_neither_shown_nor_told_in_an_error() {
        let mut headers = SecretHeaders::default();
        headers.add(2, "authorization", "Bearer s3cret").unwrap();
        assert_eq!(headers.of(2).count(), 1);
        let (_, value) = headers.of(2).next().unwrap();
        assert!(!format!("{headers:?} {value:?}").contains("s3cret"));
        let error = headers.add(0, "authorization", "s3cret\nsecond line").unwrap_err();
        assert!(error.contains("authorization") && !error.contains("s3cret"), "{error}");
    }
}
