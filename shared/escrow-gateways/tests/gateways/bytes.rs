//! Every request on the wire, byte by byte.

use crate::bed::{account, checkout, money, refund, soon, top_up, transfer};
use crate::server::{Received, Then};
use crate::wire::{answer, intent_opened, one_request, opened, refunded, transferred};
use escrow_domain::payment::{Method, Mode};
use escrow_domain::time::Timestamp;
use escrow_gateways::{AccountAsk, CallError, Gateway, OpenCheckout, TransferAsk, Whose};
use serde_json::json;

/// A request in lines: what Stripe sees, one field per line.
fn render(received: &Received) -> String {
    let mut headers: Vec<&str> = received.headers.lines().filter(|line| !line.starts_with("host: ")).collect();
    headers.sort_unstable();
    format!("{}\n{}\n\n{}\n", received.line, headers.join("\n"), received.body.replace('&', "\n&"))
}

/// The requests so far, with what they are for.
#[derive(Default)]
struct All(Vec<String>);

impl All {
    async fn add<T>(
        &mut self,
        what: &str,
        then: Then,
        call: impl AsyncFnOnce(&dyn Gateway) -> Result<T, CallError>,
    ) -> T {
        let (request, outcome) = one_request(then, call).await;
        self.0.push(format!("== {what}\n{}", render(&request)));
        outcome
    }
}

fn empty() -> Then {
    answer(&json!({ "data": [], "has_more": false }))
}

fn an_account() -> Then {
    answer(&json!({ "id": "acct_1HoldfastSeller01" }))
}

#[tokio::test]
async fn the_bytes_of_every_request_about_payments_are_these() {
    let mut all = All::default();
    let page = all
        .add("open a checkout", opened(), async |stripe| stripe.open_checkout(&checkout(), "pay_1", soon()).await)
        .await;
    assert_eq!(page.reference, "cs_test_1");
    assert_eq!((page.url.as_deref(), page.client_secret), (Some("https://checkout.example/cs_test_1"), None));
    assert_eq!(page.expires_at.as_seconds(), 1_790_086_399);

    let card = OpenCheckout { method: Some(Method::ApplePay), money: money("5", "ISK"), ..checkout() };
    all.add("open a checkout for a card in ISK", opened(), async |stripe| {
        stripe.open_checkout(&card, "pay_1-1", soon()).await
    })
    .await;
    let wallet = OpenCheckout { whose: Whose::TopUp(top_up()), ..checkout() };
    all.add("open a checkout for a wallet", opened(), async |stripe| {
        stripe.open_checkout(&wallet, "top_1", soon()).await
    })
    .await;

    let form = || Then::Answer(200, "", intent_opened());
    let elements = OpenCheckout { mode: Mode::Elements, ..checkout() };
    all.add("open a form", form(), async |stripe| stripe.open_checkout(&elements, "pay_1", soon()).await).await;
    let paypal = OpenCheckout {
        whose: Whose::TopUp(top_up()),
        mode: Mode::Elements,
        method: Some(Method::PayPal),
        money: money("150.00", "EUR"),
        ..checkout()
    };
    all.add("open a form for a wallet, by PayPal in EUR", form(), async |stripe| {
        stripe.open_checkout(&paypal, "top_1", soon()).await
    })
    .await;

    let session = answer(&json!({ "id": "cs_test_1", "status": "open", "payment_status": "unpaid" }));
    all.add("look a payment up", session, async |stripe| stripe.look_up_payment("cs_test_1", soon()).await).await;
    let intent = || answer(&json!({ "id": "pi_1", "status": "canceled" }));
    all.add("look a payment by a form up", intent(), async |stripe| stripe.look_up_payment("pi_1", soon()).await).await;
    let expired = answer(&json!({ "id": "cs_test_1", "status": "expired", "payment_status": "unpaid" }));
    all.add("close a payment", expired, async |stripe| stripe.close_payment("cs_test_1", "eff_1", soon()).await).await;
    all.add("close a payment by a form", intent(), async |stripe| stripe.close_payment("pi_1", "eff_1", soon()).await)
        .await;

    let done = || answer(&refunded("succeeded"));
    all.add("refund", done(), async |stripe| stripe.refund(&refund(), "eff_2", soon()).await).await;
    all.add("look a refund up by its id", done(), async |stripe| {
        stripe.look_up_refund(&refund(), Some("re_1"), soon()).await
    })
    .await;
    let found = all
        .add("look a refund up by ours", empty(), async |stripe| stripe.look_up_refund(&refund(), None, soon()).await)
        .await;
    assert_eq!(found, None);
    all.add("trace a capture", intent(), async |stripe| stripe.trace_capture("pi_1", soon()).await).await;
    insta::assert_snapshot!(all.0.join("\n"));
}

