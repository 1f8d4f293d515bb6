//! One wallet and one payout that leaves it, through decisions alone, each of them checked.

use crate::fixture::{START, actor, minor, sar, user};
use escrow_domain::command::Attempt;
use escrow_domain::decide::{Moment, Outcome};
use escrow_domain::effect::{Effect, Plan};
use escrow_domain::id::{EscrowId, GatewayName, Operation, PayoutId, UserId};
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::money::Money;
use escrow_domain::payout::{
    self, NewPayout, Payout, PayoutChange, PayoutCommand, PayoutFact, PayoutLimits, PayoutOutcome, PayoutRefusal,
    PayoutResolution, PayoutStatus, PayoutUndecided, PayoutWork, Rail, Transfer, TransferOutcome, verify,
};
use escrow_domain::refusal::Undecided;
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::wallet::{LineKind, MovedBy, Wallet, WalletMove};

pub(super) const STRIPE: GatewayName = GatewayName::Stripe;
/// How long the gateway repeats its answer to one key.
pub(super) const KEY_LIFE: Option<Period> = Some(Period::hours(20));
pub(super) const LIMITS: PayoutLimits =
    PayoutLimits { minimum: escrow_domain::money::Minor::ZERO, approval_above: None };

pub(super) fn owner() -> UserId {
    user("usr_seller")
}

pub(super) fn money(units: i64) -> Money {
    minor(units).of(sar())
}

pub(super) fn by_stripe() -> Rail {
    Rail::Gateway { gateway: STRIPE, account: "acct_1".to_owned() }
}

/// A wallet with so much in it.
pub(super) fn wallet_of(units: i64) -> Wallet {
    let of = MovedBy::Escrow(EscrowId::derive("r", "i", "s", "k"));
    let earned = WalletMove {
        owner: owner(),
        currency: sar(),
        amount: minor(units),
        kind: LineKind::Release,
        of,
        entry: 0,
        at: START,
    };
    Wallet::empty(owner(), sar()).moved(&earned).unwrap().0
}

pub(super) fn new_payout(units: i64, rail: Rail) -> NewPayout {
    let id = PayoutId::derive("POST /v1/wallets/usr_seller/payouts", "issuer", "usr_seller", "key");
    NewPayout { id, owner: owner(), money: money(units), rail, tied_to: None }
}

/// A person's operation under that key.
pub(super) fn named(key: &str) -> Operation {
    Operation::of_person("issuer", "sub", "POST", "/v1/payouts", key, key.as_bytes())
}

pub(super) fn code<T: std::fmt::Debug>(decided: &Result<T, PayoutUndecided>) -> &'static str {
    match decided {
        Ok(_) => "done",
        Err(Undecided::Refused(refusal)) => refusal.code(),
        Err(Undecided::Misfit(_)) => "misfit",
        Err(Undecided::Broken(broken)) => panic!("{broken}"),
    }
}

#[derive(Clone, Debug)]
pub(super) struct Purse {
    pub(super) wallet: Wallet,
    pub(super) payout: Payout,
    pub(super) now: Timestamp,
    pub(super) epoch: u32,
    /// Everything that was ever earned, in minor units.
    pub(super) earned: i64,
}

impl Purse {
    /// Of 500.00 earned, so much is asked for.
    pub(super) fn asked(units: i64, rail: Rail, limits: &PayoutLimits) -> Self {
        let wallet = wallet_of(50_000);
        let now = Moment { at: START, epoch: 0 };
        let new = new_payout(units, rail);
        let change = payout::ask(&new, &wallet, limits, actor(Role::Seller), named("ask"), now).unwrap();
        assert_eq!(change.payout.version, 1);
        let mut purse = Self { wallet, payout: change.payout.clone(), now: START, epoch: 0, earned: 50_000 };
        purse.apply(change);
        purse
    }

    /// 200.00 on their way to an account at Stripe.
    pub(super) fn ready() -> Self {
        Self::asked(20_000, by_stripe(), &LIMITS)
    }

