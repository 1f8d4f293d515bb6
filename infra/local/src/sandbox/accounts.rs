//! Connect: the sellers' accounts, what Stripe wants to know of them, and the links by which they tell it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::book::{Book, Record};
use super::change::{Change, random_id};
use super::form::Params;
use super::refusal::Refusal;
use super::{amounts, checkout};

/// A link is good for a few minutes (docs.stripe.com/api/account_links: "expires a few minutes after it was created").
const LINK_LASTS_S: i64 = 300;
/// What Stripe asks of everybody.
const ASKED_AT_FIRST: &[&str] = &[
    "business_profile.mcc",
    "business_type",
    "external_account",
    "individual.dob.day",
    "individual.first_name",
    "individual.last_name",
    "tos_acceptance.date",
    "tos_acceptance.ip",
];
/// What is open when the seller has begun and gone away, or when Stripe asks again.
const USUALLY_OPEN: &[&str] = &["external_account", "individual.verification.document"];

/// A connected account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) created: i64,
    pub(super) country: String,
    pub(super) email: Option<String>,
    pub(super) business_type: Option<String>,
    pub(super) controller: Controller,
    /// The capabilities that were asked for.
    pub(super) transfers: bool,
    pub(super) card_payments: bool,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) default_currency: String,
    pub(super) standing: Standing,
    /// Whether the seller has ever come to the end of the onboarding.
    pub(super) submitted: bool,
    /// What is asked of the seller now.
    pub(super) currently_due: Vec<String>,
    /// The bank account that payouts go to, once there is one: `ba_…`.
    pub(super) bank: Option<String>,
    /// Money can be sent, but stays: something is asked of the seller before it goes to the bank.
    #[serde(default)]
    pub(super) payouts_stopped: bool,
    /// The seller has taken the platform's access away: for the platform there is no such account any more.
    #[serde(default)]
    pub(super) gone: bool,
}

/// Who is responsible for what (docs.stripe.com/connect/accounts, "controller properties").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Controller {
    /// Pays Stripe's fees: `account` or `application`.
    pub(super) fees: String,
    /// Bears losses: `stripe` or `application`.
    pub(super) losses: String,
    /// Collects what Stripe has to know: `stripe` or `application`.
    pub(super) requirements: String,
    /// `full`, `express` or `none`.
    pub(super) dashboard: String,
}

/// How far Stripe is with a seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    /// Something is still asked of the seller.
    Incomplete,
    /// All is told, and being checked.
    Pending,
    Complete,
    /// Stripe wants no business with the seller.
    Rejected,
}

impl Account {
    /// Whether it may be sent money.
    pub(super) fn takes_transfers(&self) -> bool {
        self.transfers && self.standing == Standing::Complete
    }

    /// Whether its money goes on to the seller's bank.
    pub(super) const fn payouts_enabled(&self) -> bool {
        matches!(self.standing, Standing::Complete) && !self.payouts_stopped
    }
}

/// A link to the onboarding page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AccountLink {
    pub(super) token: String,
    pub(super) account: String,
    pub(super) created: i64,
    pub(super) expires_at: i64,
    pub(super) refresh_url: String,
    pub(super) return_url: String,
    /// A browser has been there: the page is not shown a second time.
    pub(super) opened: bool,
    /// The seller has come to an end with it.
    pub(super) used: bool,
}

/// `POST /v1/accounts`
pub(super) fn create(change: &mut Change<'_>, mut form: Params) -> Result<Value, Refusal> {
    let account = asked(change, &mut form)?;
    form.finish()?;
    let shown = shown(&account);
    change.put(Record::Account(account));
    Ok(shown)
}

