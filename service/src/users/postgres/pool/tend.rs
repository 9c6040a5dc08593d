use std::time::Duration;

use deadpool::managed;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::connector::{Connector, OLDEST};

/// Idle time after which a connection is closed, if there are more than the fewest.
const IDLE: Duration = Duration::from_mins(10);
const INTERVAL: Duration = Duration::from_mins(1);
const RETRY: Duration = Duration::from_secs(1);
/// Attempts to open the fewest connections; after that the calls open what they need.
const WARM_UPS: usize = 30;

/// Opens the fewest connections, if that is possible soon, and then closes what is old or what nobody uses.
pub(super) async fn tend(pool: managed::Pool<Connector>, fewest: usize) {
    for _ in 0..WARM_UPS {
        // All at once, since one that is given back would be taken again.
        let opened = join_all((0..fewest).map(|_| pool.get())).await;
        if pool.is_closed() || opened.iter().all(Result::is_ok) {
            break;
        }
        drop(opened);
        sleep(RETRY).await;
    }
    while !pool.is_closed() {
        // Those that were idle longest come first.
        let mut surplus = pool.status().available.saturating_sub(fewest);
        pool.retain(|_, usage| {
            let goes = usage.age() > OLDEST || surplus > 0 && usage.last_used() >= IDLE;
            surplus = surplus.saturating_sub(usize::from(goes));
            !goes
        });
        sleep(INTERVAL).await;
    }
}
