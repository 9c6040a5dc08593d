//! Postgres and Redis that speak TLS, with certificates that no public authority has signed.

use super::harness::{Encrypted, Service, encrypted, eventually, get};

const DATABASE: &str = "postgres";

fn environment(servers: &Encrypted, names: &str) -> Vec<(String, String)> {
    let postgres = format!("postgres://postgres@{names}:{}/{DATABASE}", servers.postgres);
    let redis = format!("rediss://{names}:{}/0", servers.redis);
    vec![("DATABASE_URL".to_owned(), postgres), ("REDIS_URL".to_owned(), redis)]
}

async fn why_unready(service: &Service) -> String {
    let answer = service.readiness().await;
    answer.filter(|answer| answer.status == 503).map(|answer| answer.text()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_and_redis_with_certificates_of_a_private_authority_are_used() {
    let servers = encrypted();
    let authority = servers.authority.to_str().unwrap();
    let own = [("DATABASE_CA_FILE", authority), ("REDIS_CA_FILE", authority), ("SEED_USERS", "5")];
    let service = Service::start(environment(servers, "127.0.0.1"), &own);
    service.until_ready().await;
    service.until_copied().await;
    let admin = format!("postgres://postgres@127.0.0.1:{}/{DATABASE}", servers.postgres);
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&admin).await.unwrap();
    let sessions = "SELECT bool_and(ssl), count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                    WHERE a.client_port IS NOT NULL AND a.pid <> pg_backend_pid()";
    let (all, count): (bool, i64) = sqlx::query_as(sessions).fetch_one(&mut admin).await.unwrap();
    assert!(all && count > 0, "{count} sessions, every one of them encrypted: {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let servers = encrypted();
    let environment = environment(servers, "127.0.0.1");
    let verify = |(name, value): (String, String)| match name.as_str() {
        "DATABASE_URL" => (name, format!("{value}?sslmode=verify-full")),
        _ => (name, value),
    };
    let service = Service::start(environment.into_iter().map(verify).collect(), &[]);
    eventually("both are refused", async || {
        let why = why_unready(&service).await;
        why.contains("postgres: TLS refused") && why.contains("redis: no connection")
    })
    .await;
    assert_eq!(get(service.port, "/api/users").await.unwrap().text(), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_refused() {
    let servers = encrypted();
    let authority = servers.authority.to_str().unwrap();
    let own = [("DATABASE_CA_FILE", authority), ("REDIS_CA_FILE", authority)];
    let service = Service::start(environment(servers, "localhost"), &own);
    eventually("both are refused", async || {
        let why = why_unready(&service).await;
        why.contains("postgres: TLS refused") && why.contains("redis: no connection")
    })
    .await;
}
