use serde_json::{Value, json};

use super::{Asked, Objects, Path, paths, write};
use crate::config::GoLiveCheck;

fn deployment(env: &Value) -> Value {
    let container = json!({ "name": "web", "image": "shop:1", "env": env });
    let template =
        json!({ "metadata": { "labels": { "app": "shop" } }, "spec": { "containers": [container] } });
    json!({ "metadata": { "name": "shop", "namespace": "store" }, "spec": { "template": template } })
}

fn service(name: &str, selector: &Value, port: u16) -> Value {
    let ports = json!([{ "name": "http", "port": port }]);
    json!({ "metadata": { "name": name }, "spec": { "selector": selector, "ports": ports } })
}

fn written(env: &Value) -> (String, Vec<String>) {
    let services = vec![
        service("db", &json!({ "app": "db" }), 5432),
        service("shop", &json!({ "app": "shop" }), 80),
        service("cache", &json!({ "app": "cache" }), 6379),
    ];
    let objects = Objects { deployment: deployment(env), services };
    let written = write(&objects, &Asked::default()).unwrap();
    (written.text, written.guesses)
}

#[test]
fn dependencies_are_read_from_addresses_and_every_guess_is_told() {
    let (text, guesses) = written(&json!([
        { "name": "DATABASE_URL", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } },
        { "name": "REDIS_URL", "value": "redis://cache:6379/0" },
        { "name": "PAYMENTS_URL", "value": "https://api.payments.example.com" },
        { "name": "ORDERS_URL", "value": "http://orders.sales.svc.cluster.local:8080/api" },
        { "name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel-collector.observability:4318" },
        { "name": "SELF", "value": "http://localhost:8080" },
        { "name": "GREETING", "value": "hello: world" },
    ]));
    let check = GoLiveCheck::parse(&text).unwrap();
    let found: Vec<String> = check
        .spec
        .dependencies
        .iter()
        .map(|d| format!("{} {} {}", d.name, d.upstream, d.protocol.name()))
        .collect();
    let right = [
        "db db postgres",
        "cache cache redis",
        "orders orders.sales http",
        "otel-collector otel-collector.observability otlp",
    ];
    assert_eq!(found, right, "{text}");
    // Nobody is put out of service for us but who is named beyond doubt.
    assert!(
        text.contains("# - { name: api, host: api.payments.example.com, port: 443, protocol: tcp }"),
        "{text}"
    );
    assert!(
        guesses[0].contains("DATABASE_URL is in a Secret") && guesses[1].contains("over TLS"),
        "{guesses:?}"
    );
    assert!(guesses.iter().any(|guess| guess.contains("GET /")), "{guesses:?}");
}

#[test]
fn hosts_and_ports_in_two_variables_belong_together() {
    let (text, _) = written(&json!([
        { "name": "PGHOST", "value": "pg.data" }, { "name": "PGPORT", "value": "5432" },
        { "name": "CACHE_ADDR", "value": "cache:6379" },
        { "name": "MYSQL_HOST", "value": "mysql.example.com" }, { "name": "MYSQL_PORT", "value": "3306" },
    ]));
    assert!(text.contains("service: pg.data, protocol: postgres"), "{text}");
    assert!(text.contains("service: cache, protocol: redis"), "{text}");
    assert!(text.contains("host: mysql.example.com, port: 3306, protocol: tcp"), "{text}");
}

#[test]
fn what_is_in_the_environment_never_breaks_the_file() {
    let (text, _) = written(&json!([
        { "name": "A_URL", "value": "http://no:80" }, { "name": "B_URL", "value": "http://x y}:80" },
        { "name": "C_URL", "value": "http://[::1]:80" }, { "name": "D_URL", "value": "postgres://u:p#w@db-1,db-2/x" },
    ]));
    assert!(text.contains("name: \"no\"") && text.contains("name: db-1"), "{text}");
}

