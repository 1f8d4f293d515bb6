//! A deal of 150.00 SAR with a fee of 15.00, brought from state to state by the domain's own decisions.

use escrow_domain::command::{Attempt, Command, Fact, NewPayment};
use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::decide::{self, Change, Moment, NewEscrow, Outcome, Page};
use escrow_domain::escrow::{Escrow, Subject, Terms};
use escrow_domain::fees::{Fee, FeePayer};
use escrow_domain::id::{EscrowId, GatewayName, Operation, UserId};
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::money::{Minor, Money};
use escrow_domain::payment::{CheckoutRequest, Mode, Source};
use escrow_domain::policy::{Kind, Policy};
use escrow_domain::refusal::Undecided;
use escrow_domain::time::{Period, Timestamp};
use std::collections::BTreeMap;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_790_000_000_123);
/// The shape and length of a Checkout Session's address.
pub(crate) const PAGE: &str = "https://checkout.stripe.com/c/pay/cs_test_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6a7B8c9#fidkdWxOYHwnPyd1blpxYHZxWjA0SH1HNmFGZ0ZnNTBnbEZ9X1N3bFdCSkJ0M3xrTGpgZEpEMmxiNnx8Y1F9cDVgMk5HM1VdYTJzZ0JNPVFgN2ZINEFXN3ZpQnVzY1d0dDFkNTV2SjFKSTVLUicpJ2N3amhWYHdzYHcnP3F3cGApJ2lkfGpwcVF8dWAnPyd2bGtiaWBabHFgaCcpJ2BrZGdpYFVpZGZgbWppYWB3dic";
pub(crate) const REFERENCE: &str = "cs_test_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6a7B8c9";
pub(crate) const CAPTURE: &str = "pi_3MtwBwLkdIwHu7ix28a3tqPa";

pub(crate) fn sar() -> Currency {
    Currencies::default().find("SAR").unwrap()
}

pub(crate) fn minor(units: i64) -> Minor {
    Minor::new(units).unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(crate) const fn moment(at: Timestamp) -> Moment {
    Moment { at, epoch: 0 }
}

/// A deal still to be made.
pub(crate) struct Offer {
    pub(crate) key: String,
    pub(crate) buyer: &'static str,
    pub(crate) seller: &'static str,
    pub(crate) at: Timestamp,
}

pub(crate) fn offer(key: &str) -> Offer {
    Offer { key: key.to_owned(), buyer: "usr_01hbuyer", seller: "usr_01hselle", at: START }
}

impl Offer {
    pub(crate) fn id(&self) -> EscrowId {
        EscrowId::derive("POST /v1/checkouts", "https://issuer", self.buyer, &self.key)
    }

    /// The escrow at its creation.
    pub(crate) fn created(&self) -> Escrow {
        let policy = Policy::defaults(Kind::Service);
        let terms = Terms {
            kind: Kind::Service,
            subject: Subject { kind: "job".into(), id: "job_42".into() },
            buyer: user(self.buyer),
            seller: user(self.seller),
            currency: sar(),
            policy,
            fee_payer: FeePayer::Seller,
            metadata: BTreeMap::new(),
            created_at: self.at,
        };
        let payment = NewPayment {
            source: Source::Gateway(GatewayName::Stripe),
            method: None,
            milestones: vec![0],
            mode: Mode::Hosted,
            pay_in: None,
            request: CheckoutRequest {
                description: "job job_42".into(),
                success_url: "https://market.example.com/jobs/job_42/paid?session=1234567890".into(),
                cancel_url: "https://market.example.com/jobs/job_42/unpaid".into(),
            },
            expires_at: self.at.after(policy.checkout_expires_after),
        };
        let fee = Fee { buyer: Minor::ZERO, seller: minor(1_500) };
        let new = NewEscrow { id: self.id(), terms, milestones: vec![("Work".into(), minor(15_000), fee)], payment };
        let actor = Actor::person(Role::Buyer, user(self.buyer));
        decide::create(&new, actor, self.operation("create"), moment(self.at)).unwrap().escrow
    }

    /// With the page stored.
    pub(crate) fn opened(&self) -> Escrow {
        let created = self.created();
        let expires_at = created.payments[0].expires_at;
        let page = Page { url: Some(PAGE), client_secret: None };
        changed(decide::checkout_opened(&created, 0, REFERENCE, &page, expires_at, moment(later(&created)))).escrow
    }

    /// Paid.
    pub(crate) fn held(&self) -> Escrow {
        let opened = self.opened();
        changed(pay(&opened, moment(later(&opened)))).escrow
    }

    /// Paid and delivered.
    pub(crate) fn delivered(&self) -> Escrow {
        let held = self.held();
        changed(deliver(&held, moment(later(&held)))).escrow
    }

    /// Released by the buyer, with the seller's credit.
    pub(crate) fn released(&self) -> Change {
        let delivered = self.delivered();
        changed(release(&delivered, moment(later(&delivered))))
    }

    /// Disputed by the buyer.
    pub(crate) fn disputed(&self) -> Escrow {
        let delivered = self.delivered();
        let (reason, amount) = ("not what was agreed".to_owned(), None);
        let command = Command::Dispute { milestone: None, amount, reason, evidence: Vec::new() };
        let at = moment(later(&delivered));
        changed(decide::decide(&delivered, &by(&delivered, Role::Buyer, "dispute", command), at)).escrow
    }

    fn operation(&self, what: &str) -> Operation {
        Operation::of_person("https://issuer", self.buyer, "POST", what, &self.key, b"{}")
    }
}

pub(crate) fn later(escrow: &Escrow) -> Timestamp {
    escrow.updated_at.after(Period::minutes(7)).after(Period::from_millis(311))
}

pub(crate) fn changed(outcome: Result<Outcome, Undecided>) -> Change {
    match outcome.unwrap() {
        Outcome::Changed(change) => *change,
        Outcome::AlreadyDone => panic!("nothing to do"),
    }
}

pub(crate) fn by(escrow: &Escrow, role: Role, what: &str, command: Command) -> Attempt {
    let sub = match role {
        Role::Seller => escrow.terms.seller.clone(),
        _ => escrow.terms.buyer.clone(),
    };
    let path = format!("/v1/escrows/{}/{what}", escrow.id);
    let operation = Operation::of_person("https://issuer", sub.as_str(), "POST", &path, "key", b"{}");
    Attempt { command, actor: Actor::person(role, sub), operation }
}

pub(crate) fn pay(escrow: &Escrow, now: Moment) -> Result<Outcome, Undecided> {
    let fact = Fact::Paid {
        payment: 0,
        gateway: GatewayName::Stripe,
        capture: CAPTURE.into(),
        money: Money { amount: minor(15_000), currency: sar() },
        reference: Some(REFERENCE.into()),
    };
    let operation = Operation::of_gateway(GatewayName::Stripe, CAPTURE, "paid");
    decide::decide(escrow, &Attempt { command: Command::Fact(fact), actor: Actor::gateway(), operation }, now)
}

pub(crate) fn deliver(escrow: &Escrow, now: Moment) -> Result<Outcome, Undecided> {
    let command = Command::Deliver { milestone: None, note: None };
    decide::decide(escrow, &by(escrow, Role::Seller, "deliver", command), now)
}

pub(crate) fn release(escrow: &Escrow, now: Moment) -> Result<Outcome, Undecided> {
    let command = Command::Release { milestone: None, amount: None, reason: None };
    decide::decide(escrow, &by(escrow, Role::Buyer, "release", command), now)
}
