//! What a platform answers a chargeback with, composed from what the escrow remembers, in the field names of Stripe's form.
//!
//! Source of the names and of what belongs into each: Stripe API reference, *Update a dispute*, `evidence`. Fields that ask for a file
//! (`receipt`, `service_documentation` …) or for what Holdfast does not know (names, addresses) are not here; links to evidence stand in
//! `uncategorized_text`. Nothing is sent: an operator reads it, adds to it, and submits it in the gateway's dashboard.

use escrow_domain::chargeback::Chargeback;
use escrow_domain::dispute::NewEvidence;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::PaymentId;
use escrow_domain::journal::{Entry, Part};
use escrow_domain::lifecycle::{Role, Transition};
use escrow_domain::milestone::Milestone;
use escrow_domain::payment::Payment;
use escrow_domain::time::Timestamp;
use escrow_http::views::milestone_name;
use serde::Serialize;

/// The longest text of one field, in characters. Stripe takes 150,000 in all fields together (*Update a dispute*, `evidence`).
const LONGEST: usize = 20_000;

/// The answer to one chargeback.
#[derive(Debug, Serialize)]
pub(crate) struct ChargebackEvidence {
    /// The gateway's id of it.
    chargeback: String,
    gateway: &'static str,
    payment: String,
    status: &'static str,
    evidence: Evidence,
}

/// The fields of the form.
#[derive(Debug, Serialize)]
struct Evidence {
    product_description: String,
    /// When the buyer got the work, or began to get it.
    service_date: Option<String>,
    /// What the buyer did, and when.
    access_activity_log: String,
    /// Which rules held, and since when. That and how they were shown is the platform's to add.
    refund_policy_disclosure: String,
    cancellation_policy_disclosure: String,
    /// Why the money was not given back.
    refund_refusal_explanation: Option<String>,
    /// What the seller said on delivery, and what both sides have brought to disputes.
    uncategorized_text: String,
}

/// The answers to all chargebacks of an escrow, in their order. `entries` is the whole journal, oldest first.
pub(crate) fn compose(escrow: &Escrow, entries: &[Entry], brought: &[NewEvidence]) -> Vec<ChargebackEvidence> {
    let one = |chargeback: &Chargeback| {
        let payment = escrow.payments.get(usize::from(chargeback.payment));
        ChargebackEvidence {
            chargeback: chargeback.reference.clone(),
            gateway: chargeback.gateway.as_str(),
            payment: PaymentId { escrow: escrow.id, number: chargeback.payment }.to_string(),
            status: chargeback.status.as_str(),
            evidence: evidence(escrow, &paid_by(escrow, payment), entries, brought),
        }
    };
    escrow.chargebacks.iter().map(one).collect()
}

/// The milestones that a payment has paid, each with its index.
fn paid_by<'a>(escrow: &'a Escrow, payment: Option<&Payment>) -> Vec<(u8, &'a Milestone)> {
    let paid = payment.map(|payment| payment.milestones.as_slice()).unwrap_or_default();
    (0_u8..).zip(&escrow.milestones).filter(|(index, _)| paid.contains(index)).collect()
}

fn evidence(escrow: &Escrow, paid: &[(u8, &Milestone)], entries: &[Entry], brought: &[NewEvidence]) -> Evidence {
    let terms = &escrow.terms;
    let titles: Vec<&str> = paid.iter().map(|(_, milestone)| milestone.title.as_str()).collect();
    let policy = &terms.policy;
    let pinned =
        format!("The terms were fixed when the buyer ordered, at {}, and have not changed since.", terms.created_at);
    Evidence {
        product_description: bounded(format!(
            "{} {} ({}): {}. Sold by {}, bought by {}, for {} {}.",
            terms.subject.kind,
            terms.subject.id,
            terms.kind,
            titles.join(", "),
            terms.seller,
            terms.buyer,
            paid.iter()
                .map(|(_, milestone)| milestone.amount.of(terms.currency).to_string())
                .collect::<Vec<_>>()
                .join(" + "),
            terms.currency,
        )),
        service_date: delivered(paid, entries).map(day),
        access_activity_log: bounded(log(entries)),
        refund_policy_disclosure: format!(
            "{pinned} The buyer could dispute the work until {} after its delivery; what was not delivered within {} of the payment is given back without being asked for; what is delivered and not objected to is released after {}.",
            policy.dispute_window, policy.deliver_within, policy.auto_release_after,
        ),
        cancellation_policy_disclosure: format!(
            "{pinned} The buyer could withdraw without giving a reason until {} after the payment, and later with the seller's consent.",
            policy.cancel_window,
        ),
        refund_refusal_explanation: accepted(paid, entries),
        uncategorized_text: bounded(notes(escrow, paid, entries, brought)),
    }
}

