//! The containers of a pod: which one serves, how each ended, how often each was started again.

use serde_json::Value;

use crate::evidence::Millis;

/// How a container ended.
#[derive(Clone, Debug)]
pub struct ContainerExit {
    /// Name of the container.
    pub container: String,
    /// Exit code.
    pub code: i64,
    /// Reason the kubelet gives, such as `OOMKilled`.
    pub reason: String,
    /// When it was seen.
    pub at: Millis,
    /// On which line.
    pub line: usize,
}

/// What an exit code says of an ordered end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// 0.
    Clean,
    /// 128 and the signal that asked for it, SIGTERM or SIGINT: what a JVM ends with after its shutdown hooks, and what
    /// a process that handles nothing ends with at once.
    BySignal,
    /// Anything else; 137 is SIGKILL.
    Broken,
}

impl ContainerExit {
    /// What its code says.
    pub fn kind(&self) -> ExitKind {
        match self.code {
            0 => ExitKind::Clean,
            130 | 143 => ExitKind::BySignal,
            _ => ExitKind::Broken,
        }
    }
}

/// A container was started again.
#[derive(Clone, Debug)]
pub struct Restart {
    /// Name of the container.
    pub container: String,
    /// Whether it is the one that serves.
    pub serves: bool,
    /// When it was seen.
    pub at: Millis,
    /// How often since the last sight.
    pub times: i64,
    /// On which line.
    pub line: usize,
}

/// The statuses of the containers that run as long as the pod: its containers, and the native sidecars among its init
/// containers (KEP-753).
pub(super) fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    let init = list(pod, "/spec/initContainers");
    let sidecar =
        |status: &&Value| init.iter().any(|c| c["name"] == status["name"] && c["restartPolicy"] == "Always");
    let sidecars = list(pod, "/status/initContainerStatuses").iter().filter(move |status| sidecar(status));
    list(pod, "/status/containerStatuses").iter().chain(sidecars)
}

/// Whether this is the container that serves: the one of that name, or the only one.
pub(super) fn serves(pod: &Value, status: &Value, serving: &str) -> bool {
    let several = list(pod, "/status/containerStatuses");
    let named = several.iter().any(|status| status["name"] == serving);
    if named { status["name"] == serving } else { several.len() == 1 && status == &several[0] }
}

/// How the container of this status ended, if it has.
pub(super) fn exit(status: &Value, at: Millis, line: usize) -> Option<ContainerExit> {
    let ended = status.pointer("/state/terminated")?;
    Some(ContainerExit {
        container: status["name"].as_str().unwrap_or_default().to_owned(),
        code: ended["exitCode"].as_i64().unwrap_or(-1),
        reason: ended["reason"].as_str().unwrap_or_default().to_owned(),
        at,
        line,
    })
}

/// A list of an object by JSON pointer; empty where there is none.
pub(super) fn list<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
