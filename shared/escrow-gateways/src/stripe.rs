//! Stripe: hosted Checkout, refunds, look-ups and webhooks, through the typed requests of the `async-stripe` crates.
//!
//! The SDK builds requests; sending is ours, so that key, deadline, address and version are too, and nothing is retried.

mod amounts;
mod events;
mod requests;
mod webhook;
mod wire;

use crate::facts::Notice;
use crate::gateway::{
    AmountUnsupported, CallError, Deadline, Gateway, OpenCheckout, OpenedCheckout, Origin, PaidCapture,
    PaymentStanding, RefundAsk, RefundStanding, WebhookRefused,
};
use crate::http_client::{Answer, HttpClient};
use crate::registry::SettingsInvalid;
use crate::secret::Secret;
use async_trait::async_trait;
use bytes::Bytes;
use escrow_domain::id::GatewayName;
use escrow_domain::money::Money;
use escrow_domain::time::Timestamp;
use http::{Method as Verb, Request};
use http_body_util::Full;
use requests::Impossible;
use stripe_checkout::checkout_session::{ExpireCheckoutSession, RetrieveCheckoutSession};
use stripe_client_core::{
    CustomizedStripeRequest, IdempotencyKey, RequestStrategy, StripeClient, StripeClientErr, StripeMethod,
    StripeRequest, VERSION,
};
use stripe_core::payment_intent::RetrievePaymentIntent;
use stripe_core::refund::{ListRefund, RetrieveRefund};
use webhook::Verifier;
use wire::{IntentStatus, PaymentStatus, SessionStatus};