    pub(super) fn owed() -> Self {
        Self::asked(20_000, Rail::ByHand, &LIMITS)
    }

    /// In this status, at the gateway where it can be.
    pub(super) fn at(status: PayoutStatus) -> Self {
        let mut purse = match status {
            PayoutStatus::Approval | PayoutStatus::Rejected => {
                Self::asked(20_000, by_stripe(), &PayoutLimits { approval_above: Some(minor(100)), ..LIMITS })
            }
            PayoutStatus::Owed => Self::owed(),
            PayoutStatus::Ready
            | PayoutStatus::Sending
            | PayoutStatus::Review
            | PayoutStatus::Paid
            | PayoutStatus::Returned
            | PayoutStatus::Failed => Self::ready(),
        };
        match status {
            PayoutStatus::Approval | PayoutStatus::Owed | PayoutStatus::Ready => {}
            PayoutStatus::Rejected => purse.act("reject", PayoutCommand::Reject { reason: "no".to_owned() }),
            PayoutStatus::Sending => purse.claim(1),
            PayoutStatus::Review => {
                purse.claim(1);
                let doubted = payout::doubt(&purse.payout, "nobody can tell", purse.moment());
                assert!(purse.commit(doubted));
            }
            PayoutStatus::Paid => assert!(purse.sent()),
            PayoutStatus::Returned => assert!(purse.sent() && purse.reversed("trr_1", 20_000)),
            PayoutStatus::Failed => assert!(purse.failed("account closed")),
        }
        assert_eq!(purse.payout.status, status);
        purse
    }

    pub(super) const fn moment(&self) -> Moment {
        Moment { at: self.now, epoch: self.epoch }
    }

    pub(super) fn wait(&mut self, period: Period) -> &mut Self {
        self.now = self.now.after(period);
        self
    }

    /// Commits it, as the store would: with its moves of the wallet, or not at all.
    fn apply(&mut self, change: PayoutChange) {
        verify::check_history(&change.payout).unwrap();
        for moved in &change.moves {
            assert_eq!((&moved.owner, moved.of), (&self.payout.owner, MovedBy::Payout(self.payout.id)));
            let entry = usize::try_from(moved.entry).unwrap();
            assert!(entry < change.payout.journal.len(), "a move of no entry");
            self.wallet = self.wallet.moved(moved).unwrap().0;
        }
        self.payout = change.payout;
        // The wallet holds exactly what the payout says.
        let amount = self.payout.money.amount.units();
        let gone = match self.payout.status {
            PayoutStatus::Paid => amount - self.payout.returned.units(),
            PayoutStatus::Approval
            | PayoutStatus::Ready
            | PayoutStatus::Sending
            | PayoutStatus::Owed
            | PayoutStatus::Review
            | PayoutStatus::Returned
            | PayoutStatus::Failed
            | PayoutStatus::Rejected => 0,
        };
        let pending = if self.payout.status.is_open() { amount } else { 0 };
        assert_eq!(self.wallet.pending.units(), pending, "{}", self.payout.status);
        assert_eq!(self.wallet.withdrawn.units(), gone, "{}", self.payout.status);
        assert_eq!(self.wallet.balance() + pending + gone, self.earned, "{}", self.payout.status);
    }

    /// Whether there was something to commit.
    pub(super) fn commit(&mut self, outcome: Result<PayoutOutcome, PayoutUndecided>) -> bool {
        match outcome.unwrap() {
            Outcome::Changed(change) => {
                assert_eq!(change.payout.version, self.payout.version + 1, "a commit counts one");
                self.apply(*change);
                true
            }
            Outcome::AlreadyDone => false,
        }
    }

    pub(super) fn decide(
        &self,
        actor: Actor,
        operation: Operation,
        command: PayoutCommand,
    ) -> Result<PayoutOutcome, PayoutUndecided> {
        payout::decide(&self.payout, &Attempt { command, actor, operation }, self.moment())
    }

