//! A milestone: one part of the work with its money, its clocks, and the stage that follows from both.

use crate::fees::{self, Fee};
use crate::lifecycle::{Role, Stage};
use crate::money::{Minor, OutOfBounds};
use crate::policy::words;
use crate::time::{Period, Timestamp};

/// The money of a milestone: a strict partition of its amount. All in minor units of the escrow's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buckets {
    /// Not paid yet.
    pub unfunded: Minor,
    /// Paid, and nobody's yet.
    pub held: Minor,
    /// Locked by a dispute.
    pub disputed: Minor,
    /// The seller's.
    pub released: Minor,
    /// On its way back to the buyer.
    pub refunding: Minor,
    /// Back with the buyer.
    pub refunded: Minor,
}

/// One of the buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the field of `Buckets` of that name")]
pub enum Bucket {
    Unfunded,
    Held,
    Disputed,
    Released,
    Refunding,
    Refunded,
}

words!(Bucket {
    Unfunded = "unfunded",
    Held = "held",
    Disputed = "disputed",
    Released = "released",
    Refunding = "refunding",
    Refunded = "refunded",
});

impl Buckets {
    /// A milestone that waits for its payment.
    #[must_use]
    pub fn unfunded(amount: Minor) -> Self {
        Self { unfunded: amount, ..Self::default() }
    }

    /// The content of one bucket.
    #[must_use]
    pub const fn get(&self, bucket: Bucket) -> Minor {
        match bucket {
            Bucket::Unfunded => self.unfunded,
            Bucket::Held => self.held,
            Bucket::Disputed => self.disputed,
            Bucket::Released => self.released,
            Bucket::Refunding => self.refunding,
            Bucket::Refunded => self.refunded,
        }
    }

    const fn set(&mut self, bucket: Bucket, amount: Minor) {
        match bucket {
            Bucket::Unfunded => self.unfunded = amount,
            Bucket::Held => self.held = amount,
            Bucket::Disputed => self.disputed = amount,
            Bucket::Released => self.released = amount,
            Bucket::Refunding => self.refunding = amount,
            Bucket::Refunded => self.refunded = amount,
        }
    }

    /// Moves money from one bucket to another: the only way a bucket changes.
    ///
    /// # Errors
    /// [`OutOfBounds`] if `from` holds less.
    pub fn shift(&mut self, from: Bucket, to: Bucket, amount: Minor) -> Result<(), OutOfBounds> {
        self.set(from, self.get(from).minus(amount)?);
        self.set(to, self.get(to).plus(amount)?);
        Ok(())
    }

    /// All buckets together: always the milestone's amount.
    ///
    /// # Errors
    /// [`OutOfBounds`] if the sum is no amount.
    pub fn sum(&self) -> Result<Minor, OutOfBounds> {
        Minor::sum(Bucket::ALL.iter().map(|bucket| self.get(*bucket)))
    }
}

/// How a milestone ended before it was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// A party or an operator gave it up.
    Cancelled,
    /// Nobody paid in time.
    Expired,
}

words!(Ended { Cancelled = "cancelled", Expired = "expired" });

/// Something that one side may not do alone: it waits for the other side's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub by: Role,
    /// For what.
    pub what: AskFor,
    /// When.
    pub at: Timestamp,
}

/// What one side asks the other for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskFor {
    /// That what is held goes back to the buyer.
    Cancel,
    /// That the running deadline moves to this moment.
    Extend(Timestamp),
}

/// One part of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    /// What it is, in words: 1 to 100 characters.
    pub title: String,
    /// What it costs, without the buyer's fee.
    pub amount: Minor,
    /// The platform's fee on it, pinned at creation.
    pub fee: Fee,
    /// Where the money is.
    pub money: Buckets,
    /// Set when it ended unpaid.
    pub ended: Option<Ended>,
    /// When it was paid.
    pub funded_at: Option<Timestamp>,
    /// When it was delivered; taken away again when changes are requested.
    pub delivered_at: Option<Timestamp>,
    /// When an undelivered milestone is refunded.
    pub deliver_by: Option<Timestamp>,
    /// When a delivered milestone is released by itself.
    pub auto_release_at: Option<Timestamp>,
    /// What one side has asked the other for; the latest counts, and it lapses when the stage changes.
    pub asked: Option<Ask>,
    /// The deadline of which both sides have been reminded.
    pub reminded_for: Option<Timestamp>,
    /// How often changes were requested.
    pub rounds: u8,
    /// All extensions together.
    pub extended: Period,
    /// How long freezes and reviews have stopped its clocks since delivery; added to the window for disputes.
    pub paused: Period,
}

