//! Copies of shell scripts, from their start to their end.

use std::time::Instant;

use super::*;
use crate::config::Seconds;
use crate::exit::Exit;
use crate::timeline::tests::header;

/// Copies of a script, in a folder of their own.
fn copies(script: &str, local: Local, probes: Probes) -> (Arc<Copies>, PathBuf) {
    let folder = std::env::temp_dir().join(format!("golive-test-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let settings = Settings {
        local: Local { command: ["sh", "-c", script].map(str::to_owned).to_vec(), ..local },
        name: "copy".to_owned(),
        probes,
        output: folder.clone(),
        registry: folder.clone(),
        mark: ("GOLIVE_TEST".to_owned(), "copies".to_owned()),
        dependencies: Vec::new(),
    };
    (Copies::new(settings, Record::new(header().plan.target, (60, 0))), folder)
}

/// Asked all the time, and never answered.
fn unanswered() -> Probes {
    let local: Local = serde_json::from_value(serde_json::json!({ "readiness": { "path": "/" } })).unwrap();
    Probes { readiness: local.readiness.map(|probe| probe.probe()), liveness: None }
}

fn said(folder: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[tokio::test]
async fn a_copy_that_ends_again_and_again_ends_the_start_at_once_with_what_it_said() {
    let (copies, folder) = copies("echo no configuration; exit 78", Local::default(), unanswered());
    let (begun, failure) = (Instant::now(), copies.begin().await.unwrap_err());
    assert!(begun.elapsed() < Duration::from_mins(1), "it is not waited for");
    assert_eq!(failure.exit(), Exit::Inconclusive);
    let told = failure.to_string();
    assert!(told.contains("with 78") && told.contains("no configuration") && told.contains("PORT"), "{told}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_copy_that_is_never_ready_is_waited_for_as_long_as_a_roll_would_be() {
    let local = Local { progress_deadline: Seconds(1.0), ..Local::default() };
    let (copies, folder) = copies("echo up; exec sleep 300", local, unanswered());
    let told = copies.begin().await.unwrap_err().to_string();
    assert!(told.contains("within 1 s") && told.contains("GET /ready"), "{told}");
    drop(copies);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn copies_hear_of_the_end_of_the_run_and_one_that_does_not_heed_it_is_not_waited_for() {
    let script = "trap 'echo left; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let (heeding, folder) = copies(script, Local { replicas: 2, ..Local::default() }, Probes::default());
    heeding.begin().await.unwrap();
    while !(said(&folder).len() == 2 && said(&folder).iter().all(|said| said == "up\n")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    heeding.end().await;
    assert_eq!(said(&folder), ["up\nleft\n"; 2]);
    std::fs::remove_dir_all(folder).unwrap();
    let local = Local { replicas: 1, grace_period: Seconds(1.0), ..Local::default() };
    let (deaf, folder) = copies("trap '' TERM; echo up; exec sleep 300", local, Probes::default());
    deaf.begin().await.unwrap();
    let begun = Instant::now();
    deaf.end().await;
    assert!(begun.elapsed() < Duration::from_mins(1), "it would sleep for five");
    drop(deaf);
    std::fs::remove_dir_all(folder).unwrap();
}