    /// An operator does it.
    pub(super) fn act(&mut self, key: &str, command: PayoutCommand) {
        let decided = self.decide(actor(Role::Operator), named(key), command);
        assert!(self.commit(decided));
    }

    /// Why an operator may not.
    pub(super) fn refused(&self, command: PayoutCommand) -> PayoutRefusal {
        match self.decide(actor(Role::Operator), named("refused"), command) {
            Err(Undecided::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn resolve(&mut self, resolution: PayoutResolution) {
        self.act(
            &format!("resolve {}", self.payout.version),
            PayoutCommand::Resolve { resolution, reason: "looked".to_owned() },
        );
    }

    pub(super) fn told(
        &self,
        object: &str,
        happening: &str,
        fact: PayoutFact,
    ) -> Result<PayoutOutcome, PayoutUndecided> {
        let operation = Operation::of_gateway(STRIPE, object, happening);
        self.decide(actor(Role::Gateway), operation, PayoutCommand::Fact(fact))
    }

    pub(super) fn transfer(&self, reference: &str, outcome: TransferOutcome) -> Result<PayoutOutcome, PayoutUndecided> {
        let happening = match &outcome {
            TransferOutcome::Pending => "pending",
            TransferOutcome::Sent => "sent",
            TransferOutcome::Failed(_) => "failed",
        };
        let (reference, money) = (reference.to_owned(), self.payout.money);
        let fact = PayoutFact::Transfer { gateway: STRIPE, reference: reference.clone(), money, outcome };
        self.told(&reference, happening, fact)
    }

    pub(super) fn sent(&mut self) -> bool {
        let told = self.transfer("tr_1", TransferOutcome::Sent);
        self.commit(told)
    }

    pub(super) fn failed(&mut self, why: &str) -> bool {
        let told = self.transfer("tr_1", TransferOutcome::Failed(why.to_owned()));
        self.commit(told)
    }

    pub(super) fn reversal(&self, id: &str, total: i64) -> Result<PayoutOutcome, PayoutUndecided> {
        let (reference, whole) = ("tr_1".to_owned(), self.payout.money);
        let fact = PayoutFact::Reversed {
            gateway: STRIPE,
            reference,
            money: whole,
            total: money(total),
            reason: Some("the account was closed".to_owned()),
        };
        self.told(id, "reversed", fact)
    }

    pub(super) fn reversed(&mut self, id: &str, total: i64) -> bool {
        let told = self.reversal(id, total);
        self.commit(told)
    }

    pub(super) fn tick(&mut self) -> bool {
        let ticked = self.decide(Actor::clock(), named("tick"), PayoutCommand::Tick);
        self.commit(ticked)
    }

    pub(super) fn effect(&self) -> Effect<Transfer> {
        self.payout.effect.unwrap()
    }

    pub(super) fn plan(&self) -> Plan {
        self.payout.plan(&self.wallet, KEY_LIFE, self.moment())
    }

    /// Claims it under a token of that byte.
    pub(super) fn claim(&mut self, token: u8) {
        let claimed = self.payout.claim([token; 16], self.moment()).unwrap();
        assert!(self.commit(Ok(Outcome::Changed(Box::new(claimed)))));
    }

    pub(super) fn put_off(&mut self, token: u8) -> bool {
        let later = payout::put_off(&self.payout, [token; 16], false, self.moment());
        self.commit(later)
    }

    pub(super) fn refused_for_now(&mut self, token: u8) -> bool {
        let later = payout::refused_for_now(&self.payout, [token; 16], "the balance is too low", self.moment());
        self.commit(later)
    }

    pub(super) fn sleep_until_due(&mut self) -> &mut Self {
        self.now = self.payout.due_at().unwrap();
        self
    }

    pub(super) fn is_due(&self) -> bool {
        matches!(self.payout.work(self.now), Some(PayoutWork::Send(_)))
    }

    pub(super) fn hold(&mut self, reason: Option<&str>) {
        self.wallet = self.wallet.held(reason).unwrap();
    }
}
