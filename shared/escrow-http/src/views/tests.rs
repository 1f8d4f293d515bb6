//! Views of a deal's life, as the rules themselves make it.

use super::*;
use crate::auth::scopes_of;
use crate::deal::{after, by, change, created, creation, paid, release, start, user};
use escrow_domain::chargeback::{Chargeback, ChargebackStatus};
use escrow_domain::command::Command;
use escrow_domain::currency::Currencies;
use escrow_domain::escrow::Escrow;
use escrow_domain::fees::{FeePayer, FeeSchedule};
use escrow_domain::id::GatewayName;
use escrow_domain::lifecycle::Role;
use escrow_domain::payment::Mode;
use escrow_domain::policy::Kind;
use escrow_domain::quote::Quote;
use escrow_domain::time::Period;
use escrow_domain::wallet::Wallet;
use serde::Serialize;

fn pretty(view: &impl Serialize) -> String {
    serde_json::to_string_pretty(view).unwrap()
}

fn seen_by(escrow: &Escrow, name: &str, scopes: &[&str], at: Timestamp) -> EscrowView {
    EscrowView::new(escrow, &escrow.standing(&user(name), scopes_of(scopes.iter().copied())), at).unwrap()
}

#[test]
fn a_held_escrow_as_its_buyer_sees_it() {
    insta::assert_snapshot!(pretty(&seen_by(&paid(), "usr_buyer", &[], start().after(Period::hours(1)))));
}

#[test]
fn a_disputed_escrow_as_an_arbiter_sees_it() {
    let at = start().after(Period::hours(2));
    let dispute =
        Command::Dispute { milestone: None, amount: None, reason: "The files do not open.".into(), evidence: vec![] };
    let disputed = after(&paid(), dispute, by(Role::Buyer, "usr_buyer"), "dispute", at);
    insta::assert_snapshot!(pretty(&seen_by(&disputed, "usr_judge", &["arbiter"], at)));
}

#[test]
fn what_one_side_asks_for_and_what_time_will_do_are_shown() {
    let at = start().after(Period::days(2));
    let ask = Command::Cancel { milestone: None, reason: None };
    let asked = after(&paid(), ask, by(Role::Seller, "usr_seller"), "ask", at);
    let view = serde_json::to_value(seen_by(&asked, "usr_buyer", &[], at)).unwrap();
    let expected = serde_json::json!({ "by": "seller", "for": "cancel", "until": null, "at": "2026-03-03T09:30:00Z" });
    assert_eq!(view["milestones"][0]["asked"], expected);
    let next: Vec<&str> =
        view["next"].as_array().unwrap().iter().map(|timer| timer["name"].as_str().unwrap()).collect();
    assert_eq!(next, ["remind", "miss_delivery"]);
}

#[test]
fn the_offer_that_counts_is_named_so_that_it_can_be_accepted() {
    let at = start().after(Period::hours(2));
    let dispute = Command::Dispute { milestone: None, amount: None, reason: "Late.".into(), evidence: vec![] };
    let disputed = after(&paid(), dispute, by(Role::Buyer, "usr_buyer"), "dispute", at);
    let half = Command::Propose { milestone: None, to_buyer: escrow_domain::money::Minor::new(7_500).unwrap() };
    let offered = after(&disputed, half, by(Role::Seller, "usr_seller"), "propose", at);
    let view = serde_json::to_value(seen_by(&offered, "usr_buyer", &[], at)).unwrap();
    let proposal = &view["dispute"]["proposal"];
    assert_eq!((proposal["by"].as_str(), proposal["to_buyer"].as_str()), (Some("seller"), Some("75.00")));
    assert_eq!(proposal["id"], format!("prp_{}00", offered.id.body()));
    assert_eq!(view["disputes"], serde_json::json!([view["dispute"]]));
}

#[test]
fn what_passed_between_gateway_and_bank_is_for_operators_and_the_platform() {
    let mut escrow = paid();
    escrow.chargebacks.push(Chargeback {
        reference: "dp_1".into(),
        gateway: GatewayName::Stripe,
        payment: 0,
        capture: 0,
        amount: escrow.payments[0].amount,
        reason: Some("fraudulent".into()),
        status: ChargebackStatus::Open,
        taken: escrow.payments[0].amount,
        given_back: Minor::ZERO,
        of_escrow: Minor::ZERO,
        of_seller: Minor::ZERO,
        of_buyer: Minor::ZERO,
        opened_at: start(),
        ended_at: None,
    });
    let shown = |name: &str, scopes: &[&str]| {
        serde_json::to_value(seen_by(&escrow, name, scopes, start())).unwrap()["chargebacks"][0].clone()
    };
    insta::assert_snapshot!("chargeback_for_operators", pretty(&shown("usr_support", &["operator"])));
    insta::assert_snapshot!("chargeback_for_parties", pretty(&shown("usr_buyer", &[])));
    assert_eq!(
        shown("usr_seller", &["operator", "platform"]),
        shown("usr_buyer", &[]),
        "nobody operates on a deal of theirs"
    );
}

