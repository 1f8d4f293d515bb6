//! Asking for a payout: its amount is reserved in the wallet in the same commit.

use super::draft::{Draft, Flow, Words};
use super::refusal::PayoutRefusal;
use super::rows::{PayoutTransition, rows};
use super::status::{PayoutStatus, Rail};
use super::{NewPayout, Payout, PayoutChange, PayoutLimits, PayoutUndecided, Transfer};
use crate::decide::Moment;
use crate::effect::Effect;
use crate::id::{Operation, PayoutId};
use crate::journal::{Actor, Journal};
use crate::lifecycle::Role;
use crate::money::Minor;
use crate::refusal::Broken;
use crate::wallet::{LineKind, MovedBy, Wallet, WalletMove};

/// The epoch of a table that was never restored from a backup: what `HOLDFAST_EPOCH` is unless somebody has raised it.
const FIRST_EPOCH: u32 = 1;

/// The new payout: to be approved, to be sent, or owed, and the move that reserves its amount.
///
/// The wallet is what the caller has read; whoever commits moves the wallet that stands there then, so two that ask at once never get
/// more than there is.
///
/// # Errors
/// [`PayoutUndecided::Refused`] with [`PayoutRefusal::Stranger`], [`PayoutRefusal::WrongRole`], [`PayoutRefusal::BelowMinimum`],
/// [`PayoutRefusal::AmountStep`], [`PayoutRefusal::OnHold`] or [`PayoutRefusal::Insufficient`]; [`PayoutUndecided::Broken`] if the
/// caller brings another wallet, or asks for nothing.
pub fn ask(
    new: &NewPayout,
    wallet: &Wallet,
    limits: &PayoutLimits,
    actor: Actor,
    operation: Operation,
    now: Moment,
) -> Result<PayoutChange, PayoutUndecided> {
    if !rows(PayoutTransition::Ask).iter().any(|row| row.actor == actor.role) {
        return Err(PayoutRefusal::WrongRole { transition: PayoutTransition::Ask, role: actor.role }.into());
    }
    if actor.role == Role::Seller && actor.sub.as_ref() != Some(&new.owner) {
        return Err(PayoutRefusal::Stranger.into());
    }
    if wallet.owner != new.owner || wallet.currency != new.money.currency || new.money.amount.is_zero() {
        return Err(Broken("a payout of nothing, or of another wallet").into());
    }
    check_amount(new, limits)?;
    // The store moves the wallet that stands there when it commits; this tells the caller before anything is written.
    wallet.moved(&reserving(new, now)).map_err(|refusal| PayoutRefusal::of_wallet(refusal, new.money))?;
    let status = match (limits.approval_above.is_some_and(|limit| new.money.amount > limit), &new.rail) {
        (true, Rail::Gateway { .. } | Rail::ByHand) => PayoutStatus::Approval,
        (false, Rail::Gateway { .. }) => PayoutStatus::Ready,
        (false, Rail::ByHand) => PayoutStatus::Owed,
    };
    let payout = Payout {
        id: new.id,
        owner: new.owner.clone(),
        money: new.money,
        rail: new.rail.clone(),
        tied_to: new.tied_to.clone(),
        asked_by: actor.clone(),
        status,
        reference: None,
        reason: None,
        waiting: None,
        returned: Minor::ZERO,
        bank: None,
        // After a restore from backup this very payout may have been asked for, and sent, in the time that was lost: its id follows from
        // the request, or from the wallet. Looking costs nothing.
        effect: (status == PayoutStatus::Ready)
            .then_some(Effect { look_up_first: now.epoch > FIRST_EPOCH, ..Effect::promised(Transfer, now) }),
        sending_since: None,
        look_up_at: None,
        look_ups: 0,
        alarm_at: None,
        created_at: now.at,
        updated_at: now.at,
        journal: Journal::default(),
        version: 0,
    };
    let mut draft = Draft::new(&payout, now);
    draft.record(PayoutTransition::Ask, (actor, operation), status, Flow::Reserved, Words::none())?;
    draft.finish()
}

fn check_amount(new: &NewPayout, limits: &PayoutLimits) -> Result<(), PayoutRefusal> {
    let currency = new.money.currency;
    if new.money.amount < limits.minimum {
        return Err(PayoutRefusal::BelowMinimum { minimum: limits.minimum.of(currency) });
    }
    match new.rail {
        Rail::Gateway { .. } if !payable(new.money.amount, currency.payable_step()) => {
            let step = Minor::new(currency.payable_step()).unwrap_or(new.money.amount);
            Err(PayoutRefusal::AmountStep { step: step.of(currency) })
        }
        Rail::Gateway { .. } | Rail::ByHand => Ok(()),
    }
}

fn payable(amount: Minor, step: i64) -> bool {
    amount.units().checked_rem(step) == Some(0)
}

fn reserving(new: &NewPayout, now: Moment) -> WalletMove {
    let (owner, currency, amount) = (new.owner.clone(), new.money.currency, new.money.amount);
    let of: PayoutId = new.id;
    WalletMove { owner, currency, amount, kind: LineKind::Payout, of: MovedBy::Payout(of), entry: 0, at: now.at }
}
