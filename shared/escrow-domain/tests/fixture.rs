//! A deal that is brought into any state through decisions alone, each of them checked.

use escrow_domain::command::{Attempt, ChargebackTold, Command, Fact, NewPayment, RefundOutcome, Resolution};
use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::decide::{self, Change, Moment, NewEscrow, Outcome, Page};
use escrow_domain::dispute::Evidence;
use escrow_domain::effect::Task;
use escrow_domain::escrow::{Escrow, Subject, Terms};
use escrow_domain::fees::{Fee, FeePayer};
use escrow_domain::id::{EscrowId, GatewayName, Operation, UserId};
use escrow_domain::journal::{Account, Actor, ENTRIES_OF_A_PAGE, Entry, Part};
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::money::{Minor, Money};
use escrow_domain::payment::{CheckoutRequest, Mode, RefundStatus, Source};
use escrow_domain::policy::{Kind, Policy};
use escrow_domain::refusal::{Refusal, Undecided};
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::verify;
use escrow_domain::wallet::{LineKind, WalletMove};
use std::collections::BTreeMap;

pub(crate) fn sar() -> Currency {
    Currencies::default().find("SAR").unwrap()
}

/// The platform's own unit.
pub(crate) fn coin() -> Currency {
    Currency::coin("COIN", 0).unwrap()
}

pub(crate) fn minor(units: i64) -> Minor {
    Minor::new(units).unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

/// The person that plays a role, or the gateway, or the clock.
pub(crate) fn actor(role: Role) -> Actor {
    match role {
        Role::Buyer => Actor::person(role, user("usr_buyer")),
        Role::Seller => Actor::person(role, user("usr_seller")),
        Role::Arbiter => Actor::person(role, user("usr_arbiter")),
        Role::Operator => Actor::person(role, user("usr_operator")),
        Role::Platform => Actor::person(role, user("platform")),
        Role::Gateway => Actor::gateway(),
        Role::Clock => Actor::clock(),
    }
}

/// What is agreed. The defaults: one milestone of 150.00 SAR, a service, no fee.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) kind: Kind,
    pub(crate) policy: Policy,
    pub(crate) milestones: Vec<(i64, Fee)>,
    /// Which milestones the first payment pays.
    pub(crate) pays: Vec<u8>,
    /// The escrow's unit.
    pub(crate) unit: Currency,
    /// Where the first payment comes from.
    pub(crate) source: Source,
    /// What a gateway charges for it, where that is another unit.
    pub(crate) pay_in: Option<Money>,
}

impl Offer {
    pub(crate) fn of(kind: Kind) -> Self {
        let (milestones, source) = (vec![(15_000, Fee::default())], Source::Gateway(GatewayName::Stripe));
        Self { kind, policy: Policy::defaults(kind), milestones, pays: vec![0], unit: sar(), source, pay_in: None }
    }

    /// Paid from the buyer's wallet.
    pub(crate) fn paid_by_wallet(self) -> Self {
        Self { source: Source::Wallet, ..self }
    }

    /// In coins, which the buyer pays at the gateway with so many halalas.
    pub(crate) fn in_coins(self, halalas: i64) -> Self {
        Self { unit: coin(), pay_in: Some(minor(halalas).of(sar())), ..self }
    }

    pub(crate) fn with_fee(buyer: i64, seller: i64) -> Self {
        let fee = Fee { buyer: minor(buyer), seller: minor(seller) };
        Self { milestones: vec![(15_000, fee)], ..Self::of(Kind::Service) }
    }

    pub(crate) fn project(amounts: &[i64], pays: &[u8]) -> Self {
        let milestones = amounts.iter().map(|amount| (*amount, Fee::default())).collect();
        Self { milestones, pays: pays.to_vec(), ..Self::of(Kind::Project) }
    }
}

/// One escrow, its clock, and what it gave to wallets.
#[derive(Clone, Debug)]
pub(crate) struct Deal {
    pub(crate) escrow: Escrow,
    pub(crate) now: Timestamp,
    pub(crate) credits: Vec<WalletMove>,
    /// The entries that have left the item.
    pub(crate) paged: Vec<Entry>,
    /// Whether every wallet is in such demand that credits are put off.
    pub(crate) defers: bool,
    serial: u32,
}

/// What a move adds to its wallet.
fn signed(moved: &WalletMove) -> i64 {
    match moved.kind {
        LineKind::Release | LineKind::Refund => moved.amount.units(),
        LineKind::Funding | LineKind::Chargeback => -moved.amount.units(),
        other => panic!("an escrow moves no {other}"),
    }
}

pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

impl Deal {
    pub(crate) fn created(offer: &Offer) -> Self {
        Self::created_in(offer.unit, offer)
    }

    pub(crate) fn created_in(currency: Currency, offer: &Offer) -> Self {
        let id = EscrowId::derive("POST /v1/checkouts", "issuer", "usr_buyer", "key");
        let terms = Terms {
            kind: offer.kind,
            subject: Subject { kind: "job".to_owned(), id: "job_42".to_owned() },
            buyer: user("usr_buyer"),
            seller: user("usr_seller"),
            currency,
            policy: offer.policy,
            fee_payer: FeePayer::Split,
            metadata: BTreeMap::new(),
            created_at: START,
        };
        let milestones =
            offer.milestones.iter().map(|(amount, fee)| ("Work".to_owned(), minor(*amount), *fee)).collect();
        let payment = NewPayment {
            source: offer.source,
            pay_in: offer.pay_in,
            ..new_payment(&offer.pays, START.after(offer.policy.checkout_expires_after))
        };
        let operation = Operation::of_person("issuer", "usr_buyer", "POST", "/v1/checkouts", "key", b"{}");
        let now = Moment { at: START, epoch: 0 };
        let new = NewEscrow { id, terms, milestones, payment };
        let change = decide::create(&new, actor(Role::Buyer), operation, now).unwrap();
        verify::check_history(&change.escrow, &[]).unwrap();
        assert_eq!(change.escrow.version, 1);
        let (credits, paged) = (change.moves, Vec::new());
        Self { escrow: change.escrow, now: START, credits, paged, defers: false, serial: 0 }
    }

    pub(crate) const fn moment(&self) -> Moment {
        Moment { at: self.now, epoch: 0 }
    }

    pub(crate) fn wait(&mut self, period: Period) -> &mut Self {
        self.now = self.now.after(period);
        self
    }

    /// Everything that must hold after a change, whatever it was.
    pub(crate) fn commit(&mut self, change: Change) {
        let change = if self.defers && change.can_be_deferred() { change.deferred().unwrap() } else { change };
        assert_eq!(change.escrow.version, self.escrow.version + 1, "a commit counts one");
        for page in &change.pages {
            assert_eq!(page.entries.len(), ENTRIES_OF_A_PAGE);
            assert_eq!(usize::try_from(page.first).unwrap(), self.paged.len(), "no entry is lost between pages");
            assert_eq!(usize::from(page.number) * ENTRIES_OF_A_PAGE, self.paged.len(), "pages are counted");
            self.paged.extend(page.entries.iter().cloned());
        }
        verify::check_history(&change.escrow, &self.paged).unwrap();
        let all: Vec<&Entry> = self.paged.iter().chain(&change.escrow.journal.entries).collect();
        let mut moved = BTreeMap::new();
        for posting in all.iter().skip(self.escrow.journal.len()).flat_map(|entry| &entry.postings) {
            if let Account::Wallet(owner) = &posting.account {
                *moved.entry((owner.clone(), posting.currency)).or_insert(0) -= posting.units;
            }
        }
        for change in &change.moves {
            *moved.entry((change.owner.clone(), change.currency)).or_insert(0) -= signed(change);
        }
        assert!(moved.values().all(|units| *units == 0), "wallets change by what the journal says: {moved:?}");
        for credit in &change.moves {
            let entry = all[usize::try_from(credit.entry).unwrap()];
            let account = Account::Wallet(credit.owner.clone());
            assert!(entry.postings.iter().any(|posting| posting.account == account), "a move names its entry");
        }
        assert!(
            change.escrow.is_settled() || change.escrow.due_at().is_some(),
            "an escrow that is not settled always has something that will happen by itself: {:?}",
            change.escrow
        );
        self.credits.extend(change.moves);
        self.escrow = change.escrow;
    }

