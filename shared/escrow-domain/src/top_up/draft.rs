//! A change of a top-up being made. What the wallet has got of it follows from its captures and what was taken back of them; each fact is
//! booked as the difference.

use super::{TopUp, TopUpChange, TopUpOutcome, TopUpTransition, verify};
use crate::decide::{Moment, Outcome};
use crate::escrow::LONGEST_NOTE;
use crate::id::{GatewayName, Operation};
use crate::journal::{Account, Actor, Entry, Posting};
use crate::money::{Minor, OutOfBounds};
use crate::payment::Source;
use crate::refusal::{Broken, Undecided};
use crate::wallet::{LineKind, MovedBy, WalletMove};

pub(super) struct Draft {
    pub(super) top_up: TopUp,
    pub(super) now: Moment,
    moves: Vec<WalletMove>,
}

/// What an entry says, apart from the money.
pub(super) struct Words {
    pub(super) transition: TopUpTransition,
    pub(super) actor: Actor,
    pub(super) operation: Operation,
    pub(super) reference: Option<String>,
    pub(super) note: Option<String>,
}

/// What is taken back of a capture: at the gateway, from the wallet, and what the owner owes because the gateway took more than the
/// capture brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// In the unit that is charged.
    pub(super) gateway: Minor,
    /// In the wallet's unit.
    pub(super) wallet: Minor,
    /// In the unit that is charged.
    pub(super) owed: Minor,
}

impl TopUp {
    /// What is taken back of a capture in all, as the facts stand.
    pub(super) fn taken(&self, capture: u8) -> Result<Taken, OutOfBounds> {
        let whole = self.payment.captures.get(usize::from(capture)).map_or(Minor::ZERO, |capture| capture.amount);
        let refunded = self.refunded.iter().filter(|back| back.capture == capture).map(|back| back.total);
        let charged = self.chargebacks.iter().filter(|chargeback| chargeback.capture == capture);
        // What came back may be told before what was taken.
        let net = charged.map(|chargeback| chargeback.taken.minus(chargeback.given_back.min(chargeback.taken)));
        let gateway = net.chain(refunded.map(Ok)).try_fold(Minor::ZERO, |sum, part| sum.plus(part?))?;
        let of_capture = gateway.min(whole);
        let wallet = if whole.is_zero() { Minor::ZERO } else { self.money.amount.share(of_capture, whole)? };
        Ok(Taken { gateway, wallet, owed: gateway.minus(of_capture)? })
    }

    /// Where it is paid.
    pub(super) fn gateway(&self) -> Result<GatewayName, Broken> {
        match self.payment.source {
            Source::Gateway(gateway) => Ok(gateway),
            Source::Wallet => Err(Broken("a top-up from a wallet")),
        }
    }
}

impl Draft {
    pub(super) fn new(top_up: &TopUp, now: Moment) -> Self {
        Self { top_up: top_up.clone(), now, moves: Vec::new() }
    }

    /// An entry without money.
    pub(super) fn note(&mut self, words: Words) -> Result<(), Undecided> {
        self.append(words, Vec::new())
    }

    /// A capture's money goes into the wallet.
    pub(super) fn credit(&mut self, words: Words) -> Result<(), Undecided> {
        let (gateway, pay_in) = (Account::Gateway(self.top_up.gateway()?), self.top_up.pay_in());
        let (wallet, money) = (Account::Wallet(self.top_up.owner.clone()), self.top_up.money);
        let mut postings = vec![Posting::debit(gateway, pay_in.amount, pay_in.currency)];
        if pay_in.currency != money.currency {
            postings.push(Posting::credit(Account::Exchange, pay_in.amount, pay_in.currency));
            postings.push(Posting::debit(Account::Exchange, money.amount, money.currency));
        }
        postings.push(Posting::credit(wallet, money.amount, money.currency));
        self.move_wallet(LineKind::TopUp, money.amount)?;
        self.append(words, postings)
    }

    /// What is taken back of a capture has changed from `before`: the difference is claimed from the wallet, or given back to it.
    pub(super) fn take(
        &mut self,
        capture: u8,
        before: Taken,
        (out, back): (LineKind, LineKind),
        words: Words,
    ) -> Result<(), Undecided> {
        let after = self.top_up.taken(capture)?;
        let owner = self.top_up.owner.clone();
        let (unit, coin) = (self.top_up.pay_in().currency, self.top_up.money.currency);
        let more = |before: Minor, after: Minor| after.units().checked_sub(before.units()).ok_or(OutOfBounds);
        let gateway = more(before.gateway, after.gateway)?;
        let wallet = more(before.wallet, after.wallet)?;
        let owed = more(before.owed, after.owed)?;
        let of_wallet = gateway.checked_sub(owed).ok_or(OutOfBounds)?;
        let mut postings = vec![
            Posting { account: Account::Wallet(owner.clone()), units: wallet, currency: coin },
            Posting { account: Account::Receivable(owner), units: owed, currency: unit },
            Posting {
                account: Account::Gateway(self.top_up.gateway()?),
                units: gateway.checked_neg().ok_or(OutOfBounds)?,
                currency: unit,
            },
        ];
        if unit != coin {
            let coins = wallet.checked_neg().ok_or(OutOfBounds)?;
            postings.push(Posting { account: Account::Exchange, units: coins, currency: coin });
            postings.push(Posting { account: Account::Exchange, units: of_wallet, currency: unit });
        }
        postings.retain(|posting| posting.units != 0);
        if wallet > 0 {
            self.move_wallet(out, Minor::new(wallet)?)?;
        } else if wallet < 0 {
            self.move_wallet(back, Minor::new(wallet.checked_neg().ok_or(OutOfBounds)?)?)?;
        }
        self.append(words, postings)
    }

    fn move_wallet(&mut self, kind: LineKind, amount: Minor) -> Result<(), Undecided> {
        let entry = u32::try_from(self.top_up.journal.len()).map_err(|_| Broken("a journal without end"))?;
        let (owner, currency) = (self.top_up.owner.clone(), self.top_up.money.currency);
        let (of, at) = (MovedBy::TopUp(self.top_up.id), self.now.at);
        self.moves.push(WalletMove { owner, currency, amount, kind, of, entry, at });
        Ok(())
    }

    fn append(&mut self, words: Words, postings: Vec<Posting>) -> Result<(), Undecided> {
        let Words { transition, actor, operation, reference, note } = words;
        let note = note.map(|note| note.chars().take(LONGEST_NOTE).collect());
        let (at, part, moves) = (self.now.at, None, Vec::new());
        let entry = Entry { at, transition, actor, part, moves, postings, reference, note };
        self.top_up.journal.append(operation, entry)?;
        self.top_up.updated_at = at;
        Ok(())
    }

    /// The finished change, its money checked.
    pub(super) fn finish(mut self) -> Result<TopUpChange, Undecided> {
        self.top_up.version = self.top_up.version.checked_add(1).ok_or(Broken("a version without end"))?;
        verify::check_money(&self.top_up)?;
        Ok(TopUpChange { top_up: self.top_up, moves: self.moves })
    }

    /// The same, as what an attempt comes to.
    pub(super) fn outcome(self) -> Result<TopUpOutcome, Undecided> {
        Ok(Outcome::Changed(Box::new(self.finish()?)))
    }
}
