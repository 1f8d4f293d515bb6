//! Sellers: where they are paid, and what is missing.

use super::payout::{BankView, bank};
use super::wallet::PolicyView;
use super::{time, time_or_null};
use escrow_domain::id::{GatewayName, UserId};
use escrow_domain::seller::{AccountState, Seller, SellerAccount};
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::Wallet;
use serde::Serialize;

/// Somebody who is paid.
#[derive(Debug, Clone, Serialize)]
pub struct SellerView {
    id: String,
    accounts: Vec<AccountView>,
    payout_policies: Vec<OwnPolicyView>,
}

#[derive(Debug, Clone, Serialize)]
struct AccountView {
    gateway: &'static str,
    account: Option<String>,
    state: &'static str,
    ready: bool,
    missing: Option<String>,
    currently_due: Vec<String>,
    disabled_reason: Option<String>,
    bank: Option<BankView>,
    told_at: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct OwnPolicyView {
    currency: String,
    #[serde(flatten)]
    policy: PolicyView,
}

/// The page on which a seller goes on.
#[derive(Debug, Clone, Serialize)]
pub struct SellerLinked {
    gateway: &'static str,
    url: String,
    expires_at: Option<String>,
    seller: SellerView,
}

/// A seller with the policies of their wallets; one who never began has no accounts.
#[must_use]
pub fn seller(owner: &UserId, seller: Option<&Seller>, wallets: &[Wallet]) -> SellerView {
    let policy = |wallet: &Wallet| {
        let policy = wallet.auto_payout.as_ref()?;
        Some(OwnPolicyView { currency: wallet.currency.to_string(), policy: PolicyView::new(policy, wallet.currency) })
    };
    SellerView {
        id: owner.to_string(),
        accounts: seller.map(|seller| seller.accounts.iter().map(account).collect()).unwrap_or_default(),
        payout_policies: wallets.iter().filter_map(policy).collect(),
    }
}

/// The same with a page of the gateway's.
#[must_use]
pub fn seller_linked(
    seller: SellerView,
    gateway: GatewayName,
    url: &str,
    expires_at: Option<Timestamp>,
) -> SellerLinked {
    SellerLinked { gateway: gateway.as_str(), url: url.to_owned(), expires_at: time_or_null(expires_at), seller }
}

fn account(account: &SellerAccount) -> AccountView {
    AccountView {
        gateway: account.gateway.as_str(),
        account: account.account.clone(),
        state: account.state.as_str(),
        ready: account.state == AccountState::Ready,
        missing: account.missing(),
        currently_due: account.currently_due.clone(),
        disabled_reason: account.disabled_reason.clone(),
        bank: account.bank.as_ref().map(bank),
        told_at: account.told_at.map(time),
    }
}