#[tokio::test]
async fn the_bytes_of_every_request_about_sellers_are_these() {
    let mut all = All::default();
    let paid = answer(&json!({ "id": "pi_1", "status": "succeeded", "latest_charge": "ch_1" }));
    all.add("find the charge", paid, async |stripe| stripe.charge_of("pi_1", soon()).await).await;
    let sent = || answer(&transferred());
    all.add("transfer", sent(), async |stripe| stripe.transfer(&transfer(), "eff_1", soon()).await).await;
    let tied = TransferAsk { charge: Some("ch_1".to_owned()), ..transfer() };
    all.add("transfer the money of a charge", sent(), async |stripe| stripe.transfer(&tied, "eff_1", soon()).await)
        .await;
    all.add("look a transfer up by its id", sent(), async |stripe| {
        stripe.look_up_transfer(&transfer(), Some("tr_1"), soon()).await
    })
    .await;
    let found = all
        .add("look a transfer up by ours", empty(), async |stripe| {
            stripe.look_up_transfer(&transfer(), None, soon()).await
        })
        .await;
    assert_eq!(found, None);

    all.add("open an account", an_account(), async |stripe| stripe.open_account(&account(), "usr-1", soon()).await)
        .await;
    let known =
        AccountAsk { email: Some("seller+1@market.example".to_owned()), country: Some("AE".to_owned()), ..account() };
    all.add("open an account with what is known", an_account(), async |stripe| {
        stripe.open_account(&known, "usr-1", soon()).await
    })
    .await;
    let link = answer(&json!({ "url": "https://connect.example/setup/1", "expires_at": 1_790_000_300 }));
    let link = all
        .add("make a link to the form of an account", link, async |stripe| {
            let (again, back) = ("https://market.example/again", "https://market.example/back");
            stripe.account_link("acct_1HoldfastSeller01", again, back, soon()).await
        })
        .await;
    assert_eq!((link.url.as_str(), link.expires_at), ("https://connect.example/setup/1", Some(at(1_790_000_300))));
    assert!(!format!("{link:?}").contains("setup/1"), "{link:?}");
    all.add("look an account up", an_account(), async |stripe| {
        stripe.look_up_account("acct_1HoldfastSeller01", soon()).await
    })
    .await;
    insta::assert_snapshot!(all.0.join("\n"));
}

#[tokio::test]
async fn the_bytes_of_every_request_for_a_report_are_these() {
    let mut all = All::default();
    let (from, until) = (at(1_790_000_000), at(1_790_086_400));
    all.add("the statement", empty(), async |stripe| stripe.report(from, until, None, soon()).await).await;
    all.add("the statement's next page", empty(), async |stripe| {
        stripe.report(from, until, Some("txn_1"), soon()).await
    })
    .await;
    for (what, page) in [
        ("what was opened: pages", None),
        ("what was opened: more pages", Some("cs_test_1")),
        ("what was opened: intents", Some("pi_")),
        ("what was opened: more intents", Some("pi_1")),
    ] {
        all.add(what, empty(), async |stripe| stripe.payments_since(from, until, page, soon()).await).await;
    }
    insta::assert_snapshot!(all.0.join("\n"));
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}
