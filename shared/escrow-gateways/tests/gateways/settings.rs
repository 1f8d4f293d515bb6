//! Which settings make a gateway, and which are refused before anything runs.

use crate::bed::{KEY, SECRET, gateways, post, signature};
use escrow_domain::id::GatewayName;
use escrow_domain::time::Timestamp;
use escrow_gateways::{Gateways, WebhookRefused};

/// Builds from these settings; the error's words if it fails.
fn build(settings: &[(&str, &str)]) -> Result<Gateways, String> {
    let setting = |name: &str| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Gateways::from_settings(&setting).map_err(|error| error.to_string())
}

#[test]
fn a_gateway_is_there_if_its_key_is() {
    assert_eq!(build(&[]).unwrap().names().count(), 0);
    assert_eq!(build(&[("STRIPE_WEBHOOK_SECRET", SECRET)]).unwrap().names().count(), 0);
    let only_key = build(&[("STRIPE_SECRET_KEY", KEY)]).unwrap();
    assert_eq!(only_key.names().collect::<Vec<_>>(), [GatewayName::Stripe]);
    assert!(only_key.get(GatewayName::PayPal).is_none());
}

#[test]
fn without_a_webhook_secret_no_webhook_is_read() {
    let only_key = build(&[("STRIPE_SECRET_KEY", KEY)]).unwrap();
    let body = b"{}";
    let now = Timestamp::from_seconds(1_790_000_000);
    let header = signature("", 1_790_000_000, body);
    assert_eq!(post(&only_key, &[&header], body, now), Err(WebhookRefused::NotConfigured));
}

#[test]
fn a_setting_that_cannot_be_meant_is_refused_by_name_and_without_its_value() {
    let key = ("STRIPE_SECRET_KEY", KEY);
    for (settings, words) in [
        (vec![("STRIPE_SECRET_KEY", "")], "STRIPE_SECRET_KEY: is empty"),
        (
            vec![("STRIPE_SECRET_KEY", "arn:aws:secretsmanager:eu-west-1:1:secret:x")],
            "STRIPE_SECRET_KEY: is still an ARN; it must be fetched first",
        ),
        (vec![("STRIPE_SECRET_KEY", "sk test\r\nx: y")], "STRIPE_SECRET_KEY: has characters that no secret has"),
        (vec![key, ("STRIPE_WEBHOOK_SECRET", "")], "STRIPE_WEBHOOK_SECRET: is empty"),
        (vec![key, ("STRIPE_WEBHOOK_SECRET", "whsec_1, ,whsec_2")], "STRIPE_WEBHOOK_SECRET: is empty"),
        (vec![key, ("STRIPE_WEBHOOK_SECRET", "whsec_1,")], "STRIPE_WEBHOOK_SECRET: is empty"),
        (
            vec![key, ("STRIPE_API_BASE", "http://api.stripe.com")],
            "STRIPE_API_BASE: must be https, except on this machine",
        ),
        (
            vec![key, ("STRIPE_API_BASE", "http://127.0.0.1.evil.example")],
            "STRIPE_API_BASE: must be https, except on this machine",
        ),
        (vec![key, ("STRIPE_API_BASE", "ftp://127.0.0.1")], "STRIPE_API_BASE: must begin with https://"),
        (vec![key, ("STRIPE_API_BASE", "not an address")], "STRIPE_API_BASE: is not an address"),
    ] {
        assert_eq!(build(&settings).unwrap_err(), words, "{settings:?}");
    }
    for base in ["https://api.stripe.com/", "http://127.0.0.1:4242", "http://localhost:4242/", "http://[::1]:4242"] {
        assert!(build(&[key, ("STRIPE_API_BASE", base)]).is_ok(), "{base}");
    }
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    let all = gateways("http://127.0.0.1:1", KEY, SECRET);
    assert_eq!(format!("{all:?}"), "[Stripe]");
}