fn is_of(entry: &Entry, paid: &[(u8, &Milestone)]) -> bool {
    let named = |index: u8| paid.iter().any(|(other, _)| *other == index);
    match entry.part {
        Some(Part::Milestone(index)) => named(index),
        Some(Part::Payment(_) | Part::Refund(_) | Part::Dispute(_) | Part::Chargeback(_)) | None => {
            entry.moves.iter().any(|moved| named(moved.milestone))
        }
    }
}

/// When the first of these milestones was delivered.
fn delivered(paid: &[(u8, &Milestone)], entries: &[Entry]) -> Option<Timestamp> {
    let told = entries.iter().find(|entry| entry.transition == Transition::Deliver && is_of(entry, paid));
    told.map(|entry| entry.at).or_else(|| paid.iter().filter_map(|(_, milestone)| milestone.delivered_at).min())
}

/// The day of a moment: `2026-03-02`.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Everything that the buyer did here, with its time.
fn log(entries: &[Entry]) -> String {
    let by_buyer = entries.iter().filter(|entry| entry.actor.role == Role::Buyer);
    let line = |entry: &Entry| {
        let who = entry.actor.sub.as_ref().map(ToString::to_string).unwrap_or_default();
        let note = entry.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        format!("{} {who} {}{note}", entry.at, entry.transition)
    };
    by_buyer.map(line).collect::<Vec<_>>().join("\n")
}

/// That the work was accepted, where it was.
fn accepted(paid: &[(u8, &Milestone)], entries: &[Entry]) -> Option<String> {
    let accepts = |entry: &&Entry| {
        matches!(entry.transition, Transition::Release | Transition::AutoRelease) && is_of(entry, paid)
    };
    let entry = entries.iter().rev().find(accepts)?;
    Some(if entry.transition == Transition::Release {
        format!("The buyer accepted the work at {}, signed in as the person who had ordered it.", entry.at)
    } else {
        format!(
            "The buyer did not object within the agreed time after delivery; the work counted as accepted at {}.",
            entry.at
        )
    })
}

/// What the seller said on delivery, and the evidence that both sides have brought.
fn notes(escrow: &Escrow, paid: &[(u8, &Milestone)], entries: &[Entry], brought: &[NewEvidence]) -> String {
    let mut lines = Vec::new();
    for entry in entries.iter().filter(|entry| entry.transition == Transition::Deliver && is_of(entry, paid)) {
        let note = entry.note.as_deref().unwrap_or("(no note)");
        lines.push(format!("Delivered at {} by {}: {note}", entry.at, escrow.terms.seller));
    }
    for piece in brought {
        let of = escrow.disputes.get(usize::from(piece.dispute)).map(|dispute| dispute.milestone);
        if !of.is_some_and(|index| paid.iter().any(|(other, _)| *other == index)) {
            continue;
        }
        let one = &piece.evidence;
        let hash = one.sha256.as_deref().map(|hash| format!(" (SHA-256 {hash})")).unwrap_or_default();
        let note = one.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        let milestone = of.map(milestone_name).unwrap_or_default();
        lines.push(format!(
            "Brought at {} by the {} about {milestone}, {} {}{hash}{note}",
            one.at, one.by, one.kind, one.uri
        ));
    }
    lines.join("\n")
}