#[test]
fn no_part_of_a_password_and_no_time_of_day_is_a_dependency() {
    let (text, _) = written(&json!([
        { "name": "DATABASE_URL", "value": "postgres://app:p@ss/w0rd?x@db:5432/shop?sslmode=disable" },
        { "name": "BACKUP_AT", "value": "10:30" }, { "name": "WINDOW_ADDR", "value": "10:30" },
        { "name": "RATIO", "value": "cpu:30" },
    ]));
    let check = GoLiveCheck::parse(&text).unwrap();
    let found: Vec<&str> = check.spec.dependencies.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(found, ["db"], "{text}");
    assert!(!text.contains("w0rd") && !text.contains("ss/"), "{text}");
}

#[test]
fn what_the_deployment_is_or_tells_others_is_no_dependency() {
    let (text, _) = written(&json!([
        { "name": "SELF_URL", "value": "http://shop.store:80/cb" }, { "name": "OWN", "value": "http://shop" },
        { "name": "HTTP_PROXY", "value": "http://squid:3128" }, { "name": "XMLNS", "value": "http://www.w3.org" },
        { "name": "PUBLIC_URL", "value": "http://shop.example.com" },
        { "name": "TOKEN_ISSUER", "value": "http://id.example.com" },
    ]));
    assert!(GoLiveCheck::parse(&text).unwrap().spec.dependencies.is_empty(), "{text}");
    for name in ["squid", "w3", "shop.example", "id.example"] {
        assert!(!text.contains(name), "{text}");
    }
}

#[test]
fn a_host_that_nobody_knows_is_a_comment_and_told_as_a_guess() {
    let (text, guesses) = written(&json!([{ "name": "FLAGS_URL", "value": "http://flags.example.com/v1" }]));
    assert!(GoLiveCheck::parse(&text).unwrap().spec.dependencies.is_empty(), "{text}");
    assert!(
        text.contains("# - { name: flags, host: flags.example.com, port: 80, protocol: http }"),
        "{text}"
    );
    assert!(guesses.iter().any(|guess| guess.contains("FLAGS_URL")), "{guesses:?}");
}

#[test]
fn an_openapi_document_says_where_its_paths_begin_and_how_many_were_left_out() {
    let base = |head: &str| {
        paths(&format!("{head}\npaths: {{ /users: {{ get: {{}} }} }}")).unwrap().paths.remove(0).path
    };
    assert_eq!(base("servers: [{ url: /api/v1/ }]"), "/api/v1/users");
    assert_eq!(base("servers: [{ url: 'https://x.example.com/api/v2' }]"), "/api/v2/users");
    assert_eq!(base("servers: [{ url: 'https://x.example.com' }]"), "/users");
    assert_eq!(base("servers: [{ url: 'https://x/{v}', variables: { v: { default: v3 } } }]"), "/v3/users");
    assert_eq!(base("basePath: /old"), "/old/users");
    let many: Vec<String> = (0..25).map(|at| format!("  /p{at}: {{ get: {{}} }}\n")).collect();
    let asked = paths(&format!("paths:\n{}", many.concat())).unwrap();
    assert_eq!((asked.paths.len(), asked.left_out), (20, 5));
}

#[test]
fn without_a_service_there_is_nothing_to_gate() {
    let objects = Objects { deployment: deployment(&json!([])), services: Vec::new() };
    assert!(write(&objects, &Asked::default()).unwrap_err().to_string().contains("no Service selects"));
}

#[test]
fn an_openapi_document_gives_the_reads_that_can_be_asked() {
    let document = r##"
openapi: 3.1.0
paths:
  /users/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
    get: {}
    delete: {}
  /files/{key}:
    get: { parameters: [{ $ref: "#/components/parameters/Key" }] }
  /search:
    get: { parameters: [{ name: q, in: query, required: true, example: rust }, { name: page, in: query }] }
  /admin:
    get: { parameters: [{ name: x-key, in: header, required: true }] }
  /odd/{nothing}: { get: {} }
  /users: { post: {} }
components: { parameters: { Key: { name: key, in: path, schema: { type: string, format: uuid } } } }
"##;
    let mut found: Vec<String> =
        paths(document).unwrap().paths.into_iter().map(|path: Path| path.path).collect();
    found.sort_unstable();
    assert_eq!(found, ["/files/{uuid}", "/search?q=rust", "/users/{1..100}"]);
    assert!(paths("a: 1").unwrap_err().to_string().contains("no `paths`"));
}
