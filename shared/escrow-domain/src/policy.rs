//! The rules of one deal, pinned in the escrow when it is created: how long each side has, and what silence means.

use crate::time::Period;

/// What is sold. It chooses the defaults of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Delivered the moment it is paid (a file, a licence); released at once unless an inspection period is set.
    Product,
    /// Work that is delivered once.
    Service,
    /// Work in parts.
    Project,
}

/// A text names no kind, no default, no payer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known words")]
pub struct UnknownWord;

/// Gives a closed set of words its text, both ways, from one list.
macro_rules! words {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As the API writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::policy::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err($crate::policy::UnknownWord) }
            }
        }
    };
}
pub(crate) use words;

words!(Kind { Product = "product", Service = "service", Project = "project" });

/// What happens to a dispute that nobody rules in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisputeDefault {
    /// The disputed part goes back to the buyer.
    RefundBuyer,
    /// The disputed part goes to the seller.
    ReleaseSeller,
}

words!(DisputeDefault { RefundBuyer = "refund_buyer", ReleaseSeller = "release_seller" });

/// No period of a policy may be longer.
pub const LONGEST_PERIOD: Period = Period::days(365);
/// How long both sides may bring evidence before an arbiter may rule.
pub const EVIDENCE_WINDOW: Period = Period::days(2);
/// How often a buyer may ask for changes of one milestone.
pub const MOST_ROUNDS: u8 = 3;
/// How often one milestone may be disputed.
pub const MOST_DISPUTES: u8 = 2;
/// A seller has at most this long for a revision, from the request for changes on.
pub const REVISION_TIME: Period = Period::days(7);
/// All extensions of one milestone together.
pub const LONGEST_EXTENSION: Period = Period::days(30);
/// Both sides are reminded this long before a deadline.
pub const REMINDED_BEFORE: Period = Period::days(1);
/// Of a deadline that was nearer than this when it was set nobody is reminded.
pub const REMINDED_FROM: Period = Period::days(2);
/// A withdrawn dispute gives its clock back, at least this much of it.
pub const LEAST_AFTER_DISPUTE: Period = Period::days(1);
/// A milestone that was never funded is given up after this long.
pub const ABANDONED_AFTER: Period = Period::days(30);
/// A payment that the gateway calls *processing* postpones the expiry by at most this much.
pub const LONGEST_PROCESSING: Period = Period::days(14);
/// A refund without an answer is put before an operator after this long.
pub const REFUND_REVIEW_AFTER: Period = Period::days(30);
/// A checkout lives at least this long. Stripe's pages live from 30 minutes to 24 hours after *its* clock has seen the request
/// (Checkout Session `expires_at`); the second half hour is for repeating a request whose answer was lost, which must send the same
/// moment.
pub const SHORTEST_CHECKOUT: Period = Period::hours(1);
/// A checkout lives at most this long; see [`SHORTEST_CHECKOUT`].
pub const LONGEST_CHECKOUT: Period = Period::hours(24);

/// The durations and defaults of one escrow. Windows are half-open: at the deadline itself the window is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// From delivery to the release that needs nobody.
    pub auto_release_after: Period,
    /// From payment to the refund of what was never delivered.
    pub deliver_within: Period,
    /// From delivery to the last moment a buyer may dispute.
    pub dispute_window: Period,
    /// From payment to the last moment a buyer may withdraw without asking.
    pub cancel_window: Period,
    /// From creation to the expiry of an unpaid checkout.
    pub checkout_expires_after: Period,
    /// From the opening of a dispute to its default.
    pub dispute_rule_within: Period,
    /// What that default is.
    pub dispute_default: DisputeDefault,
}

/// Which duration of a policy cannot be accepted, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PolicyInvalid {
    /// The name of the field, as the API writes it.
    pub field: &'static str,
    /// What is wrong, in words.
    pub problem: &'static str,
}

impl Policy {
    /// The rules that apply where a checkout says nothing.
    #[must_use]
    pub const fn defaults(kind: Kind) -> Self {
        let auto_release_after = match kind {
            Kind::Product => Period::ZERO,
            Kind::Service | Kind::Project => Period::days(7),
        };
        Self {
            auto_release_after,
            deliver_within: Period::days(30),
            dispute_window: Period::days(7),
            cancel_window: Period::days(1),
            checkout_expires_after: Period::hours(24),
            dispute_rule_within: Period::days(30),
            dispute_default: DisputeDefault::RefundBuyer,
        }
    }

    /// Whether these rules can be kept: every period within bounds, and no path longer than the gateway can hold money.
    ///
    /// # Errors
    /// [`PolicyInvalid`] names the first duration that cannot be accepted.
    pub fn check(&self, hold_limit: Option<Period>) -> Result<(), PolicyInvalid> {
        let refuse = |field, problem| Err(PolicyInvalid { field, problem });
        for (field, period) in [
            ("auto_release_after", self.auto_release_after),
            ("deliver_within", self.deliver_within),
            ("dispute_window", self.dispute_window),
            ("cancel_window", self.cancel_window),
            ("dispute_rule_within", self.dispute_rule_within),
        ] {
            if period > LONGEST_PERIOD {
                return refuse(field, "longer than P365D");
            }
        }
        if self.deliver_within < Period::hours(1) {
            return refuse("deliver_within", "shorter than PT1H: nobody could deliver in time");
        }
        if self.checkout_expires_after < SHORTEST_CHECKOUT || self.checkout_expires_after > LONGEST_CHECKOUT {
            return refuse("checkout_expires_after", "a checkout lives from PT1H to PT24H");
        }
        if self.dispute_rule_within <= EVIDENCE_WINDOW {
            return refuse("dispute_rule_within", "must be longer than the two days in which evidence is brought");
        }
        if hold_limit.is_some_and(|limit| self.longest_hold() > limit) {
            return refuse("deliver_within", "with the other periods, longer than the gateway lets money be held");
        }
        Ok(())
    }

    /// The longest that money can stay held on any path through the lifecycle, freezes and reviews aside.
    #[must_use]
    pub fn longest_hold(&self) -> Period {
        let mut longest = self.deliver_within.plus(LONGEST_EXTENSION);
        for _round in 0..MOST_ROUNDS {
            longest = longest.plus(self.auto_release_after).plus(REVISION_TIME);
        }
        longest = longest.plus(self.auto_release_after);
        for _dispute in 0..MOST_DISPUTES {
            longest = longest.plus(self.dispute_rule_within).plus(LEAST_AFTER_DISPUTE);
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_every_kind_can_be_kept() {
        for kind in Kind::ALL {
            assert_eq!(Policy::defaults(*kind).check(None), Ok(()), "{kind}");
        }
    }

    #[test]
    fn a_policy_that_cannot_be_kept_is_refused_with_the_field_that_breaks_it() {
        let base = Policy::defaults(Kind::Service);
        for (policy, limit, field) in [
            (Policy { auto_release_after: Period::days(366), ..base }, None, "auto_release_after"),
            (Policy { deliver_within: Period::ZERO, ..base }, None, "deliver_within"),
            (Policy { checkout_expires_after: Period::minutes(59), ..base }, None, "checkout_expires_after"),
            (Policy { checkout_expires_after: Period::hours(25), ..base }, None, "checkout_expires_after"),
            (Policy { dispute_rule_within: Period::days(2), ..base }, None, "dispute_rule_within"),
            (base, Some(Period::days(90)), "deliver_within"),
        ] {
            assert_eq!(policy.check(limit).map_err(|invalid| invalid.field), Err(field));
        }
    }
}