const LIVE_BASE: &str = "https://api.stripe.com";
const AGENT: &str = concat!("holdfast/", env!("CARGO_PKG_VERSION"));
/// Refunds in one page of a list; Stripe's maximum.
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

    async fn session(&self, reference: &str, deadline: Deadline) -> Result<wire::Session, CallError> {
        let request = RetrieveCheckoutSession::new(id(reference)?);
        request.build().customize().send(&Call { stripe: self, deadline }).await
    }

    async fn intent(&self, capture: &str, deadline: Deadline) -> Result<wire::Intent, CallError> {
        let request = RetrievePaymentIntent::new(id(capture)?);
        request.build().customize().send(&Call { stripe: self, deadline }).await
    }

    /// How the payment of a session stands.
    async fn standing(&self, session: wire::Session, deadline: Deadline) -> Result<PaymentStanding, CallError> {
        match (session.payment_status(), session.status()) {
            (PaymentStatus::Paid, _) => paid(session.payment_intent.as_deref(), session.money()),
            (_, SessionStatus::Open) => Ok(PaymentStanding::Open),
            (_, SessionStatus::Expired) => Ok(PaymentStanding::Closed),
            // The buyer is through with the page, and the money is on its way; or it was, and failed: a session stays
            // `complete` and `unpaid` then, so only the intent can tell.
            (PaymentStatus::Unpaid, SessionStatus::Complete) => match session.payment_intent {
                None => Ok(PaymentStanding::Processing),
                Some(intent) => {
                    let intent = self.intent(&intent, deadline).await?;
                    match intent.status() {
                        IntentStatus::Succeeded => paid(Some(&intent.id), intent.money()),
                        IntentStatus::Over => Ok(PaymentStanding::Closed),
                        IntentStatus::Other => Ok(PaymentStanding::Processing),
                    }
                }
            },
            (PaymentStatus::Unpaid | PaymentStatus::Other, SessionStatus::Complete | SessionStatus::Other) => {
                Ok(PaymentStanding::Processing)
            }
        }
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

    async fn open_checkout(
        &self,
        ask: &OpenCheckout,
        key: &str,
        deadline: Deadline,
    ) -> Result<OpenedCheckout, CallError> {
        let request = requests::open_checkout(ask).map_err(impossible)?;
        let call = Call { stripe: self, deadline };
        let session: wire::NewSession = request.build().customize().request_strategy(once(key)?).send(&call).await?;
        let url = session.url.ok_or_else(|| CallError::deserialize_err("the session has no url"))?;
        let expires_at = session.expires_at.map_or(ask.expires_at, Timestamp::from_seconds);
        Ok(OpenedCheckout { reference: session.id, url, expires_at })
    }

    async fn look_up_payment(&self, reference: &str, deadline: Deadline) -> Result<PaymentStanding, CallError> {
        let session = self.session(reference, deadline).await?;
        self.standing(session, deadline).await
    }

    async fn close_payment(
        &self,
        reference: &str,
        key: &str,
        deadline: Deadline,
    ) -> Result<PaymentStanding, CallError> {
        let request = ExpireCheckoutSession::new(id(reference)?);
        let call = Call { stripe: self, deadline };
        match request.build().customize::<wire::Session>().request_strategy(once(key)?).send(&call).await {
            Ok(session) => self.standing(session, deadline).await,
            // Only an open session can be expired: this one was paid, or is over already. The look-up tells which.
            Err(CallError::Refused { status: Some(400), .. }) => self.look_up_payment(reference, deadline).await,
            Err(error) => Err(error),
        }
    }

    async fn refund(&self, ask: &RefundAsk, key: &str, deadline: Deadline) -> Result<RefundStanding, CallError> {
        let request = requests::refund(ask).map_err(impossible)?;
        let call = Call { stripe: self, deadline };
        let refund: wire::Refund = request.build().customize().request_strategy(once(key)?).send(&call).await?;
        refund_standing(refund)
    }

    async fn look_up_refund(
        &self,
        ask: &RefundAsk,
        known: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<RefundStanding>, CallError> {
        let call = Call { stripe: self, deadline };
        if let Some(known) = known {
            let request = RetrieveRefund::new(id(known)?);
            let refund: wire::Refund = request.build().customize().send(&call).await?;
            return refund_standing(refund).map(Some);
        }
        let mut request = ListRefund::new().payment_intent(&ask.capture).limit(PAGE);
        loop {
            let page: wire::Refunds = request.build().customize().send(&call).await?;
            let more = page.has_more.unwrap_or_default();
            let last = page.data.last().map(|refund| refund.id.clone());
            if let Some(found) = page.data.into_iter().find(|refund| refund.refund() == Some(ask.refund)) {
                return refund_standing(found).map(Some);
            }
            match last {
                Some(last) if more => request = request.starting_after(last),
                _ => return Ok(None),
            }
        }
    }

    async fn trace_capture(&self, capture: &str, deadline: Deadline) -> Result<Origin, CallError> {
        Ok(self.intent(capture, deadline).await?.origin())
    }

    fn read_webhook(&self, headers: &http::HeaderMap, body: &[u8], now: Timestamp) -> Result<Notice, WebhookRefused> {
        self.webhook.as_ref().ok_or(WebhookRefused::NotConfigured)?.read(headers, body, now)
    }

    fn read_parked(&self, body: &[u8], received_at: Timestamp) -> Result<Notice, WebhookRefused> {
        self.webhook.as_ref().ok_or(WebhookRefused::NotConfigured)?.read_again(body, received_at)
    }
}

/// One call: the SDK hands over what it built, and this sends it, once.
struct Call<'a> {
    stripe: &'a Stripe,
    deadline: Deadline,
}

