//! A quote: what a deal would cost.

use super::amount;
use super::escrow::FeeView;
use super::whole;
use crate::problem::Answer;
use escrow_domain::quote::Quote;
use serde::Serialize;

/// A quote.
#[derive(Debug, Clone, Serialize)]
pub struct QuoteView {
    quote: String,
    kind: &'static str,
    currency: String,
    amount: String,
    fee: FeeView,
    charged: String,
    seller_receives: String,
}

/// The quote, with the name that binds it.
///
/// # Errors
/// 500 if its fee cannot be summed, which its making excludes.
pub fn quote(quote: &Quote) -> Answer<QuoteView> {
    let currency = quote.amount.currency;
    Ok(QuoteView {
        quote: quote.id(),
        kind: quote.kind.as_str(),
        currency: currency.to_string(),
        amount: quote.amount.to_string(),
        fee: FeeView { payer: quote.payer.as_str(), amount: amount(whole(quote.fee.total())?, currency) },
        charged: amount(quote.charged, currency),
        seller_receives: amount(quote.seller_receives, currency),
    })
}
