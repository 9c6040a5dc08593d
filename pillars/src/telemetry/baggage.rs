use http::{HeaderMap, HeaderName};
use opentelemetry::Context;
use opentelemetry::propagation::Injector;

use super::combined::combined;

/// W3C Baggage, passed on as it came: nobody here reads it. The SDK's propagator decodes percent signs that it does not
/// encode again, so that `a=b;x%2Cc=d` would go out with a member that its sender never wrote.
#[derive(Debug)]
pub(super) struct Baggage(String);

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// What a platform must pass on at least, and we at most ("Limits" of the recommendation).
const MEMBERS: usize = 64;
const LENGTH: usize = 8_192;

impl Baggage {
    /// The context with what the headers bring; several of them are one list, in their order. All of it or nothing.
    pub(super) fn extract(context: Context, headers: &HeaderMap) -> Context {
        if !headers.contains_key(BAGGAGE) {
            return context;
        }
        let list = combined(headers, &BAGGAGE).unwrap_or_default();
        let fits = (1..=LENGTH).contains(&list.len()) && list.split(',').count() <= MEMBERS;
        if fits { context.with_value(Self(list)) } else { context }
    }

    /// Writes it into the headers of an outgoing request.
    pub(super) fn inject(context: &Context, carrier: &mut dyn Injector) {
        if let Some(Self(list)) = context.get() {
            carrier.set(BAGGAGE.as_str(), list.clone());
        }
    }
}
