//! The Lease at the fake API server.

use super::*;
use crate::cluster::fake::Fake;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/demo/leases/golive-validator";

/// As a run does that proves.
async fn take(cluster: &Cluster, holder: &str) -> Result<HeldLease, Failure> {
    HeldLease::take(cluster, (holder, Purpose::Prove), Takeover::AfterLook, |_| {}).await
}

fn holder(fake: &Fake) -> Value {
    fake.get(PATH).unwrap()["spec"]["holderIdentity"].clone()
}

#[tokio::test]
async fn a_second_run_is_refused_with_the_name_of_the_first_and_since_when() {
    let (fake, cluster) = Fake::start().await;
    let first = take(&cluster, "golive-users-a").await.unwrap();
    let refused = take(&cluster, "golive-users-b").await.err().unwrap();
    let since = fake.get(PATH).unwrap()["spec"]["acquireTime"].as_str().unwrap()[..19].to_owned();
    assert_eq!(refused.exit(), crate::exit::Exit::Inconclusive);
    let text = refused.to_string();
    assert!(text.contains("golive-users-a") && text.contains(&since), "{text}");
    assert_eq!(holder(&fake), "golive-users-a");
    first.release().await.unwrap();
    assert_eq!(fake.paths(), Vec::<String>::new());
    take(&cluster, "golive-users-b").await.unwrap();
}

#[tokio::test]
async fn of_two_that_come_at_once_one_is_refused() {
    let (_, cluster) = Fake::start().await;
    let (one, two) = tokio::join!(take(&cluster, "a"), take(&cluster, "b"));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

#[tokio::test]
async fn a_holder_notices_that_the_lease_was_taken_and_deletes_none_of_another() {
    let (fake, cluster) = Fake::start().await;
    let first = take(&cluster, "a").await.unwrap();
    let b = ("b", Purpose::Prove);
    let second = HeldLease::take(&cluster, b, Takeover::AtOnce, |_| {}).await.unwrap();
    let lost = tokio::time::timeout(RENEWAL * 2, first.lost()).await.unwrap();
    assert!(lost.to_string().contains("b has taken the Lease"), "{lost}");
    assert!(first.loss().is_some() && second.loss().is_none());
    first.release().await.unwrap();
    assert_eq!(holder(&fake), "b");
}

#[tokio::test]
async fn a_lease_that_changed_meanwhile_is_not_taken_over() {
    let (fake, cluster) = Fake::start().await;
    drop(take(&cluster, "dead").await.unwrap());
    let found = read(&cluster).await.unwrap().unwrap();
    assert!(take_over(&cluster, ("b", Purpose::Prove), &found).await.unwrap());
    assert!(!take_over(&cluster, ("c", Purpose::Prove), &found).await.unwrap());
    assert_eq!(holder(&fake), "b");
    assert!(matches!(renewal(&cluster, "dead").await.unwrap(), Renewal::Other));
}

/// A run that only looks on and holds the Lease.
async fn look(cluster: &Cluster) -> HeldLease {
    HeldLease::take(cluster, ("look", Purpose::Observe), Takeover::Lapsed, |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_proof_waits_for_the_end_of_a_look_and_says_so() {
    let (fake, cluster) = Fake::start().await;
    let look = look(&cluster).await;
    let mut told = Vec::new();
    let waits = HeldLease::take(&cluster, ("proof", Purpose::Prove), Takeover::AfterLook, |line| {
        told.push(line.to_owned());
    });
    // It has renewed the Lease, and was seen to, when it ends.
    let ends = async {
        sleep(RENEWAL + LOOK * 2).await;
        look.release().await.unwrap();
    };
    let (proof, ()) = tokio::join!(waits, ends);
    let proof = proof.unwrap();
    assert_eq!(holder(&fake), "proof");
    assert_eq!(told, ["look looks on and holds the Lease; waiting up to 15 min for its end"]);
    proof.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_look_that_does_not_end_or_died_keeps_no_proof_for_ever() {
    let (fake, cluster) = Fake::start().await;
    drop(look(&cluster).await);
    let proof = || HeldLease::take(&cluster, ("proof", Purpose::Prove), Takeover::AfterLook, |_| {});
    let renews = async {
        while let Some(lease) = fake.get(PATH) {
            fake.put(PATH, lease);
            sleep(RENEWAL).await;
        }
    };
    let begin = Instant::now();
    let refused = tokio::select! {
        taken = proof() => taken.err().unwrap().to_string(),
        () = renews => unreachable!("nobody deletes it"),
    };
    assert!(refused.contains("look has been at work") && begin.elapsed() >= LOOKS_AT_MOST, "{refused}");
    // Nobody renews it any more.
    let _proof = proof().await.unwrap();
    let lease = fake.get(PATH).unwrap();
    assert_eq!(
        (holder(&fake), &lease["metadata"]["labels"][PURPOSE_LABEL]),
        (json!("proof"), &json!("prove"))
    );
}
