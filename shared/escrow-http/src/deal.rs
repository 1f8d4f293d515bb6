//! A deal for tests, as the rules themselves make it: 150.00 SAR, buyer `usr_buyer`, seller `usr_seller`.

use escrow_domain::command::{Attempt, Command, Fact, NewPayment};
use escrow_domain::currency::Currencies;
use escrow_domain::decide::{Change, Moment, NewEscrow, Outcome, create, decide};
use escrow_domain::escrow::{Escrow, Subject, Terms};
use escrow_domain::fees::{FeePayer, FeeSchedule};
use escrow_domain::id::{EscrowId, GatewayName, Operation, UserId};
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::money::Money;
use escrow_domain::payment::{CheckoutRequest, Mode, Source};
use escrow_domain::policy::{Kind, Policy};
use escrow_domain::quote::Quote;
use escrow_domain::time::{Period, Timestamp};

pub(crate) fn start() -> Timestamp {
    "2026-03-01T09:30:00Z".parse().unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(crate) fn moment(at: Timestamp) -> Moment {
    Moment { at, epoch: 1 }
}

pub(crate) fn operation(name: &str) -> Operation {
    Operation::of_person("issuer", name, "POST", "/", "key", b"")
}

/// A service for 150.00 SAR, with a fee of 10 % paid by the seller.
pub(crate) fn created() -> Escrow {
    creation().escrow
}

/// The change that creates it.
pub(crate) fn creation() -> Change {
    let currency = Currencies::default().find("SAR").unwrap();
    let money = Money::parse("150.00", currency).unwrap();
    let quote = Quote::new(Kind::Service, money, FeePayer::Seller, &FeeSchedule::rate(1_000)).unwrap();
    let new = NewEscrow {
        id: EscrowId::derive("POST /v1/checkouts", "issuer", "usr_buyer", "key"),
        terms: Terms {
            kind: Kind::Service,
            subject: Subject { kind: "job".into(), id: "job_42".into() },
            buyer: user("usr_buyer"),
            seller: user("usr_seller"),
            currency,
            policy: Policy::defaults(Kind::Service),
            fee_payer: FeePayer::Seller,
            metadata: [("campaign".to_owned(), "spring".to_owned())].into(),
            created_at: start(),
        },
        milestones: vec![("Work".into(), money.amount, quote.fee)],
        payment: NewPayment {
            source: Source::Gateway(GatewayName::Stripe),
            method: None,
            milestones: vec![0],
            mode: Mode::Hosted,
            pay_in: None,
            request: CheckoutRequest {
                description: "job job_42".into(),
                success_url: "https://a.example/paid".into(),
                cancel_url: "https://a.example/back".into(),
            },
            expires_at: start().after(Period::days(1)),
        },
    };
    create(&new, Actor::person(Role::Buyer, user("usr_buyer")), operation("create"), moment(start())).unwrap()
}

/// What becomes of an escrow by a command that is carried out.
pub(crate) fn change(escrow: &Escrow, command: Command, actor: Actor, name: &str, at: Timestamp) -> Change {
    match decide(escrow, &Attempt { command, actor, operation: operation(name) }, moment(at)).unwrap() {
        Outcome::Changed(change) => *change,
        Outcome::AlreadyDone => panic!("{name} is done already"),
    }
}

pub(crate) fn after(escrow: &Escrow, command: Command, actor: Actor, name: &str, at: Timestamp) -> Escrow {
    change(escrow, command, actor, name, at).escrow
}

pub(crate) fn paid() -> Escrow {
    let escrow = created();
    let currency = escrow.terms.currency;
    let money = Money::parse("150.00", currency).unwrap();
    let fact = Fact::Paid {
        payment: 0,
        gateway: GatewayName::Stripe,
        capture: "pi_1".into(),
        money,
        reference: Some("cs_1".into()),
    };
    after(&escrow, Command::Fact(fact), Actor::gateway(), "paid", start().after(Period::minutes(1)))
}

pub(crate) fn release() -> Command {
    Command::Release { milestone: None, amount: None, reason: None }
}

pub(crate) fn by(role: Role, name: &str) -> Actor {
    Actor::person(role, user(name))
}
