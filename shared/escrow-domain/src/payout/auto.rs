//! Payouts that nobody asks for: the standing wish of a wallet's owner, kept by the sweep.
//!
//! The wish stands in the wallet, so that the wallet's own `due_at` brings the sweep to it: as soon as there is enough, or on schedule.

use super::ask::ask;
use super::refusal::PayoutRefusal;
use super::status::Rail;
use super::{NewPayout, PayoutChange, PayoutLimits, PayoutUndecided};
use crate::decide::Moment;
use crate::id::{Operation, PayoutId};
use crate::journal::Actor;
use crate::money::Minor;
use crate::policy::LONGEST_PERIOD;
use crate::refusal::{Broken, Undecided};
use crate::seller::Seller;
use crate::time::{Period, Timestamp};
use crate::wallet::{AutoPayout, LineKind, Wallet};

/// A payout by policy that cannot be made now is tried again after this long.
const AGAIN_AFTER: Period = Period::days(1);
/// A payout that failed or came back lets the next one by policy wait this long: what made it fail is seldom over the same day.
const AFTER_A_FAILURE: Period = Period::days(7);
/// No schedule is closer.
const SHORTEST_SCHEDULE: Period = Period::hours(1);

/// What is to be done about a wallet that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auto {
    /// Nothing: it is not due.
    Nothing,
    /// It cannot be paid out now; this wallet, which is only due later, takes its place.
    Later {
        /// The whole next wallet.
        wallet: Box<Wallet>,
        /// Why.
        why: PayoutRefusal,
    },
    /// This payout, with its move of the wallet.
    Pay(Box<PayoutChange>),
}

impl AutoPayout {
    /// The wish after a move of its wallet: when it is tried next.
    #[must_use]
    pub(crate) fn after(self, kind: LineKind, at: Timestamp) -> Self {
        let reached = self.next.map_or(at, |next| next.max(at));
        let next = match kind {
            LineKind::Release | LineKind::Refund | LineKind::TopUp | LineKind::ChargebackWon => Some(reached),
            LineKind::Payout => match self.every {
                // One that the owner asks for before its time leaves the schedule as it is.
                Some(every) if self.next.is_none_or(|next| next <= at) => Some(at.after(every)),
                // What it left, or what came while it was made, still waits: what there is decides, not that there was a payout.
                Some(_) | None => self.next,
            },
            LineKind::PayoutFailed | LineKind::PayoutReturned => Some(reached.max(at.after(AFTER_A_FAILURE))),
            LineKind::Funding | LineKind::Chargeback | LineKind::TopUpRefunded | LineKind::PayoutPaid => self.next,
        };
        Self { next, ..self }
    }
}

impl Wallet {
    /// When something must happen to it by itself: its owner's wish for payouts is due. `None` while there is not enough, or on hold.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let policy = self.auto_payout.filter(|_| self.hold.is_none())?;
        let enough = self.payable(&policy).is_some_and(|amount| amount >= policy.minimum);
        policy.next.filter(|_| enough)
    }

    /// How much its owner's wish would pay out now: all that is available and the gateway can move; `None` if that is nothing.
    fn payable(&self, policy: &AutoPayout) -> Option<Minor> {
        let step = if policy.gateway.is_some() { self.currency.payable_step() } else { 1 };
        let rest = self.available.units().checked_rem(step)?;
        let amount = Minor::new(self.available.units().checked_sub(rest)?).ok()?;
        (!amount.is_zero()).then_some(amount)
    }

    /// The wallet with this wish of its owner's, which counts from now on; without any if `None`.
    ///
    /// # Errors
    /// [`PayoutRefusal::BelowMinimum`] or [`PayoutRefusal::ScheduleInvalid`] if it could not be kept.
    pub fn with_auto_payout(
        &self,
        wish: Option<AutoPayout>,
        limits: &PayoutLimits,
        now: Timestamp,
    ) -> Result<Self, PayoutUndecided> {
        let mut next = self.clone();
        next.auto_payout = match wish {
            None => None,
            Some(wish) => {
                if wish.minimum < limits.minimum {
                    let minimum = limits.minimum.of(self.currency);
                    return Err(PayoutRefusal::BelowMinimum { minimum }.into());
                }
                if wish.every.is_some_and(|every| every < SHORTEST_SCHEDULE || every > LONGEST_PERIOD) {
                    return Err(PayoutRefusal::ScheduleInvalid.into());
                }
                Some(AutoPayout { next: Some(now), ..wish })
            }
        };
        next.count()
    }

    /// The wallet on hold, or without its hold: nothing that its owner spends or asks for leaves one that is.
    ///
    /// # Errors
    /// [`Undecided::Broken`] if the version has no end.
    pub fn held(&self, reason: Option<&str>) -> Result<Self, PayoutUndecided> {
        let mut next = self.clone();
        next.hold = reason.map(super::draft::bounded);
        next.count()
    }

    fn count(mut self) -> Result<Self, PayoutUndecided> {
        self.version = self.version.checked_add(1).ok_or(Broken("a version without end"))?;
        Ok(self)
    }
}

