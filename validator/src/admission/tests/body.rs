use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use futures_util::stream::pending;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::super::body::Room;
use super::{GOOD, deployment, review};

/// One whose deployment has a variable of so many `<`, which the API server writes as six bytes each.
fn question(of: usize) -> Body {
    let mut object = deployment(&[&format!("users@{GOOD}")], "");
    object["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{ "name": "X", "value": "<".repeat(of) }]);
    Body::from(review(&object, None, "ann").to_string().replace('<', "\\u003c"))
}

/// One that does not end.
fn endless() -> Body {
    Body::from_stream(pending::<std::io::Result<Bytes>>())
}

async fn read(room: Room, body: Body) -> Result<(), u16> {
    room.read(body).await.map(drop).map_err(|(status, _)| status.as_u16())
}

#[tokio::test(start_paused = true)]
async fn long_bodies_wait_for_one_another_and_short_ones_for_nobody() {
    let room = Room::new();
    let strangers = [endless(), endless()].map(|body| tokio::spawn(read(room.clone(), body)));
    sleep(Duration::from_secs(1)).await;
    let begin = Instant::now();
    read(room.clone(), question(0)).await.unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
    read(room, question(50_000)).await.unwrap();
    assert!(begin.elapsed() > Duration::from_secs(5), "there was room for one more");
    for stranger in strangers {
        assert_eq!(stranger.await.unwrap(), Err(408));
    }
}

#[tokio::test]
async fn a_review_as_long_as_the_api_server_makes_one_is_read() {
    let long = question(1_500_000);
    assert!(long.size_hint().lower() > 8 * 1024 * 1024);
    read(Room::new(), long).await.unwrap();
}

#[tokio::test]
async fn what_is_no_review_or_longer_than_one_can_be_is_refused() {
    let long = Body::from(vec![b' '; 41 * 1024 * 1024]);
    assert_eq!(read(Room::new(), long).await, Err(413));
    assert_eq!(read(Room::new(), Body::from("{}")).await, Err(422));
}