#[test]
fn the_secret_of_a_payment_is_for_its_buyer_and_the_platform_and_never_printed() {
    let mut open = created();
    open.payments[0].mode = Mode::Elements;
    open.payments[0].client_secret = Some("pi_1_secret_2".into());
    let answer = |name: &str, scopes: &[&str]| {
        checkout(&open, 0, &open.standing(&user(name), scopes_of(scopes.iter().copied())), start()).unwrap()
    };
    for (name, scopes) in [("usr_buyer", &[][..]), ("usr_server", &["platform"])] {
        let answer = answer(name, scopes);
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!(json["checkout"]["client_secret"], "pi_1_secret_2");
        assert!(json["checkout"]["url"].is_null() && !json["escrow"].to_string().contains("secret"));
        assert!(!format!("{answer:?}").contains("secret_2"));
    }
    for (name, scopes) in [("usr_seller", &[][..]), ("usr_support", &["operator"])] {
        assert!(serde_json::to_value(answer(name, scopes)).unwrap()["checkout"].is_null(), "{name}");
    }
}

#[test]
fn the_journal_newest_first() {
    let released = after(&paid(), release(), by(Role::Buyer, "usr_buyer"), "release", start().after(Period::hours(3)));
    let views: Vec<_> = events(&released, 0, &released.journal.entries).into_iter().map(|(_, view)| view).collect();
    insta::assert_snapshot!(pretty(&views));
}

#[test]
fn a_rehearsal_tells_what_would_happen() {
    let paid = paid();
    let delivered = change(
        &paid,
        Command::Deliver { milestone: None, note: None },
        by(Role::Seller, "usr_seller"),
        "deliver",
        start().after(Period::hours(3)),
    );
    insta::assert_snapshot!("deliver", pretty(&rehearsal(&paid, &delivered).unwrap()));
    let delivered = delivered.escrow;
    let released =
        change(&delivered, release(), by(Role::Buyer, "usr_buyer"), "release", start().after(Period::hours(4)));
    insta::assert_snapshot!("release", pretty(&rehearsal(&delivered, &released).unwrap()));
    insta::assert_snapshot!("create", pretty(&rehearsal_of_creation(&creation()).unwrap()));
}

#[test]
fn a_wallet_and_its_line() {
    let released = change(&paid(), release(), by(Role::Buyer, "usr_buyer"), "release", start().after(Period::hours(3)));
    let (wallet_after, entry) =
        Wallet::empty(user("usr_seller"), released.escrow.terms.currency).moved(&released.moves[0]).unwrap();
    let entry = entry.unwrap();
    insta::assert_snapshot!("wallet", pretty(&wallet(&user("usr_seller"), &[wallet_after])));
    insta::assert_snapshot!("line", pretty(&line(&entry)));
}

#[test]
fn a_payment_by_itself_and_its_page_while_it_can_be_paid() {
    let page = |escrow: &Escrow| {
        let standing = escrow.standing(&user("usr_buyer"), scopes_of([]));
        serde_json::to_value(checkout(escrow, 0, &standing, start()).unwrap()).unwrap()["checkout"].clone()
    };
    let mut open = created();
    assert!(page(&open).is_null(), "the gateway has not answered yet");
    open.payments[0].url = Some("https://pay.example/cs_1".into());
    let expected = serde_json::json!({
        "payment_id": format!("pay_{}00", open.id.body()), "gateway": "stripe", "url": "https://pay.example/cs_1",
        "client_secret": null, "amount": "150.00", "currency": "SAR", "expires_at": "2026-03-02T09:30:00Z"
    });
    assert_eq!(page(&open), expected);
    let paid = paid();
    insta::assert_snapshot!("payment", pretty(&payment(&paid, 0)));
    assert!(page(&paid).is_null() && payment(&paid, 1).is_none());
}

#[test]
fn a_quote_binds_by_its_name() {
    let currency = Currencies::default().find("KWD").unwrap();
    let money = escrow_domain::money::Money::parse("15.5", currency).unwrap();
    let price = Quote::new(Kind::Product, money, FeePayer::Split, &FeeSchedule::rate(1_000)).unwrap();
    insta::assert_snapshot!(pretty(&quote(&price).unwrap()));
}

#[test]
fn milestones_are_counted_from_one() {
    assert_eq!(
        (milestone_name(0), milestone_index("m1"), milestone_index("m50")),
        ("m1".to_owned(), Some(0), Some(49))
    );
    for bad in ["", "m", "m0", "m01", "1", "m-1", "m1 ", "m256", "M1"] {
        assert_eq!(milestone_index(bad), None, "{bad}");
    }
}
