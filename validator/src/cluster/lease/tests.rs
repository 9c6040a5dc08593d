//! The Lease at the fake API server.

use super::*;
use crate::cluster::fake::Fake;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/demo/leases/golive-validator";

async fn take(cluster: &Cluster, holder: &str) -> Result<HeldLease, Failure> {
    HeldLease::take(cluster, holder, Takeover::Lapsed, |_| {}).await
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
    let second = HeldLease::take(&cluster, "b", Takeover::AtOnce, |_| {}).await.unwrap();
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
    assert!(take_over(&cluster, "b", &found).await.unwrap());
    assert!(!take_over(&cluster, "c", &found).await.unwrap());
    assert_eq!(holder(&fake), "b");
    assert!(matches!(renewal(&cluster, "dead").await.unwrap(), Renewal::Other));
}
