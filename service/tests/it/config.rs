use std::process::{Command, Output};

use super::harness::{Service, World, eventually};
use super::harness::{free_port, get};

const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://me:s3cr3t@127.0.0.1:1/users");
const REDIS: (&str, &str) = ("REDIS_URL", "redis://:s3cr3t@127.0.0.1:1");

fn users(settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    output(env!("CARGO_BIN_EXE_users"), settings, arguments)
}

fn output(program: &str, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(program).env_clear().envs(settings.iter().copied()).args(arguments).output().unwrap()
}

fn refused(settings: &[(&str, &str)]) -> String {
    let output = users(settings, &[]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{settings:?}: {text}");
    assert!(!text.contains("s3cr3t"), "{text}");
    text
}

#[test]
fn each_wrong_setting_is_named_with_what_was_read_and_what_is_expected() {
    for (name, read, expected) in [
        ("PORT", "abc", "a port from 1 to 65535"),
        ("PORT", "0", "a port from 1 to 65535"),
        ("MANAGEMENT_PORT", "8080", "another port than PORT"),
        ("BREAKER_DEADLINE", "3", "a whole number and a unit"),
        ("BREAKER_DEADLINE", "10s", "below 10s, the limit of a request"),
        ("ORDERS_DEADLINE", "10s", "below 10s, the limit of a request"),
        ("ORDERS_BREAKER_WINDOW", "5ms", "at least 10ms"),
        ("ORDERS_BREAKER_ERROR_RATE", "50", "above 0, up to 1"),
        ("BREAKER_WINDOW", "0s", "above zero"),
        ("BREAKER_WINDOW", "5ms", "at least 10ms"),
        ("HEALTH_INTERVAL", "32400000s", "up to a year"),
        ("IDLE_TIMEOUT", "32400000s", "up to a year"),
        ("BREAKER_ERROR_RATE", "50", "above 0, up to 1"),
        ("BREAKER_MIN_CALLS", "0", "1.."),
        ("SAMPLE_RATIO", "2", "from 0 to 1"),
        ("READINESS_REDIS", "maybe", "required, optional"),
        ("SHUTDOWN_DRAIN", "3s", "at least 5s, the value of SHUTDOWN_LAMEDUCK"),
        ("SHUTDOWN_FORCE", "22s", "at least 23s"),
        ("ORDERS_URL", "https://orders", "a plain HTTP URL"),
        ("ORDERS_URL", "http://orders/?x=1", "without credentials or a query"),
        ("MAX_IN_FLIGHT", "0", "from 1 to 1000000"),
        ("MAX_IN_FLIGHT", "9223372036854775807", "from 1 to 1000000"),
        ("DATABASE_STATEMENT_TIMEOUT", "600h", "at most 2147483647ms"),
        ("HEALTH_STALL", "100ms", "at least 500ms"),
        ("OTEL_ENDPOINT", "collector:4318", "a URL without credentials"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "grpc or http/protobuf"),
        ("OTEL_METRICS_EXPORTER", "oltp", "otlp, prometheus or none"),
        ("OTEL_METRICS_EXPORTER", "otlp", "beside OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
        ("IDENTITY_HEADERS", "no", "true, false"),
        ("METRICS", "0", "true, false"),
        ("LOG_LEVEL", "lo=ud=er", "a filter"),
    ] {
        let text = refused(&[DATABASE, REDIS, (name, read)]);
        for part in [name, read, expected] {
            assert!(text.contains(part), "{name}={read}: no {part:?} in {text}");
        }
    }
}

#[test]
fn secrets_are_required_and_never_shown() {
    assert!(refused(&[REDIS]).contains("DATABASE_URL: read nothing, expected postgres://"));
    let wrong = ("DATABASE_URL", "mysql://me:s3cr3t@db/users");
    assert!(refused(&[wrong, REDIS]).contains("DATABASE_URL: read 26 characters (secret, not shown)"));
    assert!(refused(&[DATABASE, ("REDIS_URL", "http://:s3cr3t@cache")]).contains("REDIS_URL"));
    for url in ["http://me:s3cr3t@orders", "http://orders/?as=me:s3cr3t@orders"] {
        assert!(
            refused(&[DATABASE, REDIS, ("ORDERS_URL", url)]).contains("credentials (not shown)"),
            "{url}"
        );
    }
    let help = users(&[DATABASE, REDIS], &["--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("DATABASE_URL") && !help.contains("s3cr3t"), "{help}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_be_missing_and_is_then_no_dependency() {
    let world = World::new().await;
    let environment = world.environment().into_iter().filter(|(name, _)| name != "REDIS_URL").collect();
    let service = Service::start(environment, &[("READINESS_REDIS", "required")]);
    service.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_and_the_exit_code_is_1() {
    let world = World::new().await;
    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut service = world.start(&[("PORT", &port)]);
    let (status, _) = service.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(service.log().contains(&format!("port: cannot listen on {port}")), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_command_tells_good_from_bad() {
    let world = World::new().await;
    let service = world.ready(&[]).await;
    eventually("metrics", async || get(service.management, "/metrics").await.is_some()).await;
    // The chart's test asks so, of the builds with a mistake as well.
    for program in [env!("CARGO_BIN_EXE_users"), env!("CARGO_BIN_EXE_users-flawed")] {
        let probe = |url: String| output(program, &[], &["probe", &url]).status.code();
        assert_eq!(probe(format!("http://127.0.0.1:{}/ready", service.port)), Some(0));
        assert_eq!(probe(format!("http://127.0.0.1:{}/nothing", service.port)), Some(1));
        assert_eq!(probe(format!("http://127.0.0.1:{}/ready", free_port())), Some(1));
    }
}

#[test]
fn a_secret_may_stand_in_a_file_and_not_in_two_places() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("wrong"), "mysql://me:s3cr3t@db/users\n").unwrap();
    let wrong = refused(&[("DATABASE_URL_FILE", &path("wrong"))]);
    assert!(wrong.contains("DATABASE_URL: read 26 characters (secret, not shown)"), "{wrong}");
    let missing = refused(&[("DATABASE_URL_FILE", &path("missing"))]);
    assert!(missing.contains("DATABASE_URL_FILE: read ") && missing.contains("missing"), "{missing}");
    let both = refused(&[DATABASE, ("DATABASE_URL_FILE", &path("wrong"))]);
    assert!(both.contains("DATABASE_URL_FILE: read a file beside DATABASE_URL"), "{both}");
    let redis = refused(&[DATABASE, ("REDIS_URL_FILE", &path("wrong"))]);
    assert!(redis.contains("REDIS_URL: read 26 characters"), "{redis}");
}

#[test]
fn authorities_that_are_none_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for name in ["DATABASE_CA_FILE", "REDIS_CA_FILE"] {
        for path in [empty.to_str().unwrap(), "/nowhere.pem"] {
            let text = refused(&[DATABASE, REDIS, (name, path)]);
            assert!(text.contains(&format!("{name}: read {path}")), "{text}");
        }
    }
}

#[test]
fn a_pooler_leaves_migrations_to_others() {
    let text = refused(&[DATABASE, REDIS, ("DATABASE_POOLER", "transaction")]);
    assert!(text.contains("MIGRATE: read true, expected false with DATABASE_POOLER=transaction"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_from_files() {
    let (world, directory) = (World::new().await, tempfile::tempdir().unwrap());
    let file = |(name, value): (String, String)| {
        let path = directory.path().join(&name);
        std::fs::write(&path, format!("{value}\n")).unwrap();
        (format!("{name}_FILE"), path.to_str().unwrap().to_owned())
    };
    let service = Service::start(world.environment().into_iter().map(file).collect(), &[]);
    service.until_ready().await;
}