fn asked(change: &mut Change<'_>, form: &mut Params) -> Result<Account, Refusal> {
    for known in ["business_profile", "settings", "tos_acceptance"] {
        form.ignore(known);
    }
    for known in ["account_token", "company", "documents", "external_account", "groups", "individual"] {
        form.refuse(known)?;
    }
    let country = form.text("country")?.unwrap_or_else(|| "SA".to_owned());
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let message = format!("Country '{}' is unknown. Try using a 2-character alphanumeric country code.", country);
        return Err(Refusal {
            code: Some("country_unsupported"),
            param: Some("country".to_owned()),
            ..Refusal::invalid(message)
        });
    }
    let given = form.text("default_currency")?;
    let default_currency = match given {
        Some(text) => amounts::currency(&text, "default_currency".to_owned())?,
        None => currency_of(&country).to_owned(),
    };
    let (mut transfers, mut card_payments) = (false, false);
    if let Some(mut capabilities) = form.hash("capabilities")? {
        transfers = requested(&mut capabilities, "transfers")?;
        card_payments = requested(&mut capabilities, "card_payments")?;
        capabilities.finish()?;
    }
    Ok(Account {
        id: random_id("acct_1", 15),
        number: change.number(),
        created: change.now_s(),
        country,
        email: form.short_text("email", 512)?,
        business_type: form.choice("business_type", &["individual", "company", "non_profit", "government_entity"])?,
        controller: controller(form)?,
        transfers,
        card_payments,
        metadata: form.metadata("metadata")?,
        default_currency,
        standing: Standing::Incomplete,
        submitted: false,
        currently_due: owned(ASKED_AT_FIRST),
        bank: None,
        payouts_stopped: false,
        gone: false,
    })
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn requested(capabilities: &mut Params, name: &str) -> Result<bool, Refusal> {
    let Some(mut capability) = capabilities.hash(name)? else { return Ok(false) };
    let requested = capability.flag("requested")?;
    capability.finish()?;
    Ok(requested)
}

/// Where most of a country's sellers have their bank accounts.
fn currency_of(country: &str) -> &'static str {
    match country {
        "SA" => "sar",
        "AE" => "aed",
        "BH" => "bhd",
        "CA" => "cad",
        "CH" => "chf",
        "EG" => "egp",
        "GB" => "gbp",
        "JO" => "jod",
        "JP" => "jpy",
        "KW" => "kwd",
        "OM" => "omr",
        "QA" => "qar",
        "AT" | "BE" | "DE" | "ES" | "FI" | "FR" | "IE" | "IT" | "NL" | "PT" => "eur",
        _ => "usd",
    }
}

/// The properties one by one, or the older `type`, which stands for four of them.
fn controller(form: &mut Params) -> Result<Controller, Refusal> {
    let kind = form.choice("type", &["standard", "express", "custom"])?;
    let properties = form.hash("controller")?;
    let words = |fees: &str, losses: &str, requirements: &str, dashboard: &str| Controller {
        fees: fees.to_owned(),
        losses: losses.to_owned(),
        requirements: requirements.to_owned(),
        dashboard: dashboard.to_owned(),
    };
    let Some(mut given) = properties else {
        return Ok(match kind.as_deref() {
            Some("express") => words("application", "application", "stripe", "express"),
            Some("custom") => words("application", "application", "application", "none"),
            _ => words("account", "stripe", "stripe", "full"),
        });
    };
    if kind.is_some() {
        return Err(Refusal::invalid(
            "You may not provide the `type` parameter and `controller` parameters simultaneously.",
        ));
    }
    let mut inner = |field: &str, inner: &str, words: &[&str]| -> Result<Option<String>, Refusal> {
        let Some(mut hash) = given.hash(field)? else { return Ok(None) };
        let chosen = hash.choice(inner, words)?;
        hash.finish()?;
        Ok(chosen)
    };
    let fees = inner("fees", "payer", &["account", "application"])?;
    let losses = inner("losses", "payments", &["application", "stripe"])?;
    let dashboard = inner("stripe_dashboard", "type", &["express", "full", "none"])?;
    let requirements = given.choice("requirement_collection", &["application", "stripe"])?;
    given.finish()?;
    let controller = Controller {
        fees: fees.unwrap_or_else(|| "account".to_owned()),
        losses: losses.unwrap_or_else(|| "stripe".to_owned()),
        requirements: requirements.unwrap_or_else(|| "stripe".to_owned()),
        dashboard: dashboard.unwrap_or_else(|| "full".to_owned()),
    };
    // An express dashboard goes with a platform that bears the losses; who asks for what Stripe must know has no dashboard
    // beside it (docs.stripe.com/connect/migrate-to-controller-properties, the supported combinations).
    let express_alone = controller.dashboard == "express" && controller.losses != "application";
    let collects = controller.requirements == "application" && controller.dashboard != "none";
    if express_alone || collects {
        return Err(Refusal {
            param: Some("controller".to_owned()),
            ..Refusal::invalid("This combination of controller properties is not supported.")
        });
    }
    Ok(controller)
}

