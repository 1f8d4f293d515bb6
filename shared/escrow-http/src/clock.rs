//! The one clock. Tokens, signature tolerances, leases and timers read it; only sockets and the SDK's signing use the system's.

use escrow_domain::time::{Period, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time. Clones tell the same time, also after one of them was moved.
#[derive(Debug, Clone)]
pub struct Clock {
    base: Base,
    /// Milliseconds ahead of the base. It only grows: money has been moved by the times that were told.
    ahead: Arc<AtomicI64>,
}

#[derive(Debug, Clone, Copy)]
enum Base {
    System,
    Standing(Timestamp),
}

impl Clock {
    /// The system's time, as in Lambda.
    #[must_use]
    pub fn system() -> Self {
        Self::movable(Period::ZERO)
    }

    /// The system's time and so much more, as the local stack needs it after a restart.
    #[must_use]
    pub fn movable(offset: Period) -> Self {
        Self { base: Base::System, ahead: Arc::new(AtomicI64::new(offset.as_millis())) }
    }

    /// A clock that stands still until it is moved: tests say when something happens.
    #[must_use]
    pub fn standing(at: Timestamp) -> Self {
        Self { base: Base::Standing(at), ahead: Arc::new(AtomicI64::new(0)) }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let base = match self.base {
            Base::System => system_time(),
            Base::Standing(at) => at,
        };
        base.after(self.offset())
    }

    /// Moves it forward, and returns how far it is ahead in all, to be kept for a restart.
    pub fn advance(&self, by: Period) -> Period {
        let before = self
            .ahead
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |ahead| Some(ahead.saturating_add(by.as_millis())))
            .unwrap_or_else(|ahead| ahead);
        Period::from_millis(before).plus(by)
    }

    /// How far it is ahead of its base.
    #[must_use]
    pub fn offset(&self) -> Period {
        Period::from_millis(self.ahead.load(Ordering::SeqCst))
    }
}

/// The only place that asks the system for the time of day.
fn system_time() -> Timestamp {
    // A system clock before 1970 is a broken machine; every deadline then lies in the future, which is the safe side.
    #[expect(clippy::disallowed_methods, reason = "this is the one clock's own source")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_clock_tell_the_same_time_after_it_was_moved() {
        let clock = Clock::standing(Timestamp::from_seconds(1_000));
        let other = clock.clone();
        assert_eq!(clock.advance(Period::days(7)), Period::days(7));
        assert_eq!(other.now(), Timestamp::from_seconds(1_000).after(Period::days(7)));
        assert_eq!(other.advance(Period::days(1)), Period::days(8));
        assert_eq!(clock.offset(), Period::days(8));
    }

    #[test]
    fn a_movable_clock_starts_where_it_was_left() {
        let ahead = Clock::movable(Period::days(30)).now().since(Clock::system().now());
        assert!(ahead > Period::days(29) && ahead <= Period::days(30), "{ahead}");
    }
}