    pub(crate) fn commit_if_changed(&mut self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Changed(change) => {
                self.commit(*change);
                true
            }
            Outcome::AlreadyDone => false,
        }
    }

    /// What somebody's attempt would come to, under a fresh operation.
    pub(crate) fn try_as(&self, role: Role, command: Command) -> Result<Outcome, Undecided> {
        let key = format!("try-{}", self.serial);
        let operation = Operation::of_person("issuer", role.as_str(), "POST", "/v1/x", &key, b"{}");
        decide::decide(&self.escrow, &Attempt { command, actor: actor(role), operation }, self.moment())
    }

    pub(crate) fn act(&mut self, role: Role, command: Command) -> &mut Self {
        let outcome = self.try_as(role, command.clone()).unwrap_or_else(|why| panic!("{role} {command:?}: {why}"));
        self.serial += 1;
        assert!(self.commit_if_changed(outcome), "{command:?} changes something");
        self
    }

    /// Does it if the rules let it; whether they did.
    pub(crate) fn may(&mut self, role: Role, command: &Command) -> bool {
        match self.try_as(role, command.clone()) {
            Ok(outcome) => {
                self.serial += 1;
                self.commit_if_changed(outcome)
            }
            Err(Undecided::Refused(_)) => false,
            Err(why) => panic!("{role} {command:?}: {why}"),
        }
    }

    pub(crate) fn refusal(&self, role: Role, command: Command) -> Refusal {
        match self.try_as(role, command.clone()) {
            Err(Undecided::Refused(refusal)) => refusal,
            other => panic!("{role} {command:?} was not refused: {other:?}"),
        }
    }

    /// A gateway's fact under the operation that names it.
    pub(crate) fn try_fact(&self, fact: &Fact) -> Result<Outcome, Undecided> {
        let attempt =
            Attempt { command: Command::Fact(fact.clone()), actor: Actor::gateway(), operation: name_of(fact) };
        decide::decide(&self.escrow, &attempt, self.moment())
    }

    /// Whether the fact changed anything.
    pub(crate) fn fact(&mut self, fact: &Fact) -> bool {
        let outcome = self.try_fact(fact).unwrap_or_else(|why| panic!("{fact:?}: {why}"));
        self.commit_if_changed(outcome)
    }

    /// Does what time does now. Whether that was more than to remind somebody.
    pub(crate) fn tick(&mut self) -> bool {
        let before = self.escrow.journal.len();
        let attempt = Attempt { command: Command::Tick, actor: Actor::clock(), operation: name_of_nothing() };
        let outcome = decide::decide(&self.escrow, &attempt, self.moment()).unwrap();
        let changed = self.commit_if_changed(outcome);
        if let Some(due) = self.escrow.due_at() {
            let waits = !self.escrow.work(self.now).is_empty() || !self.escrow.credits.is_empty();
            assert!(due > self.now || waits, "what is due is done, or is work");
        }
        let new = self.escrow.journal.len() - before;
        let last = self.escrow.journal.entries.iter().rev().take(new);
        changed && (new == 0 || last.into_iter().any(|entry| entry.transition != Transition::Remind))
    }

    /// To the next thing that happens by itself, reminders aside: they are given on the way.
    pub(crate) fn sleep_until_due(&mut self) -> &mut Self {
        loop {
            self.now = self.now.max(self.escrow.due_at().expect("something is due"));
            let first = self.escrow.deadlines().first().copied();
            if first.is_none_or(|first| first.transition != Transition::Remind || first.at > self.now) {
                return self;
            }
            assert!(!self.tick(), "a reminder comes before its deadline, and alone");
        }
    }

    /// The next deadline, reminders aside.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let mut deadlines = self.escrow.deadlines().into_iter();
        deadlines.find(|deadline| deadline.transition != Transition::Remind).map(|deadline| deadline.at)
    }

    /// Every reminder that was given, by the part that it is about.
    pub(crate) fn reminders(&self) -> Vec<(Timestamp, Option<Part>)> {
        let reminders = self.escrow.journal.entries.iter().filter(|entry| entry.transition == Transition::Remind);
        reminders.map(|entry| (entry.at, entry.part)).collect()
    }

    pub(crate) fn stage(&self) -> Stage {
        self.escrow.milestones[0].stage()
    }

    /// The whole journal.
    pub(crate) fn history(&self) -> impl Iterator<Item = &Entry> {
        self.paged.iter().chain(&self.escrow.journal.entries)
    }

    /// What was given to a wallet, less what was taken from it, in the escrow's unit.
    pub(crate) fn in_wallet(&self, name: &str) -> i64 {
        let unit = self.escrow.terms.currency;
        let moves = self.credits.iter().filter(|moved| moved.owner.as_str() == name && moved.currency == unit);
        moves.map(signed).sum()
    }

    /// Sums of every account over the whole journal, as they are printed.
    pub(crate) fn ledger(&self) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for posting in self.history().flat_map(|entry| &entry.postings) {
            // The escrow's own unit is not named; any other stands beside its account.
            let unit = posting.currency;
            let own = unit == self.escrow.terms.currency;
            let name = if own { posting.account.to_string() } else { format!("{} {unit}", posting.account) };
            *sums.entry(name).or_insert(0) += posting.units;
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }

    pub(crate) fn page_opened(&mut self) -> &mut Self {
        let expires_at = self.escrow.payments[0].expires_at;
        let opened =
            decide::checkout_opened(&self.escrow, 0, "cs_1", &page("https://pay"), expires_at, self.moment()).unwrap();
        assert!(self.commit_if_changed(opened));
        self
    }

    /// The first payment is captured.
    pub(crate) fn paid(&mut self) -> &mut Self {
        let fact = self.capture_of(0, "pi_1");
        assert!(self.fact(&fact));
        self
    }

    pub(crate) fn capture_of(&self, payment: u16, capture: &str) -> Fact {
        Fact::Paid {
            payment,
            gateway: GatewayName::Stripe,
            capture: capture.to_owned(),
            money: self.escrow.payments[usize::from(payment)].charged(self.escrow.terms.currency),
            reference: None,
        }
    }

    /// The refund of that number came to this at the gateway.
    pub(crate) fn refunded(&mut self, refund: u16, outcome: RefundOutcome) -> bool {
        let fact = self.refund_told(refund, outcome);
        self.fact(&fact)
    }

    /// What the gateway says of that refund.
    pub(crate) fn refund_told(&self, refund: u16, outcome: RefundOutcome) -> Fact {
        let known = self.escrow.refunds.get(usize::from(refund));
        let money = known.map_or(minor(15_000).of(sar()), |refund| self.escrow.refund_money(refund));
        Fact::Refund { refund, gateway: GatewayName::Stripe, reference: format!("re_{refund}"), money, outcome }
    }
}

