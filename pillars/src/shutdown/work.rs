use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Background work on the shutdown clock: consumers, writers, timers. Clones share it.
///
/// Work takes no more from the signal on ([`Work::leaving`]), finishes what it has, and is waited for by
/// [`Work::finished`]; the forced exit of the clock bounds it.
#[derive(Clone, Debug, Default)]
pub struct Work {
    tasks: TaskTracker,
    leaving: CancellationToken,
}

impl Work {
    /// Starts a task that the end of the process waits for. Must be called on a runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Cancelled at the signal: ask it between two messages, not within one.
    pub fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// Waits until the signal has come and every task has ended. Cancel safe.
    pub async fn finished(&self) {
        self.leaving.cancelled().await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) fn leave(&self) {
        self.leaving.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_waits_for_a_consumer_that_finishes_its_message_and_takes_no_other() {
        let work = Work::default();
        let (done, mut messages) = tokio::sync::mpsc::unbounded_channel();
        let (begun, first) = tokio::sync::oneshot::channel();
        let leaving = work.leaving().clone();
        work.spawn(async move {
            let _ = begun.send(());
            let mut number = 0;
            while !leaving.is_cancelled() {
                number += 1;
                // The signal comes within the first message, which takes its time after it.
                leaving.cancelled().await;
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                let _ = done.send(number);
            }
        });
        first.await.expect("it has begun");
        work.leave();
        work.finished().await;
        // Not waited for again: it is there by now, or the end came too early.
        assert_eq!((messages.try_recv().ok(), messages.try_recv().ok()), (Some(1), None));
    }

    #[tokio::test]
    async fn without_a_signal_nothing_ends() {
        let work = Work::default();
        tokio::time::timeout(std::time::Duration::from_millis(20), work.finished())
            .await
            .expect_err("no signal");
    }
}
