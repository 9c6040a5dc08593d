//! The API server, whose answer is waited for so long and no longer: one that takes a connection and then says nothing must not
//! keep anybody for ever.

use std::time::Duration;

use kube::{Client, Config};
use tokio::time::timeout;

use crate::failure::Failure;

/// No single call may take longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// Longer than any watch that goes on by itself is silent: its server ends it after 290 s (kube-runtime).
const SILENCE: Duration = Duration::from_mins(5);

/// There was no answer.
#[derive(Debug, thiserror::Error)]
#[error("could not {asked}: the API server did not answer within {} s", DEADLINE.as_secs())]
pub(crate) struct Late {
    asked: String,
}

/// The answer to a call, or to the opening of a watch; `asked` is what it does, as in `list pods`.
///
/// # Errors
/// Those of the call, and [`Late`] as the cause of an [`kube::Error::Service`].
pub(crate) async fn answer<T>(asked: &str, call: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    let late = |_| Err(kube::Error::Service(Box::new(Late { asked: asked.to_owned() })));
    timeout(DEADLINE, call).await.unwrap_or_else(late)
}

/// A client from inside a cluster, for what watches always. The lists and openings of those watches are kube's own and have
/// no deadline: a connection that brings nothing is given up instead. No port is forwarded over it, which may be silent.
///
/// # Errors
/// Exit 2 without a cluster to connect to.
pub(crate) async fn client() -> Result<Client, Failure> {
    let found = Config::infer().await.map_err(kube::Error::InferConfig);
    let client = found.and_then(|mut config| {
        config.read_timeout = Some(SILENCE);
        // A kept connection was silent before it was asked anything.
        config.reset_reader_on_write = true;
        Client::try_from(config)
    });
    client.map_err(|e| {
        Failure::usage(format!("no cluster to connect to: {e}")).hint("it runs in a pod: charts/validator")
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use tokio::time::Instant;

    use super::{DEADLINE, answer};
    use crate::cluster::fake::Fake;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_waited_for_30_s_and_what_was_asked_is_told() {
        let pods: Api<Pod> = Api::namespaced(Fake::silent(), "demo");
        let begun = Instant::now();
        let told = answer("read a pod", pods.get("a")).await.unwrap_err().to_string();
        assert!(begun.elapsed() >= DEADLINE && begun.elapsed() < DEADLINE * 2, "{:?}", begun.elapsed());
        let wanted = "could not read a pod: the API server did not answer within 30 s";
        assert!(told.contains(wanted), "{told}");
    }

    #[tokio::test]
    async fn what_it_answers_is_passed_on() {
        let (_, client) = Fake::client().await;
        let pods: Api<Pod> = Api::namespaced(client, "demo");
        let refused = answer("read a pod", pods.get("a")).await.unwrap_err();
        assert!(matches!(refused, kube::Error::Api(status) if status.code == 404));
    }
}
