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
    async fn a_consumer_finishes_its_message_and_takes_no_other() {
        let work = Work::default();
        let (taken, mut messages) = tokio::sync::mpsc::unbounded_channel();
        let (signal, signalled) = tokio::sync::oneshot::channel();
        let leaving = work.leaving().clone();
        work.spawn(async move {
            let mut number = 0;
            let mut signal = Some(signal);
            while !leaving.is_cancelled() {
                if let Some(signal) = signal.take() {
                    let _ = signal.send(());
                }
                // The signal comes within this message.
                leaving.cancelled().await;
                number += 1;
                let _ = taken.send(number);
            }
        });
        signalled.await.expect("it has begun");
        work.leave();
        work.finished().await;
        assert_eq!((messages.recv().await, messages.recv().await), (Some(1), None));
    }
}
