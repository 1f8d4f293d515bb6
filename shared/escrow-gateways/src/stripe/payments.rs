//! Payments at Stripe: hosted Checkout pages, payment intents for the marketplace's own page, and refunds of both.
//!
//! A page is a checkout session (`cs_…`), whose intent Stripe makes. What a form pays is an intent of its own (`pi_…`). The prefix of
//! the reference tells which object a payment is followed by.

use super::call::{Call, id, impossible, once};
use super::wire::{self, IntentStatus, PaymentStatus, SessionStatus};
use super::{PAGE, Stripe, requests};
use crate::gateway::{
    CallError, Deadline, OpenCheckout, OpenedCheckout, PaidCapture, PaymentStanding, RefundAsk, RefundStanding,
};
use escrow_domain::money::Money;
use escrow_domain::payment::Mode;
use escrow_domain::time::Timestamp;
use stripe_checkout::checkout_session::{ExpireCheckoutSession, RetrieveCheckoutSession};
use stripe_client_core::{StripeClientErr, StripeRequest};
use stripe_core::payment_intent::{CancelPaymentIntent, RetrievePaymentIntent};
use stripe_core::refund::{ListRefund, RetrieveRefund};

/// How the id of an intent begins; everything else that a payment is known by is a session.
const INTENT: &str = "pi_";

impl Stripe {
    pub(super) async fn open(
        &self,
        ask: &OpenCheckout,
        key: &str,
        deadline: Deadline,
    ) -> Result<OpenedCheckout, CallError> {
        let call = Call { stripe: self, deadline };
        match ask.mode {
            Mode::Hosted => {
                let request = requests::session(ask).map_err(impossible)?.build().customize();
                let session: wire::NewSession = request.request_strategy(once(key)?).send(&call).await?;
                let url = session.url.ok_or_else(|| CallError::deserialize_err("the session has no url"))?;
                let expires_at = session.expires_at.map_or(ask.expires_at, Timestamp::from_seconds);
                Ok(OpenedCheckout { reference: session.id, url: Some(url), client_secret: None, expires_at })
            }
            Mode::Elements => {
                let request = requests::intent(ask).map_err(impossible)?.build().customize();
                let intent: wire::NewIntent = request.request_strategy(once(key)?).send(&call).await?;
                let secret = intent.client_secret;
                let secret = secret.ok_or_else(|| CallError::deserialize_err("the intent has no client secret"))?;
                let expires_at = ask.expires_at;
                Ok(OpenedCheckout { reference: intent.id, url: None, client_secret: Some(secret), expires_at })
            }
        }
    }

    pub(super) async fn look_up(&self, reference: &str, deadline: Deadline) -> Result<PaymentStanding, CallError> {
        if reference.starts_with(INTENT) {
            return standing_of_intent(&self.intent(reference, deadline).await?);
        }
        let session = self.session(reference, deadline).await?;
        self.standing_of_session(session, deadline).await
    }

    pub(super) async fn close(
        &self,
        reference: &str,
        key: &str,
        deadline: Deadline,
    ) -> Result<PaymentStanding, CallError> {
        let call = Call { stripe: self, deadline };
        let closed = if reference.starts_with(INTENT) {
            let request = CancelPaymentIntent::new(id(reference)?).build().customize::<wire::Intent>();
            let intent = request.request_strategy(once(key)?).send(&call).await;
            intent.map(|intent| standing_of_intent(&intent))
        } else {
            let request = ExpireCheckoutSession::new(id(reference)?).build().customize::<wire::Session>();
            match request.request_strategy(once(key)?).send(&call).await {
                Ok(session) => Ok(self.standing_of_session(session, deadline).await),
                Err(error) => Err(error),
            }
        };
        match closed {
            Ok(standing) => standing,
            // Only an open session can be expired, and an intent whose money has not arrived or is on its way cannot be cancelled: this one
            // was paid, or is over already. The look-up tells which.
            Err(CallError::Refused { status: Some(400), .. }) => self.look_up(reference, deadline).await,
            Err(error) => Err(error),
        }
    }

    pub(super) async fn intent(&self, capture: &str, deadline: Deadline) -> Result<wire::Intent, CallError> {
        let request = RetrievePaymentIntent::new(id(capture)?);
        request.build().customize().send(&Call { stripe: self, deadline }).await
    }

    async fn session(&self, reference: &str, deadline: Deadline) -> Result<wire::Session, CallError> {
        let request = RetrieveCheckoutSession::new(id(reference)?);
        request.build().customize().send(&Call { stripe: self, deadline }).await
    }

    /// How the payment of a session stands.
    async fn standing_of_session(
        &self,
        session: wire::Session,
        deadline: Deadline,
    ) -> Result<PaymentStanding, CallError> {
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
                        // Back at the start after a try that took time: the page is complete, so no other can be made.
                        IntentStatus::Cancelled | IntentStatus::AtTheStart => Ok(PaymentStanding::Closed),
                        IntentStatus::Trying | IntentStatus::Other => Ok(PaymentStanding::Processing),
                    }
                }
            },
            (PaymentStatus::Unpaid | PaymentStatus::Other, SessionStatus::Complete | SessionStatus::Other) => {
                Ok(PaymentStanding::Processing)
            }
        }
    }

    pub(super) async fn send_refund(
        &self,
        ask: &RefundAsk,
        key: &str,
        deadline: Deadline,
    ) -> Result<RefundStanding, CallError> {
        let request = requests::refund(ask).map_err(impossible)?;
        let call = Call { stripe: self, deadline };
        let refund: wire::Refund = request.build().customize().request_strategy(once(key)?).send(&call).await?;
        refund_standing(refund)
    }

    pub(super) async fn find_refund(
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
            let page: wire::Page<wire::Refund> = request.build().customize().send(&call).await?;
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
}

/// How a payment stands that is an intent without a page: after a try that failed the buyer may make another.
pub(super) fn standing_of_intent(intent: &wire::Intent) -> Result<PaymentStanding, CallError> {
    match intent.status() {
        IntentStatus::Succeeded => paid(Some(&intent.id), intent.money()),
        IntentStatus::Cancelled => Ok(PaymentStanding::Closed),
        IntentStatus::AtTheStart | IntentStatus::Trying => Ok(PaymentStanding::Open),
        IntentStatus::Other => Ok(PaymentStanding::Processing),
    }
}

pub(super) fn paid(capture: Option<&str>, money: Option<Money>) -> Result<PaymentStanding, CallError> {
    let capture = capture.ok_or_else(|| CallError::deserialize_err("paid, but by no payment intent"))?.to_owned();
    let money = money.ok_or_else(|| CallError::deserialize_err("paid, but an amount that cannot be said exactly"))?;
    Ok(PaymentStanding::Paid(PaidCapture { capture, money }))
}

fn refund_standing(refund: wire::Refund) -> Result<RefundStanding, CallError> {
    let money = refund.money().ok_or_else(|| CallError::deserialize_err("a refund without a readable amount"))?;
    Ok(RefundStanding { state: refund.state(), money, reference: refund.id })
}
