//! The time that a comparison is about.

use escrow_domain::time::{Period, Timestamp};

/// How far clocks differ, and how long a gateway takes to book what it has told.
const BLUR: Period = Period::hours(1);

/// A window of time, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// From here on.
    pub(crate) from: Timestamp,
    /// Until before this.
    pub(crate) until: Timestamp,
}

impl Window {
    /// Whether something of that time must stand in a statement of this window: at its edges it may stand in the next one.
    #[must_use]
    pub(crate) fn is_inside(self, at: Timestamp) -> bool {
        self.from.after(BLUR) <= at && at < self.until.before(BLUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_at_the_edge_is_not_demanded() {
        let at = |hours: i64| Timestamp::from_seconds(hours * 3_600);
        let window = Window { from: at(10), until: at(20) };
        let inside: Vec<i64> = (8..23).filter(|hours| window.is_inside(at(*hours))).collect();
        assert_eq!(inside, (11..19).collect::<Vec<_>>());
    }
}