pub(crate) fn new_payment(milestones: &[u8], expires_at: Timestamp) -> NewPayment {
    NewPayment {
        source: Source::Gateway(GatewayName::Stripe),
        method: None,
        milestones: milestones.to_vec(),
        mode: Mode::Hosted,
        pay_in: None,
        request: CheckoutRequest {
            description: "Work".to_owned(),
            success_url: "https://example.com/ok".to_owned(),
            cancel_url: "https://example.com/no".to_owned(),
        },
        expires_at,
    }
}

fn name_of_nothing() -> Operation {
    Operation { name: [0; 8], content: [0; 8] }
}

/// The operation of a fact: the gateway's object, and what happened to it.
pub(crate) fn name_of(fact: &Fact) -> Operation {
    let (object, happening) = match fact {
        Fact::Paid { capture, .. } => (capture.clone(), "paid".to_owned()),
        Fact::Processing { payment, .. } => (format!("page {payment}"), "processing".to_owned()),
        Fact::Closed { payment, .. } => (format!("page {payment}"), "closed".to_owned()),
        Fact::Refund { reference, outcome, .. } => match outcome {
            RefundOutcome::Pending => (reference.clone(), "pending".to_owned()),
            RefundOutcome::Succeeded => (reference.clone(), "succeeded".to_owned()),
            RefundOutcome::Failed(_) => (reference.clone(), "failed".to_owned()),
        },
        Fact::CaptureRefunded { capture, total, .. } => (capture.clone(), format!("refunded {total}")),
        Fact::ChargebackOpened { chargeback, .. } => (chargeback.reference.clone(), "opened".to_owned()),
        Fact::ChargebackFunds { chargeback, back, .. } => (chargeback.reference.clone(), format!("funds {back}")),
        Fact::ChargebackClosed { chargeback, won } => (chargeback.reference.clone(), format!("closed {won}")),
    };
    Operation::of_gateway(GatewayName::Stripe, &object, &happening)
}

// Deals in the states that tests start from.

pub(crate) fn pending() -> Deal {
    Deal::created(&Offer::of(Kind::Service))
}

pub(crate) fn held() -> Deal {
    held_as(&Offer::of(Kind::Service))
}

pub(crate) fn held_as(offer: &Offer) -> Deal {
    let mut deal = Deal::created(offer);
    deal.page_opened().paid();
    deal
}

pub(crate) fn delivered() -> Deal {
    let mut deal = held();
    deal.act(Role::Seller, deliver());
    deal
}

pub(crate) fn disputed() -> Deal {
    let mut deal = delivered();
    deal.act(Role::Buyer, dispute(None));
    deal
}

pub(crate) fn refunding() -> Deal {
    let mut deal = held();
    deal.act(Role::Seller, refund(None));
    deal
}

pub(crate) fn in_review() -> Deal {
    let mut deal = refunding();
    deal.refunded(0, RefundOutcome::Failed("account closed".to_owned()));
    assert_eq!(deal.escrow.refunds[0].status, RefundStatus::Failed);
    deal
}

