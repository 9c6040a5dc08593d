//! Ten thousand callers at the moment when a trial is due, a thousand times; the database counts who reached it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use golive_pillars::breaker::{Breaker, CallError, Class, Classify, Config, State};
use tokio::sync::Semaphore;

use super::harness::World;

const ROUNDS: i64 = 1_000;
const TASKS: usize = 4;
const CALLERS: usize = 10_000;

#[derive(Debug)]
struct Fault;

impl Classify for Fault {
    fn class(&self) -> Class {
        Class::Failure
    }
}

/// One round: everybody asks; the trial ends, as a failure, when all the others have been refused.
struct Round {
    refused: AtomicUsize,
    all_refused: Semaphore,
}

impl Round {
    async fn ask(&self, breaker: &Breaker, database: &sqlx::PgPool) {
        let trial = async {
            let count = "SELECT nextval('trials')";
            let _: i64 = sqlx::query_scalar(count).fetch_one(database).await.map_err(|_| Fault)?;
            let _ = self.all_refused.acquire().await;
            Err::<(), _>(Fault)
        };
        if let Err(CallError::NotPermitted { .. }) = breaker.call(trial).await
            && self.refused.fetch_add(1, Ordering::SeqCst) + 1 == CALLERS - 1
        {
            self.all_refused.add_permits(1);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_ten_thousand_callers_reaches_the_database_a_thousand_times() {
    let world = World::new().await;
    let database = sqlx::PgPool::connect(&world.url()).await.unwrap();
    sqlx::query("CREATE SEQUENCE trials").execute(&database).await.unwrap();
    let open_for = Duration::from_millis(10);
    // The trial waits for 10,000 refusals, which may take a slow build longer than the usual 3 s.
    let config = Config::default().min_calls(1).open_for(open_for).deadline(Duration::from_mins(1));
    let breaker = Breaker::new("test", config).unwrap();
    let _ = breaker.call(async { Err::<(), _>(Fault) }).await;
    for round in 1..=ROUNDS {
        assert_eq!(breaker.state(), State::Open);
        tokio::time::sleep(open_for).await;
        let state = Arc::new(Round { refused: AtomicUsize::new(0), all_refused: Semaphore::new(0) });
        let tasks = (0..TASKS).map(|_| {
            let (state, breaker, database) = (Arc::clone(&state), breaker.clone(), database.clone());
            tokio::spawn(async move {
                join_all((0..CALLERS / TASKS).map(|_| state.ask(&breaker, &database))).await;
            })
        });
        join_all(tasks).await.into_iter().for_each(|task| task.unwrap());
        let reached: i64 =
            sqlx::query_scalar("SELECT last_value FROM trials").fetch_one(&database).await.unwrap();
        assert_eq!(reached, round, "calls that reached the database");
    }
}
