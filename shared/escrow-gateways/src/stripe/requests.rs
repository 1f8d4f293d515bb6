//! The requests as the SDK's typed builders make them: everything in them comes from the ask.

use super::{amounts, wire};
use crate::gateway::{AmountUnsupported, OpenCheckout, RefundAsk};
use escrow_domain::payment::Method;
use std::collections::HashMap;
use stripe_checkout::CheckoutSessionMode;
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionAdaptivePricing, CreateCheckoutSessionAllowedPaymentMethodTypes,
    CreateCheckoutSessionLineItems, CreateCheckoutSessionLineItemsPriceData, CreateCheckoutSessionPaymentIntentData,
    ProductData,
};
use stripe_core::refund::CreateRefund;

/// Why a request cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Impossible {
    /// Its amount.
    #[error(transparent)]
    Amount(#[from] AmountUnsupported),
    /// Its way to pay.
    #[error("stripe does not offer {0}")]
    Method(Method),
}

impl Impossible {
    /// The API's code of it.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Amount(_) => "amount_not_supported",
            Self::Method(_) => "method_not_supported",
        }
    }
}

/// A hosted page in `payment` mode for one line: the escrow.
pub(super) fn open_checkout(ask: &OpenCheckout) -> Result<CreateCheckoutSession, Impossible> {
    amounts::check(ask.money)?;
    let escrow = ask.escrow.to_string();
    let ids = HashMap::from([
        (wire::ESCROW_ID.to_owned(), escrow.clone()),
        (wire::PAYMENT_ID.to_owned(), ask.payment.to_string()),
    ]);

    let mut price = CreateCheckoutSessionLineItemsPriceData::new(currency(ask.money.currency.code()));
    price.unit_amount = Some(amounts::to_stripe(ask.money)?);
    price.product_data = Some(ProductData::new(&ask.description));
    let mut line = CreateCheckoutSessionLineItems::new();
    line.price_data = Some(price);
    line.quantity = Some(1);

    // Stripe does not copy a session's metadata to its intent; refunds, charges and chargebacks lead to the intent only.
    let mut intent = CreateCheckoutSessionPaymentIntentData::new();
    intent.metadata = Some(ids.clone());
    intent.transfer_group = Some(escrow.clone());

    // With it on, a buyer abroad would be charged another amount in another currency than the escrow holds.
    let mut adaptive = CreateCheckoutSessionAdaptivePricing::new();
    adaptive.enabled = Some(false);

    let request = CreateCheckoutSession::new()
        .mode(CheckoutSessionMode::Payment)
        .client_reference_id(escrow)
        .metadata(ids)
        .payment_intent_data(intent)
        .line_items(vec![line])
        .adaptive_pricing(adaptive)
        .expires_at(ask.expires_at.as_seconds())
        .success_url(&ask.success_url)
        .cancel_url(&ask.cancel_url);
    Ok(match ask.method {
        // Without a wish the page offers what the account's dashboard says.
        None => request,
        Some(method) => request.allowed_payment_method_types(vec![payment_method(method)?]),
    })
}

/// A refund of a part or the whole of a capture.
pub(super) fn refund(ask: &RefundAsk) -> Result<CreateRefund, Impossible> {
    let ids = HashMap::from([
        (wire::ESCROW_ID.to_owned(), ask.escrow.to_string()),
        (wire::REFUND_ID.to_owned(), ask.refund.to_string()),
    ]);
    let amount = amounts::to_stripe(ask.money)?;
    Ok(CreateRefund::new().payment_intent(&ask.capture).amount(amount).metadata(ids))
}

fn currency(code: &str) -> stripe_types::Currency {
    let code = code.to_ascii_lowercase();
    // Never fails: a code that the SDK does not list is carried as it is.
    code.parse().unwrap_or(stripe_types::Currency::Unknown(code))
}

/// Stripe's page shows the wallets of a device with `card`, and tells card brands apart by itself.
fn payment_method(method: Method) -> Result<CreateCheckoutSessionAllowedPaymentMethodTypes, Impossible> {
    match method {
        Method::Card | Method::Visa | Method::Mastercard | Method::ApplePay | Method::GooglePay => {
            Ok(CreateCheckoutSessionAllowedPaymentMethodTypes::Card)
        }
        Method::PayPal => Ok(CreateCheckoutSessionAllowedPaymentMethodTypes::Paypal),
        Method::Mada | Method::StcPay => Err(Impossible::Method(method)),
    }
}

/// A form with its fields in the order of their names.
///
/// The SDK keeps metadata in a hash map, whose order differs from one process to the next; Stripe compares a repeated
/// request's parameters, and we promise the same bytes.
pub(super) fn in_order(form: &str) -> String {
    let mut fields: Vec<&str> = form.split('&').filter(|field| !field.is_empty()).collect();
    // A stable sort by name keeps the order of fields that share one.
    fields.sort_by_key(|field| field.split_once('=').map_or(*field, |(name, _)| name));
    fields.join("&")
}
