//! Paying sellers at Stripe: connected accounts and transfers to them ("separate charges and transfers",
//! docs.stripe.com/connect/separate-charges-and-transfers).
//!
//! The money of a transfer has left the platform as soon as the transfer is there: it has no state that could still fail, and it comes
//! back only by a reversal, which is the platform's own doing or Stripe's. When and how an account is paid out to a bank is between Stripe
//! and the seller.

use super::call::{Call, id, impossible, once};
use super::{PAGE, Stripe, requests, wire};
use crate::gateway::{
    AccountAsk, AccountLink, AccountStanding, CallError, Deadline, TransferAsk, TransferStanding, TransferState,
};
use escrow_domain::time::{Period, Timestamp};
use stripe_client_core::{StripeClientErr, StripeRequest};
use stripe_connect::account::RetrieveAccount;
use stripe_connect::transfer::{ListTransfer, RetrieveTransfer};
use stripe_core::payment_intent::RetrievePaymentIntent;

/// Our clock and Stripe's are never so far from each other.
const CLOCKS_APART: Period = Period::days(1);

impl Stripe {
    pub(super) async fn find_charge(&self, capture: &str, deadline: Deadline) -> Result<String, CallError> {
        let request = RetrievePaymentIntent::new(id(capture)?);
        let call = Call { stripe: self, deadline };
        let intent: wire::IntentOfCharge = request.build().customize().send(&call).await?;
        // Before it has succeeded, the latest charge is that of the latest try, and another may follow.
        let charge = intent.latest_charge.filter(|_| intent.status.as_deref() == Some("succeeded"));
        charge.ok_or_else(|| CallError::Refused {
            status: None,
            code: "capture_not_paid".to_owned(),
            message: format!("{capture} has not succeeded, or has no charge"),
        })
    }

    pub(super) async fn send_transfer(
        &self,
        ask: &TransferAsk,
        key: &str,
        deadline: Deadline,
    ) -> Result<TransferStanding, CallError> {
        id(&ask.account)?;
        let request = requests::transfer(ask).map_err(impossible)?;
        let call = Call { stripe: self, deadline };
        let transfer: wire::Transfer = request.build().customize().request_strategy(once(key)?).send(&call).await?;
        transfer_standing(transfer)
    }

    pub(super) async fn find_transfer(
        &self,
        ask: &TransferAsk,
        known: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<TransferStanding>, CallError> {
        let call = Call { stripe: self, deadline };
        if let Some(known) = known {
            let request = RetrieveTransfer::new(id(known)?);
            let transfer: wire::Transfer = request.build().customize().send(&call).await?;
            return transfer_standing(transfer).map(Some);
        }
        let since = requests::since(ask.asked_at.before(CLOCKS_APART));
        let mut request = ListTransfer::new().destination(&ask.account).created(since).limit(PAGE);
        loop {
            let page: wire::Page<wire::Transfer> = request.build().customize().send(&call).await?;
            let more = page.has_more.unwrap_or_default();
            let last = page.data.last().map(|transfer| transfer.id.clone());
            if let Some(found) = page.data.into_iter().find(|transfer| transfer.payout() == Some(ask.payout)) {
                return transfer_standing(found).map(Some);
            }
            match last {
                Some(last) if more => request = request.starting_after(last),
                _ => return Ok(None),
            }
        }
    }

    pub(super) async fn create_account(
        &self,
        ask: &AccountAsk,
        key: &str,
        deadline: Deadline,
    ) -> Result<AccountStanding, CallError> {
        let request = requests::account(ask);
        let call = Call { stripe: self, deadline };
        let account: wire::Account = request.build().customize().request_strategy(once(key)?).send(&call).await?;
        Ok(account.standing())
    }

    /// Without a key: the answer to an earlier request would be a link that was opened already.
    pub(super) async fn create_account_link(
        &self,
        account: &str,
        refresh_url: &str,
        return_url: &str,
        deadline: Deadline,
    ) -> Result<AccountLink, CallError> {
        let request = requests::account_link(id(account)?, refresh_url, return_url);
        let link: wire::Link = request.build().customize().send(&Call { stripe: self, deadline }).await?;
        Ok(AccountLink { url: link.url, expires_at: link.expires_at.map(Timestamp::from_seconds) })
    }

    pub(super) async fn find_account(&self, account: &str, deadline: Deadline) -> Result<AccountStanding, CallError> {
        let request = RetrieveAccount::new(id(account)?);
        let account: wire::Account = request.build().customize().send(&Call { stripe: self, deadline }).await?;
        Ok(account.standing())
    }
}

fn transfer_standing(transfer: wire::Transfer) -> Result<TransferStanding, CallError> {
    let unreadable = || CallError::deserialize_err("a transfer without a readable amount");
    let money = transfer.money().ok_or_else(unreadable)?;
    let reversed = transfer.reversed().ok_or_else(unreadable)?;
    Ok(TransferStanding { reference: transfer.id, state: TransferState::Sent, money, reversed })
}
