//! The requests as the SDK's typed builders make them: everything in them comes from the ask.

use super::{amounts, wire};
use crate::gateway::{AccountAsk, AmountUnsupported, OpenCheckout, RefundAsk, TransferAsk, Whose};
use escrow_domain::payment::Method;
use escrow_domain::time::Timestamp;
use std::collections::HashMap;
use stripe_checkout::CheckoutSessionMode;
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionAdaptivePricing, CreateCheckoutSessionAllowedPaymentMethodTypes,
    CreateCheckoutSessionLineItems, CreateCheckoutSessionLineItemsPriceData, CreateCheckoutSessionPaymentIntentData,
    ProductData,
};
use stripe_connect::account::{
    CreateAccount, CreateAccountCapabilities, CreateAccountCapabilitiesTransfers, CreateAccountController,
    CreateAccountControllerFees, CreateAccountControllerFeesPayer, CreateAccountControllerLosses,
    CreateAccountControllerLossesPayments, CreateAccountControllerRequirementCollection,
    CreateAccountControllerStripeDashboard, CreateAccountControllerStripeDashboardType,
};
use stripe_connect::account_link::{CreateAccountLink, CreateAccountLinkType};
use stripe_connect::transfer::CreateTransfer;
use stripe_core::payment_intent::{CreatePaymentIntent, CreatePaymentIntentAutomaticPaymentMethods};
use stripe_core::refund::CreateRefund;
use stripe_shared::PaymentIntentAllowedPaymentMethodTypes;
use stripe_types::{RangeBoundsTs, RangeQueryTs};

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

/// What says on an object whose it is, and by which id it is found in Stripe's dashboard.
fn ids(whose: Whose) -> (HashMap<String, String>, String) {
    match whose {
        Whose::Payment(payment) => {
            let escrow = payment.escrow.to_string();
            let ids = HashMap::from([
                (wire::ESCROW_ID.to_owned(), escrow.clone()),
                (wire::PAYMENT_ID.to_owned(), payment.to_string()),
            ]);
            (ids, escrow)
        }
        Whose::TopUp(top_up) => (HashMap::from([(wire::TOP_UP_ID.to_owned(), top_up.to_string())]), top_up.to_string()),
    }
}

/// A hosted page in `payment` mode for one line: the escrow or the top-up.
pub(super) fn session(ask: &OpenCheckout) -> Result<CreateCheckoutSession, Impossible> {
    amounts::check(ask.money)?;
    let (ids, whose) = ids(ask.whose);

    let mut price = CreateCheckoutSessionLineItemsPriceData::new(currency(ask.money.currency.code()));
    price.unit_amount = Some(amounts::to_stripe(ask.money)?);
    price.product_data = Some(ProductData::new(&ask.description));
    let mut line = CreateCheckoutSessionLineItems::new();
    line.price_data = Some(price);
    line.quantity = Some(1);

    // Stripe does not copy a session's metadata to its intent; refunds, charges and chargebacks lead to the intent only.
    let mut intent = CreateCheckoutSessionPaymentIntentData::new();
    intent.metadata = Some(ids.clone());
    intent.transfer_group = Some(whose.clone());

    // With it on, a buyer abroad would be charged another amount in another currency than the escrow holds.
    let mut adaptive = CreateCheckoutSessionAdaptivePricing::new();
    adaptive.enabled = Some(false);

    let request = CreateCheckoutSession::new()
        .mode(CheckoutSessionMode::Payment)
        .client_reference_id(whose)
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
        Some(method) => request.allowed_payment_method_types(vec![match kind(method)? {
            Kind::Card => CreateCheckoutSessionAllowedPaymentMethodTypes::Card,
            Kind::Paypal => CreateCheckoutSessionAllowedPaymentMethodTypes::Paypal,
        }]),
    })
}

