//! Who pays what: fees, currencies, quotes.

use super::given_back_once;
use holdfast::Options;
use holdfast_tests::json::Look;
use holdfast_tests::{on, on_holdfast};
use serde_json::{Value, json};

/// Somebody pays the fee: what is charged, what the seller gets, and what a refund gives back.
async fn check_fee(changes: Value, charged: &str, fee: &str, wallet: &str, given_back: i64) {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(changes.clone()).await;
        let stands = deal.stands().await;
        stands.shows(json!({ "charged": charged, "fee": { "amount": fee }, "payments": [{ "amount": charged }] }));
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let balance = holdfast.balance("usr_seller", stands.text("/currency")).await;
        balance.shows(json!({ "available": wallet, "total_earned": wallet }));

        let refunded = holdfast.paid(changes).await;
        refunded.does(&holdfast.seller, "refund", json!({})).await.is(200);
        holdfast.settle().await;
        refunded.stands().await.shows(json!({ "status": "refunded" }));
        given_back_once(&refunded, given_back).await;
    })
    .await;
}

#[tokio::test]
async fn the_seller_pays_the_fee_out_of_the_release() {
    check_fee(json!({ "fee_payer": "seller" }), "150.00", "15.00", "135.00", 15_000).await;
}

#[tokio::test]
async fn the_buyer_pays_the_fee_on_top_and_gets_it_back_with_a_refund() {
    check_fee(json!({ "fee_payer": "buyer" }), "165.00", "15.00", "150.00", 16_500).await;
}

#[tokio::test]
async fn both_pay_half_of_the_fee_and_the_odd_halala_is_the_sellers() {
    check_fee(json!({ "fee_payer": "split", "amount": "150.10" }), "157.60", "15.01", "142.59", 15_760).await;
}

#[tokio::test]
async fn yen_have_no_digits_after_the_point() {
    check_fee(json!({ "currency": "JPY", "amount": "1999" }), "1999", "199", "1800", 1_999).await;
}

#[tokio::test]
async fn dinars_have_three_of_which_the_gateway_wants_the_last_to_be_zero() {
    check_fee(json!({ "currency": "KWD", "amount": "10.55" }), "10.550", "1.055", "9.495", 10_550).await;
}

#[tokio::test]
async fn a_quote_says_what_a_checkout_pins() {
    on_holdfast(async |holdfast| {
        let path = "/v1/quote?kind=service&currency=SAR&amount=150&fee_payer=buyer";
        let quote = holdfast.stranger.get(path).send().await.is(200);
        quote.shows(json!({
            "kind": "service", "currency": "SAR", "amount": "150.00", "charged": "165.00", "seller_receives": "150.00",
            "fee": { "payer": "buyer", "amount": "15.00" },
        }));
        let name = quote.text("/quote");
        let deal = holdfast.checkout(json!({ "quote": name, "fee_payer": "buyer" })).await;
        deal.stands().await.shows(json!({ "charged": "165.00", "fee": quote["fee"] }));
        let other = holdfast_tests::json::with(
            holdfast_tests::deal::order(),
            json!({ "quote": name, "fee_payer": "buyer", "amount": "151.00" }),
        );
        holdfast.buyer.post("/v1/checkouts").once().json(&other).send().await.refuses(422, "quote_changed");
    })
    .await;
}

#[tokio::test]
async fn a_quote_of_yesterday_does_not_bind_at_the_price_of_today() {
    let folder = tempfile::tempdir().unwrap();
    let mut quote = String::new();
    on(Options::in_folder(folder.path()), async |holdfast| {
        let path = "/v1/quote?kind=service&currency=SAR&amount=150.00";
        quote = holdfast.buyer.get(path).send().await.is(200).text("/quote").to_owned();
    })
    .await;
    let mut dearer = Options::in_folder(folder.path());
    dearer.settings.insert("HOLDFAST_FEE_BASIS_POINTS".to_owned(), "2000".to_owned());
    on(dearer, async |holdfast| {
        let asked = holdfast_tests::json::with(holdfast_tests::deal::order(), json!({ "quote": quote }));
        let call = || holdfast.buyer.post("/v1/checkouts").key("quoted").json(&asked).send();
        call().await.refuses(422, "quote_changed").shows(json!({ "errors": [{ "pointer": "/quote" }] }));
        let deal = holdfast.checkout(json!({})).await;
        deal.stands().await.shows(json!({ "fee": { "amount": "30.00" } }));
    })
    .await;
}
