//! Views of a deal's life, as the rules themselves make it.

use super::*;
use crate::auth::scopes_of;
use crate::deal::{after, by, created, paid, release, start, user};
use escrow_domain::command::Command;
use escrow_domain::currency::Currencies;
use escrow_domain::escrow::Escrow;
use escrow_domain::fees::{FeePayer, FeeSchedule};
use escrow_domain::lifecycle::Role;
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
    let (disputed, _) = after(&paid(), dispute, by(Role::Buyer, "usr_buyer"), "dispute", at);
    insta::assert_snapshot!(pretty(&seen_by(&disputed, "usr_judge", &["arbiter"], at)));
}

#[test]
fn the_journal_newest_first() {
    let (released, _) =
        after(&paid(), release(), by(Role::Buyer, "usr_buyer"), "release", start().after(Period::hours(3)));
    let views: Vec<_> = events(&released).into_iter().map(|(_, view)| view).collect();
    insta::assert_snapshot!(pretty(&views));
}

#[test]
fn a_rehearsal_tells_what_would_happen() {
    let paid = paid();
    let (delivered, _) = after(
        &paid,
        Command::Deliver { milestone: None, note: None },
        by(Role::Seller, "usr_seller"),
        "deliver",
        start().after(Period::hours(3)),
    );
    insta::assert_snapshot!("deliver", pretty(&rehearsal(&paid, &delivered).unwrap()));
    let (released, _) =
        after(&delivered, release(), by(Role::Buyer, "usr_buyer"), "release", start().after(Period::hours(4)));
    insta::assert_snapshot!("release", pretty(&rehearsal(&delivered, &released).unwrap()));
    insta::assert_snapshot!("create", pretty(&rehearsal_of_creation(&created()).unwrap()));
}

#[test]
fn a_wallet_and_its_line() {
    let (released, credits) =
        after(&paid(), release(), by(Role::Buyer, "usr_buyer"), "release", start().after(Period::hours(3)));
    let (wallet_after, entry) =
        Wallet::empty(user("usr_seller"), released.terms.currency).credited(&credits[0]).unwrap();
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
        "expires_at": "2026-03-02T09:30:00Z"
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
