//! Stripe's objects as its API and its events show them, in the shape of the pinned API version.
//!
//! Fields are those of Stripe's published API description; those that this sandbox has no model of are `null`, as they
//! are for an account that does not use them.

use serde_json::{Value, json};

use super::balance;
use super::book::{Book, Charge, ChargeStatus, Dispute, Intent, IntentStatus, Refund, RefundStatus, Session};

/// The API version of every object and event: the one that the Stripe SDK of this workspace is made for.
pub(super) const API_VERSION: &str = "2026-09-30.endive";

/// An object with the fields that are there and empty.
fn with_nulls(mut object: Value, names: &[&str]) -> Value {
    for name in names {
        object[name] = Value::Null;
    }
    object
}

/// <https://docs.stripe.com/api/checkout/sessions/object>
pub(super) fn session(session: &Session) -> Value {
    let known = json!({
        "id": session.id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": false},
        "amount_subtotal": session.amount,
        "amount_total": session.amount,
        "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
        "cancel_url": session.cancel_url,
        "client_reference_id": session.client_reference_id,
        "created": session.created,
        "currency": session.currency,
        "custom_fields": [],
        "custom_text": {"after_submit": null, "shipping_address": null, "submit": null,
                        "terms_of_service_acceptance": null},
        "customer_creation": "if_required",
        "customer_details": customer(session),
        "customer_email": session.customer_email,
        "discounts": [],
        "expires_at": session.expires_at,
        "invoice_creation": {"enabled": false, "invoice_data": {"account_tax_ids": null, "custom_fields": null,
            "description": null, "footer": null, "issuer": null, "metadata": {}, "rendering_options": null}},
        "livemode": false,
        "locale": session.locale,
        "metadata": session.metadata,
        "mode": "payment",
        "payment_intent": session.intent,
        "payment_method_collection": "if_required",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": session.method_types,
        "payment_status": if session.paid { "paid" } else { "unpaid" },
        "phone_number_collection": {"enabled": false},
        "shipping_options": [],
        "status": session.status.word(),
        "success_url": session.success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        // As at Stripe, only a session that can still be paid has a page.
        "url": (session.status == super::book::SessionStatus::Open).then_some(&session.url),
    });
    with_nulls(
        known,
        &[
            "after_expiration",
            "allow_promotion_codes",
            "billing_address_collection",
            "branding_settings",
            "client_secret",
            "collected_information",
            "consent",
            "consent_collection",
            "currency_conversion",
            "customer",
            "customer_account",
            "integration_identifier",
            "invoice",
            "origin_context",
            "payment_link",
            "payment_method_configuration_details",
            "permissions",
            "presentment_details",
            "recovered_from",
            "redirect_on_completion",
            "return_url",
            "saved_payment_method_options",
            "setup_intent",
            "shipping_address_collection",
            "shipping_cost",
            "submit_type",
            "subscription",
            "wallet_options",
        ],
    )
}

fn customer(session: &Session) -> Value {
    if session.status == super::book::SessionStatus::Complete {
        return json!({"address": address(), "business_name": null, "email": buyer_email(session), "individual_name": null,
                      "name": "Sandbox Buyer", "phone": null, "tax_exempt": "none", "tax_ids": []});
    }
    match &session.customer_email {
        Some(email) => json!({"address": null, "business_name": null, "email": email, "individual_name": null,
                              "name": null, "phone": null, "tax_exempt": "none", "tax_ids": null}),
        None => Value::Null,
    }
}

fn buyer_email(session: &Session) -> &str {
    session.customer_email.as_deref().unwrap_or("buyer@example.com")
}

fn address() -> Value {
    json!({"city": null, "country": "SA", "line1": null, "line2": null, "postal_code": null, "state": null})
}

/// The session's `line_items`, shown when asked for by `expand[]`.
pub(super) fn line_items(session: &Session) -> Value {
    let items: Vec<Value> = session
        .lines
        .iter()
        .map(|line| {
            let total = line.unit_amount * line.quantity;
            json!({
                "id": line.id, "object": "item", "adjustable_quantity": null, "amount_discount": 0,
                "amount_subtotal": total, "amount_tax": 0, "amount_total": total, "currency": session.currency,
                "description": line.name, "metadata": {}, "quantity": line.quantity,
                "price": {
                    "id": line.price, "object": "price", "active": false, "billing_scheme": "per_unit",
                    "created": session.created, "currency": session.currency, "custom_unit_amount": null,
                    "livemode": false, "lookup_key": null, "metadata": {}, "nickname": null, "product": line.product,
                    "recurring": null, "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null,
                    "type": "one_time", "unit_amount": line.unit_amount,
                    "unit_amount_decimal": line.unit_amount.to_string(),
                },
            })
        })
        .collect();
    list(&format!("/v1/checkout/sessions/{}/line_items", session.id), items, false)
}

