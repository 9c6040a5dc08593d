//! How the target runs on this machine: `spec.local`, read by `validator local` alone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Handler, Header, Probe, Scheme, Seconds};

/// Where copies listen, as far as probes name it: each copy has numbers of its own in its variables.
pub const PORT: u16 = 8080;

/// The same for what is not for users.
pub const MANAGEMENT_PORT: u16 = 8081;

/// The variable that tells a copy its name, as the downward API does by habit.
pub const POD_NAME: &str = "POD_NAME";

/// The variable by which the processes of a run are known; its value is the run's name.
pub const MARK: &str = "GOLIVE_LOCAL_RUN";

/// Copies of a command in place of pods.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Local {
    /// What a copy runs, no shell in between; `validator local -- COMMAND` wins over it.
    pub command: Vec<String>,
    /// How many copies there are.
    pub replicas: u32,
    /// Variables of every copy, beside those of the caller.
    pub env: BTreeMap<String, String>,
    /// The variable that tells a copy its port for users.
    pub port: String,
    /// The variable that tells a copy its port for probes and metrics.
    pub management_port: String,
    /// Whether it may be sent users; always, when `null`.
    pub readiness: Option<LocalProbe>,
    /// Whether it has to be started again; never when absent, and `null` says that this is meant.
    #[serde(skip_serializing_if = "Liveness::is_unsaid")]
    #[schemars(with = "Option<LocalProbe>")]
    pub liveness: Liveness,
    /// From SIGTERM to SIGKILL.
    pub grace_period: Seconds,
    /// How long a copy stays ready before the next one is replaced.
    pub min_ready: Seconds,
    /// A roll in which nothing moves for so long has failed.
    pub progress_deadline: Seconds,
    /// How much later than the change the switch hears that a copy has come or gone: as in a cluster.
    pub lag: Seconds,
    /// Where the copies learn of each dependency, by its name.
    pub dependencies: BTreeMap<String, LocalDependency>,
}

/// A probe over HTTP, with the defaults of Kubernetes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalProbe {
    /// What is asked.
    pub path: String,
    /// Whether it is asked at the port for probes and metrics.
    #[serde(default)]
    pub management: bool,
    /// Seconds from the start of the copy to the first question.
    #[serde(default)]
    pub initial_delay_seconds: u32,
    /// Seconds from one question to the next.
    #[serde(default = "ten")]
    pub period_seconds: u32,
    /// Seconds that an answer may take.
    #[serde(default = "one")]
    pub timeout_seconds: u32,
    /// Failures in a row after which something is done.
    #[serde(default = "three")]
    pub failure_threshold: u32,
    /// Successes in a row after which all is well again.
    #[serde(default = "one")]
    pub success_threshold: u32,
    /// Whether no file says so: what such a probe finds steers copies, and is no promise of anybody's.
    #[serde(skip)]
    pub assumed: bool,
}

/// A liveness probe, as a file declares it. There is none unless it does, as in Kubernetes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(from = "Option<LocalProbe>", into = "Option<LocalProbe>")]
pub enum Liveness {
    /// Nothing is said: nobody has promised anything that could be judged.
    #[default]
    Unsaid,
    /// `null`: its owner means that there is none.
    None,
    /// This one.
    Probe(LocalProbe),
}

/// One dependency on this machine.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalDependency {
    /// The variable that says where it is: a URL, or `HOST:PORT`.
    pub variable: String,
    /// Where it is, with what the variable is to hold; a throw-away one when absent, where the protocol has one.
    #[serde(default)]
    pub url: Option<String>,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            replicas: 3,
            env: BTreeMap::new(),
            port: "PORT".to_owned(),
            management_port: "MANAGEMENT_PORT".to_owned(),
            readiness: Some(LocalProbe::of("/ready")),
            liveness: Liveness::Unsaid,
            grace_period: Seconds(30.0),
            min_ready: Seconds(0.0),
            progress_deadline: Seconds(600.0),
            lag: Seconds(1.0),
            dependencies: BTreeMap::new(),
        }
    }
}

impl Liveness {
    /// Whether no file says anything of it.
    pub fn is_unsaid(&self) -> bool {
        matches!(self, Self::Unsaid)
    }

    /// The probe, if there is one.
    pub fn declared(&self) -> Option<&LocalProbe> {
        if let Self::Probe(probe) = self { Some(probe) } else { None }
    }
}

impl From<Option<LocalProbe>> for Liveness {
    fn from(said: Option<LocalProbe>) -> Self {
        said.map_or(Self::None, Self::Probe)
    }
}

impl From<Liveness> for Option<LocalProbe> {
    fn from(liveness: Liveness) -> Self {
        if let Liveness::Probe(probe) = liveness { Some(probe) } else { None }
    }
}

impl LocalProbe {
    /// One that nobody has declared.
    fn of(path: &str) -> Self {
        let (period_seconds, timeout_seconds, failure_threshold, success_threshold) =
            (ten(), one(), three(), one());
        let (path, management, initial_delay_seconds) = (path.to_owned(), false, 0);
        Self {
            path,
            management,
            initial_delay_seconds,
            period_seconds,
            timeout_seconds,
            failure_threshold,
            success_threshold,
            assumed: true,
        }
    }

    /// As a probe of a pod.
    pub fn probe(&self) -> Probe {
        let port = if self.management { MANAGEMENT_PORT } else { PORT };
        let headers: Vec<Header> = Vec::new();
        Probe {
            handler: Handler::HttpGet {
                scheme: Scheme::Http,
                host: None,
                port,
                path: self.path.clone(),
                headers,
            },
            timeout_s: self.timeout_seconds.max(1),
            period_s: self.period_seconds.max(1),
            failure_threshold: self.failure_threshold.max(1),
            success_threshold: self.success_threshold.max(1),
            initial_delay_s: self.initial_delay_seconds,
        }
    }
}

fn one() -> u32 {
    1
}

fn three() -> u32 {
    3
}

fn ten() -> u32 {
    10
}