/// Keeps the wish of a wallet's owner: all that is available is paid out, once. The payout's id follows from the wallet as it was read,
/// so that two sweeps that meet make the same one.
///
/// # Errors
/// [`Undecided::Broken`] if an invariant of the money would not hold.
pub fn auto_payout(
    wallet: &Wallet,
    seller: Option<&Seller>,
    limits: &PayoutLimits,
    now: Moment,
) -> Result<Auto, PayoutUndecided> {
    let Some(due) = wallet.due_at().filter(|due| *due <= now.at) else { return Ok(Auto::Nothing) };
    let Some(policy) = wallet.auto_payout else { return Ok(Auto::Nothing) };
    let Some(amount) = wallet.payable(&policy) else { return Ok(Auto::Nothing) };
    let later = |why| {
        let mut next = wallet.clone();
        next.auto_payout = Some(AutoPayout { next: Some(now.at.after(AGAIN_AFTER)), ..policy });
        Ok(Auto::Later { wallet: Box::new(next.count()?), why })
    };
    let rail = match (policy.gateway, seller) {
        (None, _) => Ok(Rail::ByHand),
        (Some(gateway), Some(seller)) => seller.destination(gateway),
        (Some(gateway), None) => Seller::new(wallet.owner.clone(), now.at).destination(gateway),
    };
    let rail = match rail {
        Ok(rail) => rail,
        Err(why) => return later(why),
    };
    let version = wallet.version.to_string();
    let id = PayoutId::derive("automatic payout", wallet.owner.as_str(), wallet.currency.code(), &version);
    let (owner, money) = (wallet.owner.clone(), amount.of(wallet.currency));
    let new = NewPayout { id, owner, money, rail, tied_to: None };
    let operation = Operation::of_clock(&format!("ask {version}"), 0, due);
    match ask(&new, wallet, limits, Actor::clock(), operation, now) {
        Ok(change) => Ok(Auto::Pay(Box::new(change))),
        Err(Undecided::Refused(why)) => later(why),
        Err(error @ (Undecided::Misfit(_) | Undecided::Broken(_))) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::currency::Currencies;
    use crate::id::{EscrowId, GatewayName};
    use crate::seller::AccountTold;
    use crate::wallet::{MovedBy, WalletMove};

    const DAY: i64 = 86_400;
    const LIMITS: PayoutLimits = PayoutLimits { minimum: Minor::ZERO, approval_above: None };

    fn minor(units: i64) -> Minor {
        Minor::new(units).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    fn moment(second: i64) -> Moment {
        Moment { at: at(second), epoch: 0 }
    }

    fn moved(wallet: &Wallet, kind: LineKind, units: i64, second: i64) -> Wallet {
        let of = MovedBy::Escrow(EscrowId::derive("r", "i", "s", "k"));
        let (owner, currency) = (wallet.owner.clone(), wallet.currency);
        wallet
            .moved(&WalletMove { owner, currency, amount: minor(units), kind, of, entry: 0, at: at(second) })
            .unwrap()
            .0
    }

    fn wish(gateway: Option<GatewayName>, minimum: i64, every: Option<Period>) -> AutoPayout {
        AutoPayout { gateway, minimum: minor(minimum), every, next: None }
    }

    fn wallet(gateway: Option<GatewayName>, code: &str, every: Option<Period>) -> Wallet {
        let unit = Currencies::default().find(code).unwrap();
        let wallet = Wallet::empty("usr_seller".parse().unwrap(), unit);
        wallet.with_auto_payout(Some(wish(gateway, 100, every)), &LIMITS, at(0)).unwrap()
    }

    fn pays(wallet: &Wallet, second: i64) -> (Wallet, i64) {
        match auto_payout(wallet, None, &LIMITS, moment(second)).unwrap() {
            Auto::Pay(change) => {
                assert_eq!(change.moves.len(), 1);
                (wallet.moved(&change.moves[0]).unwrap().0, change.payout.money.amount.units())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_wants_it_at_once_is_paid_out_as_soon_as_there_is_enough() {
        let wallet = wallet(None, "SAR", None);
        assert_eq!(wallet.due_at(), None, "there is nothing");
        let wallet = moved(&wallet, LineKind::Release, 99, 10);
        assert_eq!(wallet.due_at(), None, "not enough");
        let wallet = moved(&wallet, LineKind::Release, 51, 20);
        assert_eq!(wallet.due_at(), Some(at(20)));
        assert_eq!(auto_payout(&wallet, None, &LIMITS, moment(19)).unwrap(), Auto::Nothing);
        let (wallet, amount) = pays(&wallet, 25);
        assert_eq!((amount, wallet.available, wallet.due_at()), (150, Minor::ZERO, None));
        let held = moved(&wallet, LineKind::Release, 500, 30).held(Some("a break")).unwrap();
        assert_eq!(held.due_at(), None, "nothing leaves a wallet on hold");
        assert_eq!(held.held(None).unwrap().due_at(), Some(at(30)));
    }

    #[test]
    fn what_a_payout_leaves_behind_is_paid_out_too() {
        let wallet = wallet(None, "SAR", None);
        let wallet = moved(&wallet, LineKind::Release, 1_000, 10);
        // The owner asks for a part; or a credit came between the sweep's reading and its commit.
        let wallet = moved(&wallet, LineKind::Payout, 400, 15);
        assert_eq!(wallet.due_at(), Some(at(10)), "six hundred wait, and nothing else would ever wake them");
        let (wallet, amount) = pays(&wallet, 20);
        assert_eq!((amount, wallet.due_at()), (600, None));
    }

    #[test]
    fn who_wants_it_weekly_is_paid_at_most_once_a_week() {
        let wallet = wallet(None, "SAR", Some(Period::days(7)));
        let wallet = moved(&wallet, LineKind::Release, 200, DAY);
        let (wallet, amount) = pays(&wallet, DAY);
        assert_eq!((amount, wallet.due_at()), (200, None));
        let wallet = moved(&wallet, LineKind::Release, 300, 2 * DAY);
        assert_eq!(wallet.due_at(), Some(at(8 * DAY)));
        // What the owner asks for in between leaves the schedule as it is.
        let wallet = moved(&wallet, LineKind::Payout, 50, 3 * DAY);
        assert_eq!(wallet.due_at(), Some(at(8 * DAY)));
        assert_eq!(auto_payout(&wallet, None, &LIMITS, moment(8 * DAY - 1)).unwrap(), Auto::Nothing);
        assert_eq!(pays(&wallet, 8 * DAY).1, 250);
    }

    #[test]
    fn what_failed_is_not_sent_again_the_same_day() {
        let wallet = wallet(None, "SAR", None);
        let (wallet, _) = pays(&moved(&wallet, LineKind::Release, 200, 10), 10);
        let wallet = moved(&wallet, LineKind::PayoutFailed, 200, 20);
        assert_eq!(wallet.due_at(), Some(at(20 + 7 * DAY)));
        // Other money that comes meanwhile waits with it.
        let wallet = moved(&wallet, LineKind::Release, 200, 30);
        assert_eq!(wallet.due_at(), Some(at(20 + 7 * DAY)));
    }

    #[test]
    fn a_seller_who_is_not_ready_is_asked_about_again_the_next_day() {
        let stripe = GatewayName::Stripe;
        let wallet = moved(&wallet(Some(stripe), "KWD", None), LineKind::Release, 12_345, 10);
        let Auto::Later { wallet, why } = auto_payout(&wallet, None, &LIMITS, moment(10)).unwrap() else {
            panic!("nobody has an account")
        };
        assert_eq!((why.code(), wallet.due_at()), ("seller_not_ready", Some(at(10 + DAY))));
        let seller = Seller::new(wallet.owner.clone(), at(0));
        let told = AccountTold {
            gateway: stripe,
            account: "acct_1".to_owned(),
            transfers: true,
            payouts: true,
            submitted: true,
            disconnected: false,
            currently_due: Vec::new(),
            disabled_reason: None,
            told_at: at(9),
        };
        let changed = |outcome| match outcome {
            Ok(crate::decide::Outcome::Changed(seller)) => *seller,
            other => panic!("{other:?}"),
        };
        let seller: Seller = changed(seller.begin(stripe, at(1)));
        let seller = changed(seller.opened(stripe, "acct_1", at(2)));
        let seller = changed(seller.told(&told, at(9)));
        let now = moment(10 + DAY);
        let Auto::Pay(change) = auto_payout(&wallet, Some(&seller), &LIMITS, now).unwrap() else {
            panic!("the seller is ready")
        };
        // The last of a dinar's three digits stays: gateways do not move it.
        assert_eq!(change.payout.money.to_string(), "12.340");
        let again = auto_payout(&wallet, Some(&seller), &LIMITS, now).unwrap();
        assert_eq!(again, Auto::Pay(change), "two sweeps that meet make the same payout");
    }

    #[test]
    fn a_wish_that_could_not_be_kept_is_refused() {
        let wallet = wallet(None, "SAR", None);
        let limits = PayoutLimits { minimum: minor(1_000), approval_above: None };
        let wish = |minimum, every| wallet.with_auto_payout(Some(wish(None, minimum, every)), &limits, at(1));
        let code = |wish: Result<Wallet, PayoutUndecided>| match wish {
            Ok(_) => "taken",
            Err(Undecided::Refused(why)) => why.code(),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(code(wish(999, None)), "below_minimum");
        assert_eq!(code(wish(1_000, Some(Period::minutes(59)))), "schedule_invalid");
        assert_eq!(code(wish(1_000, Some(Period::days(366)))), "schedule_invalid");
        assert_eq!(code(wish(1_000, Some(Period::days(7)))), "taken");
        assert_eq!(wallet.with_auto_payout(None, &limits, at(1)).unwrap().auto_payout, None);
    }
}
