//! What a run tells of itself while it works, for whoever listens: a terminal, an operator.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// Events that wait for a listener at most; whoever is later than that misses some.
const ROOM: usize = 256;

/// One event.
#[derive(Debug)]
pub enum Event {
    /// What is being done now, in words.
    Step(String),
    /// How long is left from now, as far as it can be known.
    Left(Duration),
    /// Others are about to speak: whoever shows something that moves takes it away, and then answers.
    Settle(oneshot::Sender<()>),
}

/// Where a run tells them; a clone tells the same listener. The stream ends with the last of them.
#[derive(Clone, Debug)]
pub struct Events {
    to: mpsc::Sender<Event>,
}

impl Events {
    /// A place to tell events, and the stream of them, in order.
    pub fn stream() -> (Self, mpsc::Receiver<Event>) {
        let (to, from) = mpsc::channel(ROOM);
        (Self { to }, from)
    }

    /// A place that nobody listens to.
    pub fn unheard() -> Self {
        Self::stream().0
    }

    /// Tells what is being done. Never waits: a listener that is gone, or late, changes nothing of a run.
    pub fn tell(&self, what: impl Into<String>) {
        self.send(Event::Step(what.into()));
    }

    /// Tells how long is left from now.
    pub fn expect(&self, left: Duration) {
        self.send(Event::Left(left));
    }

    /// Waits until the listener has heard everything so far; not at all where there is none.
    pub async fn settle(&self) {
        let (answer, settled) = oneshot::channel();
        if self.to.send(Event::Settle(answer)).await.is_ok() {
            settled.await.ok(); // a listener that is gone has heard what it could
        }
    }

    fn send(&self, event: Event) {
        self.to.try_send(event).ok(); // see `tell`
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Events, ROOM};

    #[tokio::test]
    async fn a_run_waits_neither_for_a_late_listener_nor_for_one_that_is_gone() {
        let (events, mut stream) = Events::stream();
        (0..ROOM + 9).for_each(|number| events.tell(number.to_string()));
        let mut heard = 0;
        while let Ok(Event::Step(text)) = stream.try_recv() {
            assert_eq!(text, heard.to_string());
            heard += 1;
        }
        assert_eq!(heard, ROOM);
        drop(stream);
        events.tell("to nobody");
        events.settle().await;
        Events::unheard().settle().await;
    }

    #[tokio::test]
    async fn everything_before_is_heard_before_it_has_settled() {
        let (events, mut stream) = Events::stream();
        events.tell("one");
        let listening = tokio::spawn(async move {
            let mut heard = Vec::new();
            while let Some(event) = stream.recv().await {
                match event {
                    Event::Step(text) => heard.push(text),
                    Event::Settle(answer) => {
                        heard.push("settled".to_owned());
                        answer.send(()).unwrap();
                    }
                    Event::Left(_) => {}
                }
            }
            heard
        });
        events.settle().await;
        events.tell("two");
        drop(events);
        assert_eq!(listening.await.unwrap(), ["one", "settled", "two"]);
    }
}