/// An intent without a page, for a form on the marketplace's own. It never ends by itself.
pub(super) fn intent(ask: &OpenCheckout) -> Result<CreatePaymentIntent, Impossible> {
    amounts::check(ask.money)?;
    let (ids, whose) = ids(ask.whose);
    let request = CreatePaymentIntent::new(amounts::to_stripe(ask.money)?, currency(ask.money.currency.code()))
        .description(&ask.description)
        .metadata(ids)
        .transfer_group(whose);
    Ok(match ask.method {
        // Without a wish the form offers what the account's dashboard says.
        None => request.automatic_payment_methods(CreatePaymentIntentAutomaticPaymentMethods::new(true)),
        Some(method) => request.allowed_payment_method_types(vec![match kind(method)? {
            Kind::Card => PaymentIntentAllowedPaymentMethodTypes::Card,
            Kind::Paypal => PaymentIntentAllowedPaymentMethodTypes::Paypal,
        }]),
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

/// A transfer to a seller's account.
///
/// The money of a charge moves in the charge's own `transfer_group`, and Stripe refuses to be told another ("You cannot use
/// `transfer_group` if the `source_transaction` already has one set"). So a transfer is never found by its group.
pub(super) fn transfer(ask: &TransferAsk) -> Result<CreateTransfer, Impossible> {
    let payout = ask.payout.to_string();
    let request = CreateTransfer::new(currency(ask.money.currency.code()), &ask.account)
        .amount(amounts::to_stripe(ask.money)?)
        .metadata(HashMap::from([(wire::PAYOUT_ID.to_owned(), payout.clone())]));
    Ok(match &ask.charge {
        None => request.transfer_group(payout),
        Some(charge) => request.source_transaction(charge),
    })
}

/// An account that Stripe asks for what the law wants to know, with a small dashboard of its own, whose fees and losses are the
/// platform's: what used to be called an Express account (docs.stripe.com/connect/migrate-to-controller-properties). Of the two
/// values that Stripe allows for its losses since the version 2026-06-24, this is the one that every platform may use.
pub(super) fn account(ask: &AccountAsk) -> CreateAccount {
    let mut fees = CreateAccountControllerFees::new();
    fees.payer = Some(CreateAccountControllerFeesPayer::Application);
    let mut losses = CreateAccountControllerLosses::new();
    losses.payments = Some(CreateAccountControllerLossesPayments::Application);
    let mut dashboard = CreateAccountControllerStripeDashboard::new();
    dashboard.type_ = Some(CreateAccountControllerStripeDashboardType::Express);
    let mut controller = CreateAccountController::new();
    controller.fees = Some(fees);
    controller.losses = Some(losses);
    controller.requirement_collection = Some(CreateAccountControllerRequirementCollection::Stripe);
    controller.stripe_dashboard = Some(dashboard);

    // Buyers pay the platform; a seller only gets transfers.
    let mut transfers = CreateAccountCapabilitiesTransfers::new();
    transfers.requested = Some(true);
    let mut capabilities = CreateAccountCapabilities::new();
    capabilities.transfers = Some(transfers);

    let mut request = CreateAccount::new()
        .controller(controller)
        .capabilities(capabilities)
        .metadata(HashMap::from([(wire::SELLER.to_owned(), ask.owner.to_string())]));
    if let Some(email) = &ask.email {
        request = request.email(email);
    }
    if let Some(country) = &ask.country {
        request = request.country(country);
    }
    request
}

/// A link to Stripe's own form for an account.
pub(super) fn account_link(account: &str, refresh_url: &str, return_url: &str) -> CreateAccountLink {
    CreateAccountLink::new(account, CreateAccountLinkType::AccountOnboarding)
        .refresh_url(refresh_url)
        .return_url(return_url)
}

/// From that second on.
pub(super) fn since(from: Timestamp) -> RangeQueryTs {
    RangeQueryTs::gte(from.as_seconds())
}

/// From the one second on and before the other.
pub(super) fn window(from: Timestamp, until: Timestamp) -> RangeQueryTs {
    RangeQueryTs::Bounds(RangeBoundsTs {
        gte: Some(from.as_seconds()),
        lt: Some(until.as_seconds()),
        ..RangeBoundsTs::default()
    })
}

fn currency(code: &str) -> stripe_types::Currency {
    let code = code.to_ascii_lowercase();
    // Never fails: a code that the SDK does not list is carried as it is.
    code.parse().unwrap_or(stripe_types::Currency::Unknown(code))
}

/// Stripe's types of payment methods, as far as ours lead to them.
enum Kind {
    Card,
    Paypal,
}

/// Stripe's page and form show the wallets of a device with `card`, and tell card brands apart by themselves.
fn kind(method: Method) -> Result<Kind, Impossible> {
    match method {
        Method::Card | Method::Visa | Method::Mastercard | Method::ApplePay | Method::GooglePay => Ok(Kind::Card),
        Method::PayPal => Ok(Kind::Paypal),
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