impl StripeClient for Call<'_> {
    type Err = CallError;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, CallError> {
        let (request, settings) = request.into_pieces();
        let verb = match request.method {
            StripeMethod::Get => Verb::GET,
            StripeMethod::Post => Verb::POST,
            StripeMethod::Delete => Verb::DELETE,
        };
        let mut address = format!("{}/v1{}", self.stripe.base, request.path);
        if let Some(query) = request.query.as_deref().filter(|query| !query.is_empty()) {
            address.push('?');
            address.push_str(query);
        }
        let mut sent = Request::builder()
            .method(&verb)
            .uri(address)
            .header("authorization", format!("Bearer {}", self.stripe.key.expose()))
            // The version of which the typed requests were generated, so that an account's own default cannot change their meaning.
            .header("stripe-version", VERSION.to_string())
            .header("user-agent", AGENT);
        if let Some(key) = settings.request_strategy.and_then(|strategy| strategy.get_key()) {
            sent = sent.header("idempotency-key", key.as_str());
        }
        let body = requests::in_order(&request.body.unwrap_or_default());
        if verb == Verb::POST {
            // The length of an empty body too: hyper leaves it out, and there are servers that refuse a POST without one.
            sent =
                sent.header("content-type", "application/x-www-form-urlencoded").header("content-length", body.len());
        }
        let sent = sent.body(Full::new(Bytes::from(body))).map_err(|error| CallError::NotSent(error.to_string()))?;
        understand(self.stripe.http.send(sent, self.deadline).await?)
    }
}

impl StripeClientErr for CallError {
    /// The answer had a good status and cannot be read: whatever was asked is probably done.
    fn deserialize_err(problem: impl std::fmt::Display) -> Self {
        Self::InDoubt(format!("the answer cannot be read: {problem}"))
    }
}

/// What an answer says of its request. Only Stripe's own error object, saying that the request is wrong or that the payment was
/// declined, is a no; everything else that is not a success leaves doubt.
fn understand(answer: Answer) -> Result<Bytes, CallError> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    if answer.status.is_server_error() {
        return Err(CallError::ServerError { status });
    }
    let Ok(wire::Failure { error }) = serde_json::from_slice(&answer.body) else {
        return Err(CallError::InDoubt(format!("status {status} without Stripe's error object")));
    };
    let kind = error.kind.as_deref().unwrap_or_default();
    // 401 and 403 are about our key, 409 about a twin of this request that is on its way, 429 about our pace: all may pass.
    let definite = matches!(status, 400 | 402 | 404) && matches!(kind, "card_error" | "invalid_request_error");
    // Stripe knows better than the status whether the same request may yet succeed.
    let again = answer.headers.get("stripe-should-retry").is_some_and(|value| value == "true");
    if definite && !again {
        let code = error.decline_code.or(error.code).unwrap_or_else(|| kind.to_owned());
        return Err(CallError::Refused { status: Some(status), code, message: error.message.unwrap_or_default() });
    }
    let code = error.code.unwrap_or_default();
    Err(CallError::InDoubt(format!("status {status}, {kind} {code}")))
}

/// Sent once, under that key.
fn once(key: &str) -> Result<RequestStrategy, CallError> {
    let key = IdempotencyKey::new(key).map_err(|error| CallError::NotSent(error.to_string()))?;
    Ok(RequestStrategy::Idempotent(key))
}

/// An id that may stand in a path: what else is in it would ask for another object.
fn id(text: &str) -> Result<&str, CallError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err(CallError::Refused {
            status: None,
            code: "reference_invalid".to_owned(),
            message: "not an id of Stripe's".to_owned(),
        })
    }
}

fn impossible(why: Impossible) -> CallError {
    CallError::Refused { status: None, code: why.code().to_owned(), message: why.to_string() }
}

fn paid(capture: Option<&str>, money: Option<Money>) -> Result<PaymentStanding, CallError> {
    let capture = capture.ok_or_else(|| CallError::deserialize_err("paid, but by no payment intent"))?.to_owned();
    let money = money.ok_or_else(|| CallError::deserialize_err("paid, but an amount that cannot be said exactly"))?;
    Ok(PaymentStanding::Paid(PaidCapture { capture, money }))
}

fn refund_standing(refund: wire::Refund) -> Result<RefundStanding, CallError> {
    let money = refund.money().ok_or_else(|| CallError::deserialize_err("a refund without a readable amount"))?;
    Ok(RefundStanding { state: refund.state(), money, reference: refund.id })
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