/// `GET /v1/accounts/{id}`. Stripe tells an account that is not there and one of somebody else apart for nobody.
pub(super) fn find<'b>(book: &'b Book, id: &str) -> Result<&'b Account, Refusal> {
    book.account(id).ok_or_else(|| {
        let shown: String = id.chars().take(120).collect();
        let message = format!(
            "The provided key does not have access to account '{shown}' (or that account does not exist). Application access may have been revoked."
        );
        Refusal { status: 403, code: Some("account_invalid"), ..Refusal::invalid(message) }
    })
}

/// `POST /v1/account_links`
pub(super) fn link(change: &mut Change<'_>, mut form: Params, public_url: &str) -> Result<Value, Refusal> {
    let account = form.required("account")?;
    let kind = form.choice("type", &["account_onboarding", "account_update"])?;
    if kind.ok_or_else(|| form.missing("type"))? != "account_onboarding" {
        let message = "The local Stripe sandbox only knows links for onboarding.";
        return Err(Refusal::param("parameter_invalid", "type".to_owned(), message));
    }
    let refresh_url = checkout::url(&mut form, "refresh_url")?.ok_or_else(|| form.missing("refresh_url"))?;
    let return_url = checkout::url(&mut form, "return_url")?.ok_or_else(|| form.missing("return_url"))?;
    form.ignore("collect");
    form.ignore("collection_options");
    form.finish()?;
    if change.book.account(&account).is_none() {
        return Err(Refusal { status: 400, ..Refusal::missing("account", &account, "account") });
    }
    let now = change.now_s();
    let link = AccountLink {
        token: random_id("", 24),
        account,
        created: now,
        expires_at: now + LINK_LASTS_S,
        refresh_url,
        return_url,
        opened: false,
        used: false,
    };
    let url = format!("{public_url}/sandbox/stripe/connect/{}/{}", link.account, link.token);
    let shown = json!({"object": "account_link", "created": link.created, "expires_at": link.expires_at, "url": url});
    change.put(Record::AccountLink(link));
    Ok(shown)
}

/// What a seller does with the onboarding, or Stripe with the seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Complete,
    /// All is told, but Stripe has not finished checking it.
    Pending,
    Incomplete,
    Rejected,
}

/// What is played, on the onboarding page or by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Played {
    pub(super) outcome: Outcome,
    /// What is asked of the seller, where something is.
    pub(super) currently_due: Option<Vec<String>>,
    /// For `complete`: false when money may be sent, but does not go on to the bank.
    #[serde(default = "usually")]
    pub(super) payouts_enabled: bool,
}

const fn usually() -> bool {
    true
}

/// Brings an account to where this leads, and tells of it if anything has changed.
pub(super) fn turn(change: &mut Change<'_>, account: &Account, played: &Played) -> Account {
    let mut turned = account.clone();
    let due = |usual: &[&str]| played.currently_due.clone().unwrap_or_else(|| owned(usual));
    turned.payouts_stopped = played.outcome == Outcome::Complete && !played.payouts_enabled;
    match played.outcome {
        Outcome::Complete | Outcome::Pending => {
            let complete = played.outcome == Outcome::Complete;
            turned.standing = if complete { Standing::Complete } else { Standing::Pending };
            turned.submitted = true;
            turned.currently_due = if turned.payouts_stopped { due(&["external_account"]) } else { due(&[]) };
            turned.bank.get_or_insert_with(|| random_id("ba_1", 23));
            turned.business_type.get_or_insert_with(|| "individual".to_owned());
        }
        Outcome::Incomplete => {
            turned.standing = Standing::Incomplete;
            turned.currently_due = due(USUALLY_OPEN);
        }
        Outcome::Rejected => {
            turned.standing = Standing::Rejected;
            turned.currently_due = due(&[]);
        }
    }
    let (before, after) = (shown(account), shown(&turned));
    change.put(Record::Account(turned.clone()));
    let mut former = serde_json::Map::new();
    for field in
        ["business_type", "capabilities", "details_submitted", "external_accounts", "payouts_enabled", "requirements"]
    {
        if before[field] != after[field] {
            former.insert(field.to_owned(), before[field].clone());
        }
    }
    if !former.is_empty() {
        change.event_of(&turned.id, "account.updated", after, Some(Value::Object(former)));
    }
    turned
}

/// The seller takes the platform's access away.
pub(super) fn disconnect(change: &mut Change<'_>, account: Account) {
    let id = account.id.clone();
    change.put(Record::Account(Account { gone: true, ..account }));
    let application = json!({"id": "ca_HoldfastSandbox0001", "object": "application", "name": "Holdfast"});
    change.event_of(&id, "account.application.deauthorized", application, None);
}

