//! The gateway of these lives: it remembers keys for a while, answers as it likes, and tells what it did in any order.

use super::{Played, World};
use crate::payouts::purse::{STRIPE, money};
use escrow_domain::id::{Operation, PayoutId};
use escrow_domain::journal::Actor;
use escrow_domain::payout::{PayoutCommand, PayoutFact, TransferOutcome};
use escrow_domain::time::{Period, Timestamp};

/// How long the gateway really repeats its answer to a key: longer than is counted on.
const REMEMBERS: Period = Period::hours(24);

/// What the gateway answers to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Made: the transfer of that index.
    Made(usize),
    /// No, for good.
    Refused,
    /// No, for now.
    NotNow,
    /// A 5xx.
    Broken,
}

pub(super) struct Transfer {
    pub(super) payout: PayoutId,
    pub(super) units: i64,
    pub(super) reversed: i64,
}

/// A request that nobody waits for any more, and that may still arrive.
#[derive(Clone)]
pub(super) struct Loose {
    pub(super) payout: usize,
    pub(super) key: String,
    pub(super) dies: Timestamp,
}

impl World {
    pub(super) fn arrive(&mut self, at: usize, key: &str, choice: u8) -> Answer {
        if let Some((since, answer)) = self.answers.get(key)
            && self.now < since.after(REMEMBERS)
        {
            return *answer;
        }
        let payout = &self.books.payouts[at];
        let answer = match choice % 8 {
            0..=3 => {
                let (payout, units) = (payout.id, payout.money.amount.units());
                self.made.push(Transfer { payout, units, reversed: 0 });
                Answer::Made(self.made.len() - 1)
            }
            // A request that was refused before it was looked at is not remembered.
            4 if choice < 128 => return Answer::Refused,
            4 => Answer::Refused,
            5 => return Answer::NotNow,
            6 => Answer::NotNow,
            _ => Answer::Broken,
        };
        self.answers.insert(key.to_owned(), (self.now, answer));
        answer
    }

    pub(super) fn tell_sent(&mut self, index: usize) -> Played {
        let transfer = &self.made[index];
        let (id, units) = (transfer.payout, transfer.units);
        let Some(at) = self.books.payouts.iter().position(|payout| payout.id == id) else { return Ok(()) };
        let reference = format!("tr_{index}");
        let operation = Operation::of_gateway(STRIPE, &reference, "sent");
        let fact =
            PayoutFact::Transfer { gateway: STRIPE, reference, money: money(units), outcome: TransferOutcome::Sent };
        self.decide(at, Actor::gateway(), operation, PayoutCommand::Fact(fact))
    }

    pub(super) fn tell_reversed(&mut self, (index, total): (usize, i64)) -> Played {
        let transfer = &self.made[index];
        let (id, units) = (transfer.payout, transfer.units);
        let Some(at) = self.books.payouts.iter().position(|payout| payout.id == id) else { return Ok(()) };
        let fact = PayoutFact::Reversed {
            gateway: STRIPE,
            reference: format!("tr_{index}"),
            money: money(units),
            total: money(total),
            reason: None,
        };
        let operation = Operation::of_gateway(STRIPE, &format!("trr_{index}_{total}"), "reversed");
        self.decide(at, Actor::gateway(), operation, PayoutCommand::Fact(fact))
    }
}
