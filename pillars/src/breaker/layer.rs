use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::{Breaker, CallError, Class};

/// Puts a circuit before any tower service, such as an HTTP client.
///
/// The service is cloned for each call, as clients are made for; readiness is waited for inside of the call, so that a
/// pool without a free connection falls under the deadline. Put it right around the client: [`CallError`] is an error where
/// the one within is, which the `BoxError` of tower's own layers is not.
///
/// A call ends with what the service returns, which for an HTTP client is the head of the answer: deadline, class and
/// [`most_at_a_time`](super::Config::most_at_a_time) know nothing of its body. One that hangs or breaks off counts as nothing,
/// so give reading it a limit of its own, or do both in one [`Breaker::call_classified`]. Calls panic where those would:
/// outside of a tokio runtime with its timer enabled.
///
/// ```
/// use golive_pillars::breaker::{Breaker, BreakerLayer, Class, Config};
/// use tower::{Layer as _, Service as _};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let breaker = Breaker::new("stock", Config::default()).unwrap();
/// // An answer with a status from 500 on is a failure, although it is an `Ok`.
/// let layer = BreakerLayer::new(breaker, |result: &Result<u16, std::io::Error>| match result {
///     Ok(status) if *status < 500 => Class::Success,
///     _ => Class::Failure,
/// });
/// let mut client = layer.layer(tower::service_fn(|(): ()| std::future::ready(Ok::<u16, std::io::Error>(200))));
/// assert!(matches!(client.call(()).await, Ok(200)));
/// # });
/// ```
pub struct BreakerLayer<F, R> {
    breaker: Breaker,
    classify: F,
    result: PhantomData<fn(&R)>,
}

/// A service behind a circuit; see [`BreakerLayer`].
#[derive(Clone)]
pub struct BreakerService<S, F> {
    inner: S,
    breaker: Breaker,
    classify: F,
}

impl<F, R> fmt::Debug for BreakerLayer<F, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("BreakerLayer").field(&self.breaker).finish()
    }
}

impl<F: Fn(&R) -> Class + Clone, R> BreakerLayer<F, R> {
    /// A layer that calls by way of `breaker`, which learns of each result what `classify` says.
    pub fn new(breaker: Breaker, classify: F) -> Self {
        Self { breaker, classify, result: PhantomData }
    }
}

impl<F: Clone, R> Clone for BreakerLayer<F, R> {
    fn clone(&self) -> Self {
        Self { breaker: self.breaker.clone(), classify: self.classify.clone(), result: PhantomData }
    }
}

impl<S, F: Clone, R> Layer<S> for BreakerLayer<F, R> {
    type Service = BreakerService<S, F>;

    fn layer(&self, inner: S) -> BreakerService<S, F> {
        BreakerService { inner, breaker: self.breaker.clone(), classify: self.classify.clone() }
    }
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, CallError<E>>> + Send>>;

impl<S, F, Q> Service<Q> for BreakerService<S, F>
where
    S: Service<Q, Response: Send, Error: Send, Future: Send> + Clone + Send + 'static,
    F: Fn(&Result<S::Response, S::Error>) -> Class + Clone + Send + 'static,
    Q: Send + 'static,
{
    type Response = S::Response;
    type Error = CallError<S::Error>;
    type Future = Answer<S::Response, S::Error>;

    /// Always: a refusal is an answer too.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Q) -> Self::Future {
        let (breaker, classify, mut inner) =
            (self.breaker.clone(), self.classify.clone(), self.inner.clone());
        Box::pin(async move {
            let work = async {
                std::future::poll_fn(|context| inner.poll_ready(context)).await?;
                inner.call(request).await
            };
            breaker.call_classified(work, classify).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::breaker::{Config, State};

    #[tokio::test]
    async fn answers_that_are_failures_open_and_then_nobody_is_asked() {
        let asked = Arc::new(AtomicUsize::new(0));
        let server = {
            let asked = Arc::clone(&asked);
            tower::service_fn(move |(): ()| {
                asked.fetch_add(1, Ordering::SeqCst);
                std::future::ready(Ok::<_, std::io::Error>(503))
            })
        };
        let breaker = Breaker::new("test", Config::default()).unwrap();
        let layer = BreakerLayer::new(breaker.clone(), |result: &Result<u16, std::io::Error>| match result {
            Ok(status) if *status < 500 => Class::Success,
            _ => Class::Failure,
        });
        let mut client = layer.layer(server);
        for _ in 0..10 {
            assert!(matches!(client.call(()).await, Ok(503)));
        }
        assert_eq!(breaker.state(), State::Open);
        assert!(matches!(client.call(()).await, Err(CallError::NotPermitted { .. })));
        assert_eq!(asked.load(Ordering::SeqCst), 10);
    }
}