/// <https://docs.stripe.com/api/accounts/object>
pub(super) fn shown(account: &Account) -> Value {
    let active = |asked: bool| match account.standing {
        _ if !asked => None,
        Standing::Complete => Some("active"),
        Standing::Pending => Some("pending"),
        Standing::Incomplete | Standing::Rejected => Some("inactive"),
    };
    let mut capabilities = serde_json::Map::new();
    for (name, asked) in [("card_payments", account.card_payments), ("transfers", account.transfers)] {
        capabilities.extend(active(asked).map(|word| (name.to_owned(), json!(word))));
    }
    let disabled_reason = match account.standing {
        Standing::Complete => account.payouts_stopped.then_some("requirements.past_due"),
        Standing::Pending => Some("requirements.pending_verification"),
        Standing::Incomplete => Some("requirements.past_due"),
        Standing::Rejected => Some("rejected.other"),
    };
    let pending: &[&str] =
        if account.standing == Standing::Pending { &["individual.verification.document"] } else { &[] };
    let due = &account.currently_due;
    let kind = match account.controller.dashboard.as_str() {
        "express" => "express",
        "full" => "standard",
        _ if account.controller.requirements == "application" => "custom",
        _ => "none",
    };
    let banks: Vec<Value> = account.bank.iter().map(|bank| bank_account(account, bank)).collect();
    json!({
        "id": account.id,
        "object": "account",
        "business_profile": {"annual_revenue": null, "estimated_worker_count": null, "mcc": null, "name": null,
            "product_description": null, "support_address": null, "support_email": null, "support_phone": null,
            "support_url": null, "url": null},
        "business_type": account.business_type,
        "capabilities": capabilities,
        "charges_enabled": account.card_payments && account.standing == Standing::Complete,
        "controller": {
            "fees": {"payer": account.controller.fees}, "is_controller": true,
            "losses": {"payments": account.controller.losses},
            "requirement_collection": account.controller.requirements,
            "stripe_dashboard": {"type": account.controller.dashboard}, "type": "application",
        },
        "country": account.country,
        "created": account.created,
        "default_currency": account.default_currency,
        "details_submitted": account.submitted,
        "email": account.email,
        "external_accounts": super::objects::list(&format!("/v1/accounts/{}/external_accounts", account.id), banks, false),
        "future_requirements": {"alternatives": [], "current_deadline": null, "currently_due": [],
            "disabled_reason": null, "errors": [], "eventually_due": [], "past_due": [], "pending_verification": []},
        "metadata": account.metadata,
        "payouts_enabled": account.payouts_enabled(),
        "requirements": {"alternatives": [], "current_deadline": null, "currently_due": due,
            "disabled_reason": disabled_reason, "errors": [], "eventually_due": due, "past_due": due,
            "pending_verification": pending},
        "settings": {
            "bacs_debit_payments": {"display_name": null, "service_user_number": null},
            "branding": {"icon": null, "logo": null, "primary_color": null, "secondary_color": null},
            "card_issuing": {"tos_acceptance": {"date": null, "ip": null}},
            "card_payments": {"decline_on": {"avs_failure": false, "cvc_failure": false},
                "statement_descriptor_prefix": null, "statement_descriptor_prefix_kana": null,
                "statement_descriptor_prefix_kanji": null},
            "dashboard": {"display_name": null, "timezone": "Etc/UTC"},
            "invoices": {"default_account_tax_ids": null, "hosted_payment_method_save": "offer"},
            "payments": {"statement_descriptor": null, "statement_descriptor_kana": null,
                "statement_descriptor_kanji": null},
            "payouts": {"debit_negative_balances": false, "schedule": {"delay_days": 7, "interval": "daily"},
                "statement_descriptor": null},
            "sepa_debit_payments": {},
        },
        "tos_acceptance": {"date": account.submitted.then_some(account.created), "ip": null, "user_agent": null},
        "type": kind,
    })
}

fn bank_account(account: &Account, id: &str) -> Value {
    json!({
        "id": id, "object": "bank_account", "account": account.id, "account_holder_name": "Sandbox Seller",
        "account_holder_type": "individual", "account_type": null, "available_payout_methods": ["standard"],
        "bank_name": "SANDBOX BANK", "country": account.country, "currency": account.default_currency,
        "default_for_currency": true, "fingerprint": "SandboxBankPrint",
        "future_requirements": null, "last4": "7519", "metadata": {}, "requirements": null, "routing_number": null,
        "status": "new",
    })
}