/// <https://docs.stripe.com/api/payment_intents/object>
pub(super) fn intent(intent: &Intent) -> Value {
    let latest = intent.charges.last();
    let declined = latest.is_some_and(|charge| charge.status == ChargeStatus::Failed)
        && intent.status == IntentStatus::RequiresPaymentMethod;
    let received = if intent.status == IntentStatus::Succeeded { intent.amount } else { 0 };
    let method = latest.filter(|charge| charge.status != ChargeStatus::Failed).map(|charge| charge.method.as_str());
    let known = json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": received,
        "canceled_at": intent.canceled_at,
        "automatic_payment_methods": intent.redirects.as_ref().map(|redirects| json!({"allow_redirects": redirects, "enabled": true})),
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": "automatic_async",
        "client_secret": intent.secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "description": intent.data.description,
        "last_payment_error": if declined { decline(latest) } else { Value::Null },
        "latest_charge": latest.map(|charge| &charge.id),
        "livemode": false,
        "metadata": intent.data.metadata,
        "payment_method": method,
        "payment_method_options": {"card": {"installments": null, "mandate_options": null, "network": null,
                                            "request_three_d_secure": "automatic"}},
        "payment_method_types": intent.method_types,
        "statement_descriptor_suffix": intent.data.statement_descriptor_suffix,
        "status": intent.status.word(),
        "transfer_group": intent.data.transfer_group,
    });
    with_nulls(
        known,
        &[
            "application",
            "application_fee_amount",
            "customer",
            "customer_account",
            "excluded_payment_method_types",
            "next_action",
            "on_behalf_of",
            "payment_method_configuration_details",
            "processing",
            "receipt_email",
            "review",
            "setup_future_usage",
            "shipping",
            "source",
            "statement_descriptor",
            "transfer_data",
        ],
    )
}

/// Stripe's `last_payment_error` of a card that said no. The card itself is left out, as nobody needs it.
fn decline(charge: Option<&Charge>) -> Value {
    json!({
        "charge": charge.map(|charge| &charge.id),
        "code": "card_declined",
        "decline_code": "generic_decline",
        "doc_url": "https://docs.stripe.com/error-codes/card-declined",
        "message": "Your card was declined.",
        "type": "card_error",
    })
}

/// <https://docs.stripe.com/api/charges/object>
pub(super) fn charge(book: &Book, intent: &Intent, charge: &Charge) -> Value {
    let refunded = book.refunded(&charge.id);
    let succeeded = charge.status == ChargeStatus::Succeeded;
    let failed = charge.status == ChargeStatus::Failed;
    // What was pending before it failed has been in the balance, and stays in its books.
    let is_booked = !failed || charge.failure_transaction.is_some();
    let outcome = if failed {
        json!({"advice_code": "try_again_later", "network_advice_code": null, "network_decline_code": "01",
               "network_status": "declined_by_network", "reason": "generic_decline", "risk_level": "normal",
               "risk_score": 20, "seller_message": "The bank did not return any further details with this decline.",
               "type": "issuer_declined"})
    } else {
        json!({"advice_code": null, "network_advice_code": null, "network_decline_code": null,
               "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 20,
               "seller_message": "Payment complete.", "type": "authorized"})
    };
    let known = json!({
        "id": charge.id,
        "object": "charge",
        "amount": intent.amount,
        "amount_captured": if is_booked { intent.amount } else { 0 },
        "amount_refunded": refunded,
        "balance_transaction": is_booked.then_some(&charge.transaction),
        "billing_details": {"address": address(), "email": "buyer@example.com", "name": "Sandbox Buyer", "phone": null,
                            "tax_id": null},
        "calculated_statement_descriptor": "HOLDFAST SANDBOX",
        "captured": is_booked,
        "created": charge.created,
        "currency": intent.currency,
        "description": intent.data.description,
        "disputed": book.disputes_about(&charge.id).next().is_some(),
        "failure_balance_transaction": charge.failure_transaction,
        "failure_code": failed.then_some("card_declined"),
        "failure_message": failed.then_some("Your card was declined."),
        "fraud_details": {},
        "livemode": false,
        "metadata": intent.data.metadata,
        "outcome": outcome,
        "paid": succeeded,
        "payment_intent": intent.id,
        "payment_method": charge.method,
        "payment_method_details": card(intent),
        "radar_options": {},
        "refunded": refunded >= intent.amount,
        "statement_descriptor_suffix": intent.data.statement_descriptor_suffix,
        "status": charge.status.word(),
        "transfer_group": intent.data.transfer_group,
    });
    with_nulls(
        known,
        &[
            "application",
            "application_fee",
            "application_fee_amount",
            "customer",
            "on_behalf_of",
            "receipt_email",
            "receipt_number",
            "receipt_url",
            "review",
            "shipping",
            "source",
            "source_transfer",
            "statement_descriptor",
            "transfer_data",
        ],
    )
}

