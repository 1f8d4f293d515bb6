//! Stripe: payments, refunds, sellers' accounts, transfers, reports and webhooks, through the typed requests of the `async-stripe` crates.
//!
//! The SDK builds requests; sending is ours, so that key, deadline, address and version are too, and nothing is retried.

mod amounts;
mod call;
mod events;
mod payments;
mod report;
mod requests;
mod sellers;
mod webhook;
mod wire;

use crate::facts::Notice;
use crate::gateway::{
    AccountAsk, AccountLink, AccountStanding, AmountUnsupported, CallError, Deadline, Gateway, OpenCheckout,
    OpenedCheckout, Origin, PaymentStanding, PaymentsPage, RefundAsk, RefundStanding, ReportPage, TransferAsk,
    TransferStanding, WebhookRefused,
};
use crate::http_client::HttpClient;
use crate::registry::SettingsInvalid;
use crate::secret::Secret;
use async_trait::async_trait;
use escrow_domain::id::GatewayName;
use escrow_domain::money::Money;
use escrow_domain::time::Timestamp;
use webhook::Verifier;

const LIVE_BASE: &str = "https://api.stripe.com";
/// Objects in one page of a list; Stripe's maximum.
const PAGE: i64 = 100;

/// A Stripe account: the platform's.
pub struct Stripe {
    http: HttpClient,
    base: String,
    key: Secret,
    webhook: Option<Verifier>,
}

impl Stripe {
    /// Stripe as the settings describe it; `None` without `STRIPE_SECRET_KEY`.
    ///
    /// # Errors
    /// [`SettingsInvalid`] if a setting cannot be used.
    pub fn from_settings(
        setting: &dyn Fn(&str) -> Option<String>,
        http: HttpClient,
    ) -> Result<Option<Self>, SettingsInvalid> {
        let Some(key) = setting("STRIPE_SECRET_KEY") else { return Ok(None) };
        let key = usable("STRIPE_SECRET_KEY", &key)?;
        let base = base(&setting("STRIPE_API_BASE").unwrap_or_else(|| LIVE_BASE.to_owned()))?;
        let live = ["sk_live_", "rk_live_"].iter().any(|prefix| key.expose().starts_with(prefix));
        let webhook = match setting("STRIPE_WEBHOOK_SECRET") {
            None => None,
            Some(list) => {
                let secrets: Result<Vec<Secret>, _> =
                    list.split(',').map(|secret| usable("STRIPE_WEBHOOK_SECRET", secret)).collect();
                Some(Verifier::new(secrets?, live))
            }
        };
        Ok(Some(Self { http, base, key, webhook }))
    }
}

#[async_trait]
impl Gateway for Stripe {
    fn name(&self) -> GatewayName {
        GatewayName::Stripe
    }

    fn check_amount(&self, money: Money) -> Result<(), AmountUnsupported> {
        amounts::check(money)
    }

    fn check_transfer(&self, money: Money) -> Result<(), AmountUnsupported> {
        amounts::check_transfer(money)
    }

    async fn open_checkout(
        &self,
        ask: &OpenCheckout,
        key: &str,
        deadline: Deadline,
    ) -> Result<OpenedCheckout, CallError> {
        self.open(ask, key, deadline).await
    }

    async fn look_up_payment(&self, reference: &str, deadline: Deadline) -> Result<PaymentStanding, CallError> {
        self.look_up(reference, deadline).await
    }

    async fn close_payment(
        &self,
        reference: &str,
        key: &str,
        deadline: Deadline,
    ) -> Result<PaymentStanding, CallError> {
        self.close(reference, key, deadline).await
    }

    async fn refund(&self, ask: &RefundAsk, key: &str, deadline: Deadline) -> Result<RefundStanding, CallError> {
        self.send_refund(ask, key, deadline).await
    }

    async fn look_up_refund(
        &self,
        ask: &RefundAsk,
        known: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<RefundStanding>, CallError> {
        self.find_refund(ask, known, deadline).await
    }

    async fn trace_capture(&self, capture: &str, deadline: Deadline) -> Result<Origin, CallError> {
        Ok(self.intent(capture, deadline).await?.origin())
    }

    async fn charge_of(&self, capture: &str, deadline: Deadline) -> Result<String, CallError> {
        self.find_charge(capture, deadline).await
    }

    async fn transfer(&self, ask: &TransferAsk, key: &str, deadline: Deadline) -> Result<TransferStanding, CallError> {
        self.send_transfer(ask, key, deadline).await
    }

    async fn look_up_transfer(
        &self,
        ask: &TransferAsk,
        known: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<TransferStanding>, CallError> {
        self.find_transfer(ask, known, deadline).await
    }

    async fn open_account(
        &self,
        ask: &AccountAsk,
        key: &str,
        deadline: Deadline,
    ) -> Result<AccountStanding, CallError> {
        self.create_account(ask, key, deadline).await
    }

    async fn account_link(
        &self,
        account: &str,
        refresh_url: &str,
        return_url: &str,
        deadline: Deadline,
    ) -> Result<AccountLink, CallError> {
        self.create_account_link(account, refresh_url, return_url, deadline).await
    }

    async fn look_up_account(&self, account: &str, deadline: Deadline) -> Result<AccountStanding, CallError> {
        self.find_account(account, deadline).await
    }

    async fn report(
        &self,
        from: Timestamp,
        until: Timestamp,
        page: Option<&str>,
        deadline: Deadline,
    ) -> Result<ReportPage, CallError> {
        self.statement(from, until, page, deadline).await
    }

    async fn payments_since(
        &self,
        from: Timestamp,
        until: Timestamp,
        page: Option<&str>,
        deadline: Deadline,
    ) -> Result<PaymentsPage, CallError> {
        self.opened(from, until, page, deadline).await
    }

    fn read_webhook(&self, headers: &http::HeaderMap, body: &[u8], now: Timestamp) -> Result<Notice, WebhookRefused> {
        self.webhook.as_ref().ok_or(WebhookRefused::NotConfigured)?.read(headers, body, now)
    }

    fn read_parked(&self, body: &[u8], received_at: Timestamp) -> Result<Notice, WebhookRefused> {
        self.webhook.as_ref().ok_or(WebhookRefused::NotConfigured)?.read_again(body, received_at)
    }
}

/// A secret that is one: not empty, and not the name of one.
fn usable(name: &'static str, text: &str) -> Result<Secret, SettingsInvalid> {
    let secret = Secret::new(text).ok_or(SettingsInvalid::Value { name, problem: "is empty" })?;
    if secret.expose().starts_with("arn:") {
        return Err(SettingsInvalid::Value { name, problem: "is still an ARN; it must be fetched first" });
    }
    if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SettingsInvalid::Value { name, problem: "has characters that no secret has" });
    }
    Ok(secret)
}

/// Where requests go, without a slash at the end.
fn base(text: &str) -> Result<String, SettingsInvalid> {
    let invalid = |problem| SettingsInvalid::Value { name: "STRIPE_API_BASE", problem };
    let text = text.trim().trim_end_matches('/');
    let address: http::Uri = text.parse().map_err(|_| invalid("is not an address"))?;
    let host = address.host().unwrap_or_default();
    let here = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    match address.scheme_str() {
        Some("https") => Ok(text.to_owned()),
        // The key is in every request: in the clear it may go no further than this machine.
        Some("http") if here => Ok(text.to_owned()),
        Some("http") => Err(invalid("must be https, except on this machine")),
        _ => Err(invalid("must begin with https://")),
    }
}
