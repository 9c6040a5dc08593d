//! The platform that is a Kubernetes cluster: everything that talks to its API.

mod agents;
mod aliases;
mod collector;
#[cfg(test)]
pub(crate) mod fake;
mod gitops;
mod guardian;
mod in_cluster;
mod interposition;
mod lease;
mod leftovers;
mod manifest;
mod middle_objects;
mod middle_pod;
mod objects;
mod owned;
mod patches;
mod permission;
mod rollback;
#[cfg(test)]
pub(crate) mod rolled;
mod rollout;
mod site;
mod target;
mod watch;
mod written;

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use tokio::time::timeout;

pub use gitops::kept_by;
pub use guardian::guard;
pub use in_cluster::InCluster;
pub use lease::{HeldLease, Takeover};
pub use leftovers::{clean_up, unfinished};
pub use manifest::RUN_LABEL;
pub use objects::objects;
pub use permission::{preflight, role};
pub use rollback::keep;
pub use rollout::{Candidate, Rollout, at_rest_again};
pub use site::{Site, find_sites};
pub(crate) use target::{declared_pre_stop, declared_probe};
pub use target::{deployment_name, discover};

use crate::api_server::{Late, answer};
use crate::failure::Failure;
use crate::steer::Dial;

/// Stands for the context where there is no kubeconfig.
const IN_CLUSTER: &str = "in-cluster";

/// A connection to one namespace of one cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    context: String,
    /// The agents of a test, by the port that they are asked at.
    #[cfg(test)]
    sockets: std::collections::BTreeMap<u16, std::net::SocketAddr>,
}

impl Cluster {
    /// Connects with a kubeconfig context, or from inside a cluster when there is no kubeconfig.
    ///
    /// # Errors
    /// Exit 2 for a context that does not exist, exit 3 for a cluster that does not answer.
    pub async fn connect(context: Option<&str>, namespace: &str) -> Result<Self, Failure> {
        let (mut config, name) = load_config(context).await?;
        config.connect_timeout = Some(Duration::from_secs(5));
        let client = Client::try_from(config)
            .map_err(|e| Failure::usage(format!("context `{name}` cannot be used: {e}")))?;
        let cluster = Self::over(client, namespace, name);
        match timeout(Duration::from_secs(15), cluster.client.apiserver_version()).await {
            Ok(Ok(_)) => Ok(cluster),
            Ok(Err(error)) => Err(cluster.explain("reach the API server", &error)),
            Err(_) => Err(cluster.unreachable("no answer within 15 s")),
        }
    }

    fn over(client: Client, namespace: &str, context: String) -> Self {
        let namespace = namespace.to_owned();
        #[cfg(test)]
        return Self { client, namespace, context, sockets: std::collections::BTreeMap::new() };
        #[cfg(not(test))]
        Self { client, namespace, context }
    }

    /// How one of our pods is asked at a port.
    fn dial(&self, pod: String, port: u16) -> Dial {
        #[cfg(test)]
        if let Some(socket) = self.sockets.get(&port) {
            return Dial::Socket(*socket, None);
        }
        Dial::PortForward(Box::new(self.api()), pod, port)
    }

    /// The namespace of the target.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Name of the kubeconfig context, or `in-cluster`.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The command that cleans this namespace up, whole.
    pub fn cleanup_command(&self) -> String {
        let context =
            if self.context == IN_CLUSTER { String::new() } else { format!(" --context {}", self.context) };
        format!("validator cleanup{context} -n {}", self.namespace)
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Runs one API call under a deadline and turns its error into words for the user.
    async fn call<T>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Failure> {
        // On the heap: what waits for calls would be too large for a stack.
        Box::pin(answer(doing, call)).await.map_err(|error| self.explain(doing, &error))
    }

    fn explain(&self, doing: &str, error: &kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) if status.code == 401 || status.code == 403 => {
                Failure::environment(format!("no permission to {doing}: {}", status.message))
                    .hint("ask for a Role with the rights in docs/permissions.md, then run again")
            }
            kube::Error::Api(status) => {
                Failure::environment(format!("could not {doing}: {}", status.message))
            }
            kube::Error::Service(cause) if cause.is::<Late>() => self.unreachable(&cause.to_string()),
            other => self.unreachable(&format!("could not {doing}: {}", chain(other))),
        }
    }

    fn unreachable(&self, reason: &str) -> Failure {
        Failure::environment(format!("cluster of context `{}`: {reason}", self.context))
            .hint("`kubectl config get-contexts` lists contexts; `make kind-up` starts a local cluster")
    }
}

async fn load_config(context: Option<&str>) -> Result<(Config, String), Failure> {
    let kubeconfig = match Kubeconfig::read() {
        Ok(kubeconfig) => kubeconfig,
        Err(error) if context.is_none() => {
            return Config::incluster().map(|config| (config, IN_CLUSTER.to_owned())).map_err(|_| {
                Failure::usage(format!("no cluster to talk to: {error}")).hint(
                    "set KUBECONFIG or pass --context; `make kind-up` starts a local cluster and \
                     `. cluster/env.sh` points KUBECONFIG at it",
                )
            });
        }
        Err(error) => return Err(Failure::usage(format!("kubeconfig: {error}"))),
    };
    let name = context.map(str::to_owned).or_else(|| kubeconfig.current_context.clone());
    let Some(name) = name else {
        return Err(Failure::usage("the kubeconfig has no current context")
            .hint("pass --context; `kubectl config get-contexts` lists them"));
    };
    let known: Vec<&str> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
    if !known.contains(&name.as_str()) {
        return Err(Failure::usage(format!("context `{name}` is not in the kubeconfig"))
            .hint(format!("contexts there: {}", known.join(", "))));
    }
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map(|config| (config, name.clone()))
        .map_err(|e| Failure::usage(format!("context `{name}`: {e}")))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({}/{})", self.context, self.namespace)
    }
}
