//! When there is nothing left to do now: no request being answered, no batch in hand, no message that could be received,
//! no webhook due. A condition that is looked at whenever something changed, never a guess by waiting long enough.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// A change outside this module's sight (a sandbox's own bookkeeping) is noticed after this long at the latest.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Counts what is in hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quiet {
    activity: watch::Sender<Activity>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Activity {
    in_hand: usize,
    // Grows with every beginning, so that work which hopped from one place to another between two looks is noticed.
    begun: u64,
}

/// Something is in hand as long as this lives.
#[derive(Debug)]
pub(crate) struct Busy {
    activity: watch::Sender<Activity>,
}

/// Work that nobody has taken in hand yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Messages that could be received from the queue now.
    pub messages: usize,
    /// Webhooks of sandboxes whose time has come.
    pub webhooks: usize,
}

/// It did not become quiet in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "still busy: {in_hand} in hand, {} messages and {} webhooks waiting", .waiting.messages, .waiting.webhooks
)]
pub(crate) struct StillBusy {
    /// Requests and batches that were being worked on.
    pub in_hand: usize,
    /// What nobody had taken in hand.
    pub waiting: Waiting,
}

impl Quiet {
    /// Takes something in hand.
    #[must_use]
    pub(crate) fn busy(&self) -> Busy {
        self.activity.send_modify(|activity| {
            activity.in_hand = activity.in_hand.saturating_add(1);
            activity.begun = activity.begun.wrapping_add(1);
        });
        Busy { activity: self.activity.clone() }
    }

    /// Returns once nothing is in hand and nothing is waiting, both at one moment.
    ///
    /// # Errors
    /// When that moment does not come within the limit.
    pub(crate) async fn reached<F>(&self, waiting: impl Fn() -> F, limit: Duration) -> Result<(), StillBusy>
    where
        F: Future<Output = Waiting>,
    {
        let mut changes = self.activity.subscribe();
        let deadline = Instant::now().checked_add(limit);
        loop {
            let before = *changes.borrow_and_update();
            let left = waiting().await;
            let nothing_moved = *self.activity.borrow() == before;
            if before.in_hand == 0 && left == Waiting::default() && nothing_moved {
                return Ok(());
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(StillBusy { in_hand: before.in_hand, waiting: left });
            }
            // Either something changed or it is time to look again: both lead back to the condition.
            let _ = timeout(LOOK_AGAIN, changes.changed()).await;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.activity.send_modify(|activity| activity.in_hand = activity.in_hand.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn it_is_quiet_only_when_nothing_is_in_hand_and_nothing_waits() {
        let quiet = Quiet::default();
        let messages = Arc::new(AtomicUsize::new(1));
        let waiting = || {
            let messages = messages.load(Ordering::SeqCst);
            async move { Waiting { messages, webhooks: 0 } }
        };
        let limit = Duration::from_secs(1);
        let busy = quiet.busy();
        assert_eq!(quiet.reached(waiting, limit).await.unwrap_err().waiting.messages, 1);
        messages.store(0, Ordering::SeqCst);
        assert_eq!(quiet.reached(waiting, limit).await.unwrap_err().in_hand, 1);
        drop(busy);
        quiet.reached(waiting, limit).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_hops_between_two_looks_is_not_missed() {
        let quiet = Quiet::default();
        let looks = AtomicUsize::new(0);
        // While the queue is looked at for the first time, a whole piece of work comes and goes.
        let waiting = || {
            if looks.fetch_add(1, Ordering::SeqCst) == 0 {
                drop(quiet.busy());
            }
            async { Waiting::default() }
        };
        quiet.reached(waiting, Duration::from_secs(1)).await.unwrap();
        assert_eq!(looks.load(Ordering::SeqCst), 2, "the first look proved nothing");
    }
}