/// The card that every buyer of this sandbox has.
fn card(intent: &Intent) -> Value {
    json!({"card": {
            "amount_authorized": intent.amount, "authorization_code": null, "brand": "visa",
            "checks": {"address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass"},
            "country": "SA", "exp_month": 12, "exp_year": 2034,
            "extended_authorization": {"status": "disabled"}, "fingerprint": "SandboxCardPrint", "funding": "credit",
            "incremental_authorization": {"status": "unavailable"}, "installments": null, "last4": "4242",
            "mandate": null, "multicapture": {"status": "unavailable"}, "network": "visa", "network_token": {"used": false},
            "network_transaction_id": null,
            "overcapture": {"maximum_amount_capturable": intent.amount, "status": "unavailable"},
            "regulated_status": "unregulated", "three_d_secure": null, "wallet": null}, "type": "card"})
}

/// <https://docs.stripe.com/api/refunds/object>
pub(super) fn refund(refund: &Refund) -> Value {
    let mut value = json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": refund.status.takes_money().then_some(&refund.transaction),
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "destination_details": {"card": {"reference": null, "reference_status": "pending",
            "reference_type": "acquirer_reference_number", "type": "refund"}, "type": "card"},
        "metadata": refund.metadata,
        "payment_intent": refund.intent,
        "reason": refund.reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": refund.status.word(),
        "transfer_reversal": null,
    });
    // Stripe leaves these out unless they apply.
    match refund.status {
        RefundStatus::Pending => value["pending_reason"] = json!("processing"),
        RefundStatus::Failed => {
            value["failure_balance_transaction"] = json!(refund.failure_transaction);
            value["failure_reason"] = json!("expired_or_canceled_card");
        }
        RefundStatus::Succeeded | RefundStatus::Canceled => {}
    }
    value
}

/// <https://docs.stripe.com/api/disputes/object>
pub(super) fn dispute(book: &Book, dispute: &Dispute) -> Value {
    let moved = [&dispute.withdrawal, &dispute.reinstatement].into_iter().flatten();
    let transactions = moved.filter_map(|id| book.transactions.get(id));
    let movements: Vec<Value> =
        transactions.map(|transaction| balance::shown(transaction, transaction.available_on)).collect();
    let evidence: serde_json::Map<String, Value> = [
        "access_activity_log",
        "billing_address",
        "cancellation_policy",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "customer_communication",
        "customer_email_address",
        "customer_name",
        "customer_purchase_ip",
        "customer_signature",
        "duplicate_charge_documentation",
        "duplicate_charge_explanation",
        "duplicate_charge_id",
        "product_description",
        "receipt",
        "refund_policy",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
        "service_documentation",
        "shipping_address",
        "shipping_carrier",
        "shipping_date",
        "shipping_documentation",
        "shipping_tracking_number",
        "uncategorized_file",
        "uncategorized_text",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), Value::Null))
    .chain([("enhanced_evidence".to_owned(), json!({}))])
    .collect();
    let case = if dispute.status.is_inquiry() { "inquiry" } else { "chargeback" };
    json!({
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transaction": dispute.withdrawal,
        "balance_transactions": movements,
        "charge": dispute.charge,
        "created": dispute.created,
        "currency": dispute.currency,
        "enhanced_eligibility_types": [],
        "evidence": evidence,
        "evidence_details": {"due_by": dispute.created + 7 * 86_400, "enhanced_eligibility": {}, "has_evidence": false,
                             "past_due": false, "submission_count": 0},
        "is_charge_refundable": dispute.leaves_refundable(),
        "livemode": false,
        "metadata": {},
        "payment_intent": dispute.intent,
        "payment_method_details": {"card": {"brand": "visa", "case_type": case, "network": "visa",
                                            "network_reason_code": "10.4"}, "type": "card"},
        "reason": dispute.reason,
        "status": dispute.status.word(),
    })
}

/// <https://docs.stripe.com/api/pagination>
pub(super) fn list(url: &str, data: Vec<Value>, has_more: bool) -> Value {
    json!({"object": "list", "data": data, "has_more": has_more, "url": url})
}
