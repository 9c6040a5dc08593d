//! Reads traces from Jaeger's query API, by trace id.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::forward::Forward;
use crate::config::{Dependency, Protocol};
use crate::evidence::{Millis, Span, SpanKind, TraceFact};
use crate::failure::Failure;

/// Port of Jaeger's query API.
const QUERY_PORT: u16 = 16686;

/// Forwarded connections to the query API.
const CONNECTIONS: usize = 8;

/// A batch processor's schedule is 5 s; traces that are missing after this time stay missing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks Jaeger for every trace, again for those it does not know yet, until patience ends.
/// Returns nothing when no query API was declared or found.
pub async fn fetch_traces(
    cluster: &Cluster,
    dependencies: &[Dependency],
    wanted: &[(Millis, String)],
) -> Result<Option<Vec<TraceFact>>, Failure> {
    let Some((pods, pod)) = find_query(cluster, dependencies).await? else {
        return Ok(None);
    };
    let deadline = Instant::now() + PATIENCE;
    let mut found: BTreeMap<String, TraceFact> = BTreeMap::new();
    loop {
        // A trace with only part of its spans is asked for again: the rest may be on its way.
        let whole = |id: &str| found.get(id).is_some_and(|trace| trace.spans.len() >= 2);
        let open: Vec<(Millis, String)> = wanted.iter().filter(|(_, id)| !whole(id)).cloned().collect();
        if open.is_empty() || Instant::now() >= deadline {
            return Ok(Some(found.into_values().collect()));
        }
        for trace in ask_all(&pods, &pod, open).await? {
            found.insert(trace.trace_id.clone(), trace);
        }
        if found.values().any(|trace| trace.spans.len() < 2) {
            sleep(Duration::from_secs(2)).await;
        }
    }
}

/// Asks over several forwarded connections at once: each answer waits for a round trip through the API server.
async fn ask_all(
    pods: &Api<Pod>,
    pod: &str,
    wanted: Vec<(Millis, String)>,
) -> Result<Vec<TraceFact>, Failure> {
    let share = wanted.len().div_ceil(CONNECTIONS);
    let mut asking = JoinSet::new();
    for part in wanted.chunks(share) {
        asking.spawn(ask(pods.clone(), pod.to_owned(), part.to_vec()));
    }
    let mut traces = Vec::with_capacity(wanted.len());
    while let Some(answer) = asking.join_next().await {
        let answer = answer.unwrap_or_else(|error| Err(error.to_string()));
        traces.extend(answer.map_err(|error| {
            Failure::environment(format!("Jaeger's query API in pod {pod}: {error}"))
                .hint("declare where it is: spec.dependencies[].query")
        })?);
    }
    Ok(traces)
}

async fn ask(pods: Api<Pod>, pod: String, wanted: Vec<(Millis, String)>) -> Result<Vec<TraceFact>, String> {
    let mut forward = None;
    let mut traces = Vec::with_capacity(wanted.len());
    for (at, trace_id) in wanted {
        let spans = query(&pods, &pod, &mut forward, &trace_id).await?;
        traces.push(TraceFact { at, trace_id, spans });
    }
    Ok(traces)
}

async fn find_query(
    cluster: &Cluster,
    dependencies: &[Dependency],
) -> Result<Option<(Api<Pod>, String)>, Failure> {
    let declared = dependencies.iter().find(|d| d.protocol == Protocol::Otlp && d.query.is_some());
    let services: Api<Service> = cluster.api();
    let all = cluster.call("list services", services.list(&ListParams::default())).await?;
    let has_port = |service: &&Service| {
        let ports = service.spec.as_ref().and_then(|s| s.ports.clone()).unwrap_or_default();
        ports.iter().any(|p| p.port == i32::from(QUERY_PORT))
    };
    let service = match declared.and_then(|d| d.query.as_ref()) {
        Some(name) => Some(all.iter().find(|s| s.name_any() == *name).ok_or_else(|| {
            Failure::usage(format!("dependencies: no Service `{name}` for the query API of the traces")).hint(
                "name the Service of Jaeger's query API, or leave `query` out to have it found by its port",
            )
        })?),
        None => all.iter().find(has_port),
    };
    let Some(selector) = service.and_then(|s| s.spec.as_ref()?.selector.clone()) else {
        return Ok(None);
    };
    let labels = selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
    let pods: Api<Pod> = cluster.api();
    let found = cluster.call("list Jaeger's pods", pods.list(&ListParams::default().labels(&labels))).await?;
    let running = |pod: &&Pod| pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running");
    let pod = found.iter().find(running).map(ResourceExt::name_any);
    Ok(pod.map(|pod| (pods, pod)))
}

async fn query(
    pods: &Api<Pod>,
    pod: &str,
    forward: &mut Option<Forward>,
    id: &str,
) -> Result<Vec<Span>, String> {
    let path = format!("/api/traces/{id}");
    let mut last = String::new();
    for _ in 0..3 {
        if forward.is_none() {
            *forward = Some(Forward::open(pods, pod, QUERY_PORT).await?);
        }
        let Some(open) = forward.as_mut() else { break };
        match open.exchange(Method::GET, &path, None).await {
            Ok((StatusCode::NOT_FOUND, _)) => return Ok(Vec::new()),
            Ok((status, body)) if status.is_success() => return parse(&body),
            Ok((status, body)) => last = format!("{status}: {}", String::from_utf8_lossy(&body)),
            Err(error) => {
                last = error;
                *forward = None;
            }
        }
    }
    Err(last)
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<JaegerTrace>,
}

#[derive(Deserialize)]
struct JaegerTrace {
    spans: Vec<JaegerSpan>,
    processes: BTreeMap<String, Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan {
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    start_time: i64,
    duration: i64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(rename = "processID")]
    process_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    value: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

fn parse(body: &[u8]) -> Result<Vec<Span>, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let mut spans = Vec::new();
    for trace in answer.data {
        for span in trace.spans {
            let process = trace.processes.get(&span.process_id);
            spans.push(Span {
                parent: span.references.iter().find(|r| r.ref_type == "CHILD_OF").map(|r| r.span_id.clone()),
                kind: match text(&span.tags, "span.kind").as_deref() {
                    Some("server") => SpanKind::Server,
                    Some("client") => SpanKind::Client,
                    _ => SpanKind::Other,
                },
                service: process.map(|p| p.service_name.clone()).unwrap_or_default(),
                version: process.and_then(|p| text(&p.tags, "service.version")),
                start_us: span.start_time,
                duration_us: span.duration,
                db_system: text(&span.tags, "db.system.name").or_else(|| text(&span.tags, "db.system")),
                id: span.span_id,
                name: span.operation_name,
            });
        }
    }
    spans.sort_by(|a, b| (a.start_us, &a.id).cmp(&(b.start_us, &b.id)));
    Ok(spans)
}

fn text(tags: &[Tag], key: &str) -> Option<String> {
    tags.iter().find(|tag| tag.key == key).and_then(|tag| tag.value.as_str()).map(str::to_owned)
}