impl Milestone {
    /// A milestone that waits for its payment.
    #[must_use]
    pub fn unfunded(title: String, amount: Minor, fee: Fee) -> Self {
        Self {
            title,
            amount,
            fee,
            money: Buckets::unfunded(amount),
            ended: None,
            funded_at: None,
            delivered_at: None,
            deliver_by: None,
            auto_release_at: None,
            asked: None,
            reminded_for: None,
            rounds: 0,
            extended: Period::ZERO,
            paused: Period::ZERO,
        }
    }

    /// Where it stands: disputed, else delivered or held, else refunding, else what became of the money.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self.ended {
            Some(Ended::Cancelled) => return Stage::Cancelled,
            Some(Ended::Expired) => return Stage::Expired,
            None => {}
        }
        let money = &self.money;
        if !money.unfunded.is_zero() {
            Stage::Pending
        } else if !money.disputed.is_zero() {
            Stage::Disputed
        } else if !money.held.is_zero() {
            // What is still held keeps its clocks while a part is on its way back.
            if self.delivered_at.is_some() { Stage::Delivered } else { Stage::Held }
        } else if !money.refunding.is_zero() {
            Stage::Refunding
        } else if money.refunded.is_zero() {
            Stage::Released
        } else if money.released.is_zero() {
            Stage::Refunded
        } else {
            Stage::Split
        }
    }

    /// Every stage that a part of its money is in: only the disputed part is locked, the rest goes on.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        let whole = self.stage();
        if whole.is_final() || whole == Stage::Pending {
            return vec![whole];
        }
        let kept = if self.delivered_at.is_some() { Stage::Delivered } else { Stage::Held };
        [(self.money.held, kept), (self.money.disputed, Stage::Disputed), (self.money.refunding, Stage::Refunding)]
            .into_iter()
            .filter(|(amount, _)| !amount.is_zero())
            .map(|(_, stage)| stage)
            .collect()
    }

    /// The moment at which time ends what is held: it is released once delivered, and goes back before. `None` while nothing is held.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.money.held.is_zero() { None } else { self.auto_release_at.or(self.deliver_by) }
    }

    /// What the buyer pays for it: the amount and the buyer's fee.
    ///
    /// # Errors
    /// [`OutOfBounds`] if the sum is no amount.
    pub fn charged(&self) -> Result<Minor, OutOfBounds> {
        self.amount.plus(self.fee.buyer)
    }

    /// What of the buyer's fee is still held beside the buckets.
    ///
    /// # Errors
    /// [`OutOfBounds`] if more was released or refunded than there was.
    pub fn fee_held(&self) -> Result<Minor, OutOfBounds> {
        if !self.money.unfunded.is_zero() {
            return Ok(Minor::ZERO);
        }
        let gone = self.money.refunding.plus(self.money.refunded)?;
        self.fee.buyer.minus(fees::taken(self.fee.buyer, self.money.released, self.amount)?)?.minus(fees::returned(
            self.fee.buyer,
            gone,
            self.amount,
        )?)
    }

    /// The last moment (exclusive) at which the buyer may dispute; `None` before delivery, when only release ends it.
    #[must_use]
    pub fn dispute_until(&self, window: Period) -> Option<Timestamp> {
        self.delivered_at.map(|delivered| delivered.after(window).after(self.paused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(units: i64) -> Minor {
        Minor::new(units).unwrap()
    }

    #[test]
    fn the_stage_follows_from_the_money() {
        let paid = |held, disputed, released, refunding, refunded, delivered: bool| {
            let sum: i64 = held + disputed + released + refunding + refunded;
            let mut milestone = Milestone::unfunded("Work".into(), minor(sum), Fee::default());
            milestone.money = Buckets {
                unfunded: Minor::ZERO,
                held: minor(held),
                disputed: minor(disputed),
                released: minor(released),
                refunding: minor(refunding),
                refunded: minor(refunded),
            };
            milestone.delivered_at = delivered.then_some(Timestamp::from_seconds(1));
            milestone.stage().as_str()
        };
        assert_eq!(Milestone::unfunded("Work".into(), minor(1), Fee::default()).stage(), Stage::Pending);
        for (stage, expected) in [
            (paid(9, 0, 0, 0, 0, false), "held"),
            (paid(9, 0, 0, 0, 0, true), "delivered"),
            (paid(5, 4, 0, 0, 0, true), "disputed"),
            (paid(0, 0, 0, 9, 0, true), "refunding"),
            (paid(0, 0, 5, 4, 0, true), "refunding"),
            (paid(0, 0, 9, 0, 0, true), "released"),
            (paid(0, 0, 0, 0, 9, false), "refunded"),
            (paid(0, 0, 5, 0, 4, true), "split"),
        ] {
            assert_eq!(stage, expected);
        }
    }

    #[test]
    fn a_bucket_is_never_overdrawn() {
        let mut money = Buckets::unfunded(minor(10));
        assert_eq!(money.shift(Bucket::Held, Bucket::Released, minor(1)), Err(OutOfBounds));
        assert_eq!(money, Buckets::unfunded(minor(10)));
    }
}
