//! The Lease of operators at the fake API server.

use super::*;
use crate::cluster::fake::Fake;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases/golive-operator";

fn holder(fake: &Fake) -> Value {
    fake.get(PATH).unwrap()["spec"]["holderIdentity"].clone()
}

#[test]
fn it_is_taken_from_nobody_from_oneself_and_from_the_dead() {
    let moment = Duration::from_secs(1);
    for (holder, unchanged, free) in [
        (None, moment, true),
        (Some(""), moment, true),
        (Some("me"), moment, true),
        (Some("other"), moment, false),
        (Some("other"), LAPSE.saturating_sub(moment), false),
        (Some("other"), LAPSE, true),
    ] {
        assert_eq!(is_free(holder, "me", unchanged), free, "{holder:?} for {unchanged:?}");
    }
    assert!(GIVE_UP < LAPSE && RENEWAL * 2 < GIVE_UP, "it is tried twice, and given up before it is taken");
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_whoever_waits_begins_again_at_each_renewal() {
    let mut seen = Seen { version: None, since: Instant::now() };
    assert_eq!(seen.unchanged(Some("1")), Duration::ZERO);
    tokio::time::advance(LAPSE).await;
    assert!(seen.unchanged(Some("1")) >= LAPSE);
    assert_eq!(seen.unchanged(Some("2")), Duration::ZERO);
}

#[tokio::test]
async fn a_second_one_stands_by_until_the_first_has_ended() {
    let (fake, client) = Fake::client().await;
    let first = Leader::elected(client.clone()).await.unwrap();
    let second = tokio::spawn(Leader::elected(client));
    sleep(LOOK * 2).await;
    assert!(!second.is_finished());
    assert_eq!(holder(&fake), json!(first.me));
    first.release().await;
    let second = timeout(LOOK * 3, second).await.unwrap().unwrap().unwrap();
    assert_eq!(holder(&fake), json!(second.me));
}

#[tokio::test]
async fn whoever_has_lost_it_hears_of_it_and_gives_back_nothing() {
    let (fake, client) = Fake::client().await;
    let leader = Leader::elected(client).await.unwrap();
    let mut lease = fake.get(PATH).unwrap();
    lease["spec"]["holderIdentity"] = json!("other");
    fake.put(PATH, lease);
    let lost = timeout(RENEWAL * 2, leader.lost()).await.unwrap();
    assert!(lost.to_string().contains("somebody else has the Lease golive-operator"), "{lost}");
    leader.release().await;
    assert_eq!(holder(&fake), "other");
}

#[tokio::test]
async fn one_that_cannot_renew_it_ends_before_it_is_taken_away() {
    let (fake, client) = Fake::client().await;
    let leader = Leader::elected(client).await.unwrap();
    fake.refuse(PATH, u32::MAX);
    let lost = timeout(LAPSE, leader.lost()).await.unwrap();
    assert!(lost.to_string().contains("was not renewed for 12 s"), "{lost}");
}
