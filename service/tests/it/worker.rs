use super::harness::{Service, eventually, get, seconds};

fn count(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_http_finishes_its_message_and_takes_no_other() {
    let mut worker = Service::example("worker", Vec::new(), &[]);
    eventually("ready", async || {
        get(worker.management, "/ready").await.is_some_and(|answer| answer.status == 200)
    })
    .await;
    assert!(get(worker.port, "/health").await.is_none(), "no port for users");
    // Within a message, which takes a second.
    eventually("a message", async || {
        let log = worker.log();
        count(&log, "message taken") > count(&log, "message finished")
    })
    .await;
    worker.signal("TERM");
    let (status, after) = worker.ended().await;
    let log = worker.log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(after < seconds(20), "it waits for its work, not for the clock: {after:?}");
    assert_eq!(count(&log, "message taken"), count(&log, "message finished"), "{log}");
    let (_, rest) = log.split_once("leaving: not ready").expect("the signal is told");
    assert_eq!(count(rest, "message taken"), 0, "{log}");
}