/// The refund is claimed by a worker whose answer never came, and nobody can tell.
pub(crate) fn in_doubt() -> Deal {
    let mut deal = refunding();
    let claimed = deal.escrow.claim(Task::Refund(0), [1; 16], deal.moment()).unwrap();
    deal.commit(claimed);
    let doubted = escrow_domain::work::doubt(&deal.escrow, 0, "nobody can tell", deal.moment()).unwrap();
    assert!(deal.commit_if_changed(doubted));
    deal
}

// Commands about the only milestone.

pub(crate) fn cancel() -> Command {
    Command::Cancel { milestone: None, reason: Some("no longer wanted".to_owned()) }
}

pub(crate) fn deliver() -> Command {
    Command::Deliver { milestone: None, note: None }
}

pub(crate) fn request_changes() -> Command {
    Command::RequestChanges { milestone: None, note: None }
}

pub(crate) fn release(units: Option<i64>) -> Command {
    Command::Release { milestone: None, amount: units.map(minor), reason: Some("because".to_owned()) }
}

pub(crate) fn refund(units: Option<i64>) -> Command {
    Command::Refund { milestone: None, amount: units.map(minor), reason: Some("because".to_owned()) }
}

pub(crate) fn dispute(units: Option<i64>) -> Command {
    Command::Dispute { milestone: None, amount: units.map(minor), reason: "broken".to_owned(), evidence: Vec::new() }
}

pub(crate) fn withdraw_dispute() -> Command {
    Command::WithdrawDispute { milestone: None }
}

pub(crate) fn rule(to_buyer: i64) -> Command {
    Command::Rule { milestone: None, to_buyer: minor(to_buyer), reason: "half done".to_owned() }
}

pub(crate) fn propose(to_buyer: i64) -> Command {
    Command::Propose { milestone: None, to_buyer: minor(to_buyer) }
}

pub(crate) const fn accept(proposal: u16) -> Command {
    Command::Accept { proposal }
}

pub(crate) fn add_evidence(pieces: usize) -> Command {
    Command::AddEvidence { milestone: None, evidence: vec![piece(); pieces] }
}

/// A piece of evidence as the edge reads it: who brings it, and when, is not its to say.
pub(crate) fn piece() -> Evidence {
    Evidence {
        kind: "screenshot".to_owned(),
        uri: "https://example.com/1".to_owned(),
        sha256: None,
        note: None,
        by: Role::Buyer,
        at: START,
    }
}

pub(crate) const fn extend(until: Option<Timestamp>) -> Command {
    Command::Extend { milestone: None, until, reason: None }
}

pub(crate) fn freeze() -> Command {
    Command::Freeze { reason: "suspicion".to_owned() }
}

pub(crate) fn unfreeze() -> Command {
    Command::Unfreeze { reason: "cleared".to_owned() }
}

pub(crate) fn resolve(resolution: Resolution) -> Command {
    Command::Resolve { resolution, reason: "looked at the gateway".to_owned() }
}

/// The newest total there is.
pub(crate) fn total_refunded(units: i64) -> Fact {
    total_refunded_at(units, Timestamp::from_millis(i64::MAX))
}

pub(crate) fn total_refunded_at(units: i64, told_at: Timestamp) -> Fact {
    Fact::CaptureRefunded {
        gateway: GatewayName::Stripe,
        capture: "pi_1".to_owned(),
        total: minor(units).of(sar()),
        told_at,
    }
}

/// What every notice about a chargeback of the first capture tells: of 100.00 SAR.
fn told(reference: &str) -> ChargebackTold {
    told_of(reference, "pi_1", minor(10_000).of(sar()))
}

pub(crate) fn told_of(reference: &str, capture: &str, money: Money) -> ChargebackTold {
    let (reference, capture) = (reference.to_owned(), capture.to_owned());
    ChargebackTold { gateway: GatewayName::Stripe, reference, capture, money }
}

/// A page at the gateway.
pub(crate) const fn page(url: &str) -> Page<'_> {
    Page { url: Some(url), client_secret: None }
}

pub(crate) fn chargeback_opened(reference: &str) -> Fact {
    Fact::ChargebackOpened { chargeback: told(reference), reason: "fraudulent".to_owned() }
}

pub(crate) fn chargeback_funds(reference: &str, back: bool) -> Fact {
    let chargeback = told(reference);
    Fact::ChargebackFunds { moved: chargeback.money, chargeback, back }
}

pub(crate) fn chargeback_closed(reference: &str, won: bool) -> Fact {
    Fact::ChargebackClosed { chargeback: told(reference), won }
}
