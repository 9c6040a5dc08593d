//! What the target calls although nobody declared it, and what was left out of a run for want of a declaration.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Timeline;
use crate::config::{Dependency, Protocol, Upstream};
use crate::evidence::{Span, SpanKind};
use crate::plan::Part;

impl Timeline<'_> {
    /// Systems that show in client spans (`server.address`, else `peer.service`, and `db.system.name`) and are no
    /// declared dependency, each with the number of its spans. Nothing was done to them.
    pub fn undeclared_systems(&self) -> Vec<String> {
        let mut systems: BTreeMap<String, usize> = BTreeMap::new();
        let spans = self.load.traces.iter().flat_map(|(_, trace)| &trace.spans);
        for span in spans.filter(|span| span.kind == SpanKind::Client && !self.is_declared(span)) {
            if let Some(name) = name(span) {
                *systems.entry(name).or_default() += 1;
            }
        }
        let told =
            |(name, spans)| format!("{name} ({spans} client {})", if spans == 1 { "span" } else { "spans" });
        systems.into_iter().map(told).collect()
    }

    /// What was not done because nothing says that it should be, or because it was not selected.
    pub fn left_out(&self) -> Vec<String> {
        let unselected = Part::ALL.into_iter().filter(|part| !self.plan().does(*part));
        let names: Vec<&str> = unselected.map(Part::name).collect();
        let told = (!names.is_empty()).then(|| format!("not selected: {}", names.join(", ")));
        told.into_iter().chain(self.not_declared()).collect()
    }

    fn not_declared(&self) -> Vec<String> {
        let dependencies = &self.plan().dependencies;
        if dependencies.is_empty() {
            return vec![
                "no dependency is declared: nothing was broken, and nothing that is called is known".into(),
            ];
        }
        let named = |which: &dyn Fn(&&Dependency) -> bool| {
            let names: Vec<&str> = dependencies.iter().filter(which).map(|d| d.name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let without = named(&|d| d.breaker.is_none() && d.protocol != Protocol::Otlp)
            .map(|names| format!("{names}: no breaker is declared, calls were not made to hang"));
        let opaque = named(&|d| d.protocol == Protocol::Tcp)
            .map(|names| format!("{names}: declared as tcp, only connections are seen"));
        let unasked = named(&|d| d.protocol == Protocol::Tcp && !d.is_promised())
            .map(|names| format!("{names}: taken away, but no `readiness` is declared to hold that against"));
        let collector = dependencies.iter().all(|d| d.protocol != Protocol::Otlp);
        let blind =
            collector.then(|| "no collector is declared: what else is called is not known".to_owned());
        [without, opaque, unasked, blind].into_iter().flatten().collect()
    }

    fn is_declared(&self, span: &Span) -> bool {
        let mut dependencies = self.plan().dependencies.iter();
        match address(span) {
            Some(name) => {
                let home = &self.plan().target.namespace;
                dependencies.any(|d| d.upstream.is_called(name, home) || is_peer(span, name, &d.upstream))
            }
            // Only what it is is known, not where.
            None => dependencies
                .any(|d| span.db_system.as_deref().is_none_or(|system| speaks(d.protocol, system))),
        }
    }
}

/// Whom a span calls, by a name; an address tells nothing, and what listens in the same pod is part of it.
fn address(span: &Span) -> Option<&str> {
    let named = span.server.as_deref().filter(|name| name.parse::<IpAddr>().is_err() && *name != "localhost");
    named.or(span.peer.as_deref())
}

/// Whether a span names a Service as its peer: not a name in DNS, but whatever its developers call it.
fn is_peer(span: &Span, called: &str, upstream: &Upstream) -> bool {
    let is_name = matches!(upstream, Upstream::Service { name, .. } if name == called);
    is_name && span.peer.as_deref() == Some(called)
}

fn name(span: &Span) -> Option<String> {
    match (&span.db_system, address(span)) {
        (Some(system), Some(address)) => Some(format!("{system} at {address}")),
        (Some(one), None) => Some(one.clone()),
        (None, address) => address.map(str::to_owned),
    }
}

/// Values of `db.system.name` and of the older `db.system`.
fn speaks(protocol: Protocol, system: &str) -> bool {
    match protocol {
        Protocol::Postgres => matches!(system, "postgresql" | "cockroachdb"),
        Protocol::Redis => system == "redis",
        // Whatever it is, it may be this one.
        Protocol::Tcp => true,
        Protocol::Otlp | Protocol::Http => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::evidence::{Evidence, Fact};
    use crate::timeline::Timeline;
    use crate::timeline::tests::header;

    fn systems(spans: &[Value]) -> Vec<String> {
        let spans: Vec<Value> = spans
            .iter()
            .map(|fields| {
                let mut span = json!({ "id": "1", "name": "n", "kind": "client", "service": "s", "start_us": 0, "duration_us": 1 });
                span.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
                span
            })
            .collect();
        let trace = serde_json::from_value(json!({ "at": 0, "trace_id": "t", "spans": spans })).unwrap();
        let evidence = Evidence::new(header(), vec![Fact::Trace(trace)]);
        Timeline::new(&evidence).undeclared_systems()
    }

    #[test]
    fn what_is_called_by_another_name_is_told_and_what_is_declared_is_not() {
        let spans = [
            json!({ "server": "postgres", "db_system": "postgresql" }),
            json!({ "server": "postgres.n.svc", "db_system": "postgresql" }),
            json!({ "server": "10.0.0.7", "db_system": "postgresql" }),
            json!({ "server": "localhost" }),
            json!({ "server": "10.0.0.7", "peer": "postgres" }),
            json!({ "server": "mail.example.com", "kind": "server" }),
        ];
        assert_eq!(systems(&spans), Vec::<String>::new());
        let others = [
            json!({ "server": "ledger-db", "db_system": "postgresql" }),
            json!({ "db_system": "mysql" }),
            json!({ "server": "mail.example.com" }),
            json!({ "server": "mail.example.com" }),
            json!({ "server": "10.0.0.9", "peer": "billing" }),
            json!({ "server": "postgres.example.com", "db_system": "postgresql" }),
        ];
        let told = ["billing (1 client span)", "mail.example.com (2 client spans)", "mysql (1 client span)"];
        assert_eq!(
            systems(&others),
            [
                &told[..],
                &[
                    "postgresql at ledger-db (1 client span)",
                    "postgresql at postgres.example.com (1 client span)"
                ]
            ]
            .concat()
        );
    }
}
