//! What the tests share: one escrow, one set of settings, signatures as Stripe makes them, and the fixtures.

use escrow_domain::currency::Currencies;
use escrow_domain::id::{EscrowId, GatewayName, PaymentId, PayoutId, RefundId, TopUpId};
use escrow_domain::money::Money;
use escrow_domain::payment::Mode;
use escrow_domain::time::Timestamp;
use escrow_gateways::{
    AccountAsk, Deadline, Gateways, Notice, OpenCheckout, RefundAsk, TransferAsk, WebhookRefused, Whose,
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const SECRET: &str = "whsec_test_secret";
pub(crate) const KEY: &str = "sk_test_holdfast";

/// The escrow that the fixtures are about.
pub(crate) fn escrow() -> EscrowId {
    EscrowId::from_body("4f7k2m9q8r3t5v6w1x0y2z7abc").unwrap()
}

pub(crate) fn money(text: &str, code: &str) -> Money {
    Money::parse(text, Currencies::default().find(code).unwrap()).unwrap()
}

/// Its first payment.
pub(crate) fn payment() -> PaymentId {
    PaymentId { escrow: escrow(), number: 0 }
}

pub(crate) fn top_up() -> TopUpId {
    TopUpId::from_body("4f7k2m9q8r3t5v6w1x0y2z7abc").unwrap()
}

pub(crate) fn payout() -> PayoutId {
    PayoutId::from_body("4f7k2m9q8r3t5v6w1x0y2z7abc").unwrap()
}

pub(crate) fn transfer() -> TransferAsk {
    TransferAsk {
        payout: payout(),
        account: "acct_1HoldfastSeller01".to_owned(),
        money: money("135.00", "SAR"),
        charge: None,
        asked_at: Timestamp::from_seconds(1_790_000_000),
    }
}

pub(crate) fn account() -> AccountAsk {
    AccountAsk { owner: "usr_seller".parse().unwrap(), email: None, country: None }
}

pub(crate) fn checkout() -> OpenCheckout {
    OpenCheckout {
        whose: Whose::Payment(payment()),
        mode: Mode::Hosted,
        money: money("150.00", "SAR"),
        description: "Logo & cards, 50% ahead".to_owned(),
        method: None,
        success_url: "https://market.example/done?cs={CHECKOUT_SESSION_ID}&lang=ar".to_owned(),
        cancel_url: "https://market.example/given-up".to_owned(),
        expires_at: Timestamp::from_seconds(1_790_086_400),
    }
}

pub(crate) fn refund() -> RefundAsk {
    RefundAsk {
        escrow: escrow(),
        refund: RefundId { escrow: escrow(), number: 0 },
        capture: "pi_3HoldfastIntent0001".to_owned(),
        money: money("150.00", "SAR"),
    }
}

/// Stripe at that address, with these secrets.
pub(crate) fn gateways(base: &str, key: &str, secrets: &str) -> Gateways {
    let setting = |name: &str| match name {
        "STRIPE_API_BASE" => Some(base.to_owned()),
        "STRIPE_SECRET_KEY" => Some(key.to_owned()),
        "STRIPE_WEBHOOK_SECRET" => Some(secrets.to_owned()),
        _ => None,
    };
    Gateways::from_settings(&setting).unwrap()
}

pub(crate) fn soon() -> Deadline {
    Deadline::within(Duration::from_secs(20))
}

/// A `v1` as Stripe makes it.
pub(crate) fn code(secret: &str, time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// A header as Stripe makes it.
pub(crate) fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
    format!("t={seconds},v1={}", code(secret, &seconds.to_string(), body))
}

/// Posts a body with these signature headers to a Stripe with those secrets.
pub(crate) fn post(
    gateways: &Gateways,
    headers: &[&str],
    body: &[u8],
    now: Timestamp,
) -> Result<Notice, WebhookRefused> {
    let mut map = HeaderMap::new();
    for header in headers {
        map.append("stripe-signature", HeaderValue::from_str(header).unwrap());
    }
    gateways.get(GatewayName::Stripe).unwrap().read_webhook(&map, body, now)
}

/// Posts a rightly signed body.
pub(crate) fn post_signed(body: &[u8]) -> Result<Notice, WebhookRefused> {
    let gateways = gateways("http://127.0.0.1:1", KEY, SECRET);
    post(&gateways, &[&signature(SECRET, 1_790_000_000, body)], body, Timestamp::from_seconds(1_790_000_000))
}

/// Every fixture, by the type of its event, in alphabetical order.
pub(crate) fn fixtures() -> Vec<(String, serde_json::Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/stripe");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (kind, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        })
        .collect();
    all.sort_by(|one: &(String, serde_json::Value), other| one.0.cmp(&other.0));
    all
}
