//! The time that a comparison is about.

use escrow_domain::time::{Period, Timestamp};

/// How far clocks differ, and how long a gateway takes to book what it has told.
const BLUR: Period = Period::hours(1);
/// How late we may have heard of something: gateways repeat their webhooks for three days. What was booked so late has happened before
/// the window.
const LATE: Period = Period::days(3);

/// A window of time, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// From here on.
    pub(crate) from: Timestamp,
    /// Until before this.
    pub(crate) until: Timestamp,
}

impl Window {
    /// Whether something of that time must stand in a statement of this window: at its end it may stand in the next one, and
    /// at its beginning, if its webhook was long on its way, in the one before.
    #[must_use]
    pub(crate) fn is_inside(self, at: Timestamp) -> bool {
        self.from.after(LATE).after(BLUR) <= at && at < self.until.before(BLUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_at_an_edge_or_was_heard_of_late_is_not_demanded() {
        let at = |hours: i64| Timestamp::from_seconds(hours * 3_600);
        let window = Window { from: at(10), until: at(100) };
        let inside: Vec<i64> = (8..110).filter(|hours| window.is_inside(at(*hours))).collect();
        assert_eq!(inside, (83..99).collect::<Vec<_>>());
    }
}