/// At most [`LONGEST`] characters: what is newest stands last, so the beginning goes.
fn bounded(text: String) -> String {
    let length = text.chars().count();
    if length <= LONGEST { text } else { text.chars().skip(length.saturating_sub(LONGEST)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::chargeback::ChargebackStatus;
    use escrow_domain::command::{Attempt, ChargebackTold, Command, Fact, NewPayment};
    use escrow_domain::currency::Currencies;
    use escrow_domain::decide::{Moment, NewEscrow, Outcome, create, decide};
    use escrow_domain::escrow::{Subject, Terms};
    use escrow_domain::fees::{Fee, FeePayer};
    use escrow_domain::id::{EscrowId, GatewayName, Operation};
    use escrow_domain::journal::Actor;
    use escrow_domain::money::Money;
    use escrow_domain::payment::{CheckoutRequest, Mode, Source};
    use escrow_domain::policy::{Kind, Policy};
    use escrow_domain::time::Period;

    fn start() -> Timestamp {
        "2026-03-01T09:30:00Z".parse().unwrap()
    }

    fn sar(amount: &str) -> Money {
        Money::parse(amount, Currencies::default().find("SAR").unwrap()).unwrap()
    }

    /// Two milestones, of which the first is paid by the only payment.
    fn ordered() -> Escrow {
        let milestone = |title: &str| (title.to_owned(), sar("100.00").amount, Fee::default());
        let new = NewEscrow {
            id: EscrowId::derive("r", "i", "usr_buyer", "k"),
            terms: Terms {
                kind: Kind::Project,
                subject: Subject { kind: "contract".into(), id: "ctr_1".into() },
                buyer: "usr_buyer".parse().unwrap(),
                seller: "usr_seller".parse().unwrap(),
                currency: sar("1").currency,
                policy: Policy::defaults(Kind::Project),
                fee_payer: FeePayer::Seller,
                metadata: std::collections::BTreeMap::new(),
                created_at: start(),
            },
            milestones: vec![milestone("Design"), milestone("Build")],
            payment: NewPayment {
                source: Source::Gateway(GatewayName::Stripe),
                method: None,
                milestones: vec![0],
                mode: Mode::Hosted,
                pay_in: None,
                request: CheckoutRequest { description: "x".into(), success_url: "x".into(), cancel_url: "x".into() },
                expires_at: start().after(Period::days(1)),
            },
        };
        create(&new, person(Role::Buyer), operation("create"), at(0)).unwrap().escrow
    }

    fn at(hours: u32) -> Moment {
        Moment { at: start().after(Period::hours(hours)), epoch: 1 }
    }

    fn operation(name: &str) -> Operation {
        Operation::of_person("i", name, "POST", "/", "k", b"")
    }

    fn person(role: Role) -> Actor {
        let name = if role == Role::Buyer { "usr_buyer" } else { "usr_seller" };
        Actor::person(role, name.parse().unwrap())
    }

    fn after(escrow: &Escrow, command: Command, actor: Actor, hours: u32) -> Escrow {
        let operation = operation(&hours.to_string());
        match decide(escrow, &Attempt { command, actor, operation }, at(hours)).unwrap() {
            Outcome::Changed(change) => change.escrow,
            Outcome::AlreadyDone => panic!("done already"),
        }
    }

    fn paid() -> Escrow {
        let (gateway, capture) = (GatewayName::Stripe, "pi_1".to_owned());
        let fact = Fact::Paid { payment: 0, gateway, capture, money: sar("100.00"), reference: None };
        after(&ordered(), Command::Fact(fact), Actor::gateway(), 1)
    }

    fn charged_back(escrow: &Escrow) -> Escrow {
        let chargeback = ChargebackTold {
            gateway: GatewayName::Stripe,
            reference: "dp_1".into(),
            capture: "pi_1".into(),
            money: sar("100.00"),
        };
        let fact = Fact::ChargebackOpened { chargeback, reason: "fraudulent".into() };
        after(escrow, Command::Fact(fact), Actor::gateway(), 50)
    }

    #[test]
    fn an_answer_tells_what_was_sold_when_it_was_delivered_and_that_it_was_accepted() {
        let deliver = Command::Deliver { milestone: Some(0), note: Some("In the folder.".into()) };
        let delivered = after(&paid(), deliver, person(Role::Seller), 24);
        let accept = Command::Release { milestone: Some(0), amount: None, reason: None };
        let escrow = charged_back(&after(&delivered, accept, person(Role::Buyer), 30));
        let answers = compose(&escrow, &escrow.journal.entries, &[]);
        let [answer] = answers.as_slice() else { panic!("one chargeback, one answer") };
        assert_eq!((answer.chargeback.as_str(), answer.status), ("dp_1", ChargebackStatus::Open.as_str()));
        let evidence = &answer.evidence;
        assert!(evidence.product_description.contains("Design") && !evidence.product_description.contains("Build"));
        assert_eq!(evidence.service_date.as_deref(), Some("2026-03-02"));
        assert_eq!(
            evidence.access_activity_log,
            "2026-03-01T09:30:00Z usr_buyer create\n2026-03-02T15:30:00Z usr_buyer release"
        );
        assert!(evidence.refund_refusal_explanation.as_ref().is_some_and(|text| text.contains("2026-03-02T15:30:00Z")));
        assert_eq!(evidence.uncategorized_text, "Delivered at 2026-03-02T09:30:00Z by usr_seller: In the folder.");
    }

    #[test]
    fn what_did_not_happen_is_not_claimed() {
        let escrow = charged_back(&paid());
        let answers = compose(&escrow, &escrow.journal.entries, &[]);
        let evidence = &answers[0].evidence;
        assert_eq!((&evidence.service_date, &evidence.refund_refusal_explanation), (&None, &None));
        assert_eq!(evidence.uncategorized_text, "");
        assert!(compose(&paid(), &[], &[]).is_empty(), "no chargeback, no answer");
    }

    #[test]
    fn the_newest_of_a_long_text_is_kept() {
        let text = bounded(format!("old{}new", "x".repeat(LONGEST)));
        assert!(text.chars().count() == LONGEST && text.ends_with("new") && !text.starts_with("old"));
    }
}
