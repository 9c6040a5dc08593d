use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fred::clients::Client;
use fred::interfaces::{ClientLike as _, KeysInterface as _};
use fred::types::Expiration;
use fred::types::config::{Config, Server};
use futures_util::FutureExt as _;
use opentelemetry::{Context, KeyValue};
use serde::{Deserialize, Serialize};

use super::{Args, Cached, Snapshot};
use crate::users::{User, redis};
use golive_pillars::telemetry::{ClientSpan, Telemetry, semconv};

/// The two commands, each with its span. Futures of fred are large; boxed, they do not make those around them so.
#[derive(Clone)]
pub(super) struct Commands {
    client: Client,
    ttl: Duration,
    server: Option<Server>,
    database: String,
    telemetry: Telemetry,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    user: User,
    /// Seconds since 1970; comparable between replicas as far as their clocks agree.
    at: u64,
}

impl From<Entry> for Cached {
    fn from(entry: Entry) -> Self {
        let at = UNIX_EPOCH + Duration::from_secs(entry.at);
        Self { user: entry.user, age: SystemTime::now().duration_since(at).unwrap_or_default() }
    }
}

impl Commands {
    pub(super) fn connect(config: &Config, args: &Args, telemetry: Telemetry) -> Self {
        Self {
            client: redis::connect(config, args.cache_timeout),
            ttl: args.cache_ttl,
            server: config.server.hosts().into_iter().next(),
            database: config.database.unwrap_or(0).to_string(),
            telemetry,
        }
    }

    /// The copy; `None` if there is none or Redis does not answer in time.
    pub(super) async fn get(&self, id: i64) -> Option<Cached> {
        let span = Context::map_current(|context| self.span("GET", context));
        if !self.client.is_connected() {
            span.fail("no_connection");
            return None;
        }
        match self.client.get::<Option<String>, _>(key(id)).boxed().await {
            Ok(text) => text.and_then(|text| serde_json::from_str::<Entry>(&text).ok()).map(Cached::from),
            Err(error) => {
                span.fail(&kind(&error));
                None
            }
        }
    }

    /// Writes a copy; false if that failed.
    pub(super) async fn set(&self, copy: Snapshot) -> bool {
        let span = self.span("SET", &copy.cause);
        if !self.client.is_connected() {
            span.fail("no_connection");
            return false;
        }
        let at = copy.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let id = copy.user.id;
        let text =
            serde_json::to_string(&Entry { user: copy.user, at }).expect("strings and numbers always encode");
        let expiry = Expiration::PX(self.ttl.as_millis() as i64);
        let set = self.client.set::<(), _, _>(key(id), text, Some(expiry), None, false);
        let result = set.boxed().await;
        if let Err(error) = &result {
            span.fail(&kind(error));
        }
        result.is_ok()
    }

    fn span(&self, command: &'static str, parent: &Context) -> ClientSpan {
        self.telemetry.client_span_in(parent, command, || {
            let mut attributes = vec![
                KeyValue::new(semconv::DB_SYSTEM_NAME, "redis"),
                KeyValue::new(semconv::DB_OPERATION_NAME, command),
                KeyValue::new(semconv::DB_NAMESPACE, self.database.clone()),
            ];
            if let Some(server) = &self.server {
                attributes.push(KeyValue::new(semconv::SERVER_ADDRESS, server.host.to_string()));
                attributes.push(KeyValue::new(semconv::SERVER_PORT, i64::from(server.port)));
            }
            attributes
        })
    }
}

fn key(id: i64) -> String {
    format!("users:{id}")
}

fn kind(error: &fred::error::Error) -> String {
    format!("{:?}", error.kind()).to_lowercase()
}
