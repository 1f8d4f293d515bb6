//! The body of a checkout, and what it must be before anything is stored: the escrow that it asks for.

use escrow_domain::command::NewPayment;
use escrow_domain::currency::Currency;
use escrow_domain::decide::NewEscrow;
use escrow_domain::escrow::{Subject, Terms};
use escrow_domain::fees::{FeePayer, spread};
use escrow_domain::id::{EscrowId, GatewayName, UserId};
use escrow_domain::money::Money;
use escrow_domain::payment::{CheckoutRequest, Method, Source};
use escrow_domain::policy::{DisputeDefault, Kind, Policy};
use escrow_domain::quote::Quote;
use escrow_domain::time::{Period, Timestamp};
use escrow_gateways::Gateway;
use escrow_http::amount::AmountField;
use escrow_http::auth::Caller;
use escrow_http::config::Config;
use escrow_http::fields::{invalid, not_yet, word, words};
use escrow_http::problem::{Answer, Code, Problem};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The most keys of metadata.
const MOST_METADATA_KEYS: usize = 20;
/// All metadata together, keys and values, in bytes.
const LARGEST_METADATA: usize = 1_024;
/// The longest title of a milestone, in characters.
const LONGEST_TITLE: usize = 100;
/// The longest address to send a buyer back to, in bytes.
const LONGEST_URL: usize = 1_000;

/// What a caller sends to `POST /v1/checkouts`. Prices that can be computed here are no part of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    kind: String,
    subject: SubjectField,
    /// Who pays: the caller, unless the caller is the platform.
    pub(crate) buyer: String,
    seller: String,
    currency: String,
    amount: Option<AmountField>,
    milestones: Option<Vec<MilestoneField>>,
    gateway: Option<String>,
    funding: Option<String>,
    method: Option<String>,
    policy: Option<PolicyField>,
    fee_payer: Option<String>,
    quote: Option<String>,
    mode: Option<String>,
    success_url: Option<String>,
    cancel_url: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectField {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MilestoneField {
    title: Option<String>,
    amount: AmountField,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyField {
    auto_release_after: Option<String>,
    deliver_within: Option<String>,
    dispute_window: Option<String>,
    cancel_window: Option<String>,
    checkout_expires_after: Option<String>,
    dispute_rule_within: Option<String>,
    dispute_default: Option<String>,
}

/// A further attempt to pay: the body of `POST /v1/escrows/{id}/checkouts`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempt {
    milestones: Option<Vec<String>>,
    /// At which gateway.
    pub(crate) gateway: String,
    method: Option<String>,
    success_url: Option<String>,
    cancel_url: Option<String>,
}

impl Order {
    /// Who pays.
    ///
    /// # Errors
    /// 400 if it is no user's id.
    pub(crate) fn buyer(&self) -> Answer<UserId> {
        word(&self.buyer, "/buyer", "a user's id: 1 to 128 of A-Z a-z 0-9 . _ : @ | -")
    }

    /// The gateway that it names.
    ///
    /// # Errors
    /// 400 if there is no gateway of that name, or none is named; 422 for a wallet, which comes later.
    pub(crate) fn gateway(&self) -> Answer<GatewayName> {
        match (self.gateway.as_deref(), self.funding.as_deref()) {
            (Some(name), None) => gateway_name(name),
            (None, Some("wallet")) => Err(not_yet("/funding", "Paying from a wallet")),
            (None, Some(_)) => Err(invalid("/funding", "the only other funding is \"wallet\"")),
            (None, None) => Err(invalid("/gateway", "name the gateway to pay at, such as \"stripe\"")),
            (Some(_), Some(_)) => Err(invalid("/funding", "name a gateway or a funding, not both")),
        }
    }

    /// The escrow that is asked for.
    ///
    /// # Errors
    /// The first field that cannot be accepted, each with its own code.
    pub(crate) fn read(
        self,
        id: EscrowId,
        caller: &Caller,
        config: &Config,
        gateway: &dyn Gateway,
        now: Timestamp,
    ) -> Answer<NewEscrow> {
        let kind: Kind = word(&self.kind, "/kind", "product, service or project")?;
        let (buyer, seller) = (self.buyer()?, word(&self.seller, "/seller", "a user's id")?);
        check_buyer(&buyer, &seller, caller)?;
        let currency = find_currency(&self.currency, config)?;
        if self.mode.as_deref().is_some_and(|mode| mode != "hosted") {
            return Err(match self.mode.as_deref() {
                Some("elements") => not_yet("/mode", "A payment page of your own"),
                _ => invalid("/mode", "hosted or elements"),
            });
        }
        let (title, amount) = self.one_milestone(currency)?;
        let payer = match &self.fee_payer {
            Some(text) => word(text, "/fee_payer", "buyer, seller or split")?,
            None => config.fee_payer,
        };
        let quote = price(kind, amount, payer, config)?;
        if let Some(named) = &self.quote
            && *named != quote.id()
        {
            let detail =
                "The price is no longer the quoted one. Ask GET /v1/quote again, and show the buyer the new price.";
            return Err(Problem::input(Code::QuoteChanged, "/quote", detail));
        }
        let charged = quote.charged.of(currency);
        gateway
            .check_amount(charged)
            .map_err(|unsupported| Problem::input(Code::AmountNotSupported, "/amount", unsupported.to_string()))?;
        let policy = self.policy.unwrap_or_default().read(kind)?;
        policy.check(gateway.capabilities().hold).map_err(|broken| {
            Problem::input(Code::PolicyInvalid, format!("/policy/{}", broken.field), broken.problem.to_owned())
        })?;
        let subject = self.subject.read()?;
        let metadata = check_metadata(self.metadata.unwrap_or_default())?;
        let method = read_method(self.method.as_deref(), gateway, currency)?;
        let request = CheckoutRequest {
            description: format!("{} {}", subject.kind, subject.id),
            success_url: return_url(self.success_url, config.success_url.as_ref(), "/success_url")?,
            cancel_url: return_url(self.cancel_url, config.cancel_url.as_ref(), "/cancel_url")?,
        };
        let expires_at = now.after(policy.checkout_expires_after);
        let fee = spread_one(&quote, amount)?;
        let terms =
            Terms { kind, subject, buyer, seller, currency, policy, fee_payer: payer, metadata, created_at: now };
        let payment =
            NewPayment { source: Source::Gateway(gateway.name()), method, milestones: vec![0], request, expires_at };
        Ok(NewEscrow { id, terms, milestones: vec![(title, amount.amount, fee)], payment })
    }

    /// Title and amount: of the whole, or of the only milestone.
    fn one_milestone(&self, currency: Currency) -> Answer<(String, Money)> {
        match (&self.amount, self.milestones.as_deref()) {
            (Some(amount), None) => Ok(("Work".to_owned(), amount.read("/amount", currency)?)),
            (None, Some([milestone])) => {
                let title = milestone.title.as_deref().unwrap_or("Work");
                let title = words(title.to_owned(), LONGEST_TITLE, "/milestones/0/title")?;
                Ok((title, milestone.amount.read("/milestones/0/amount", currency)?))
            }
            (None, Some([])) => Err(invalid("/milestones", "at least one")),
            (None, Some(_)) => Err(not_yet("/milestones", "More than one milestone")),
            (None, None) => Err(invalid("/amount", "say what it costs: a decimal string such as \"150.00\"")),
            (Some(_), Some(_)) => Err(invalid("/milestones", "name an amount or milestones, not both")),
        }
    }
}

impl Attempt {
    /// The payment that is asked for, of an escrow whose only milestone waits.
    ///
    /// # Errors
    /// The first field that cannot be accepted, each with its own code.
    pub(crate) fn read(
        self,
        escrow: &escrow_domain::escrow::Escrow,
        config: &Config,
        gateway: &dyn Gateway,
        now: Timestamp,
    ) -> Answer<NewPayment> {
        let terms = &escrow.terms;
        if self.milestones.as_deref().is_some_and(|named| named != ["m1"]) {
            return Err(invalid("/milestones", "the escrow has one milestone, m1"));
        }
        let method = read_method(self.method.as_deref(), gateway, terms.currency)?;
        let request = CheckoutRequest {
            description: format!("{} {}", terms.subject.kind, terms.subject.id),
            success_url: return_url(self.success_url, config.success_url.as_ref(), "/success_url")?,
            cancel_url: return_url(self.cancel_url, config.cancel_url.as_ref(), "/cancel_url")?,
        };
        let expires_at = now.after(terms.policy.checkout_expires_after);
        Ok(NewPayment { source: Source::Gateway(gateway.name()), method, milestones: vec![0], request, expires_at })
    }
}

/// The price of it, by this deployment's fees.
///
/// # Errors
/// 400 `amount_invalid` if the amount with its fee is out of bounds.
fn price(kind: Kind, amount: Money, payer: FeePayer, config: &Config) -> Answer<Quote> {
    Quote::new(kind, amount, payer, &config.fees)
        .map_err(|_| Problem::input(Code::AmountInvalid, "/amount", "with its fee, this is more than can be handled"))
}

fn spread_one(quote: &Quote, amount: Money) -> Answer<escrow_domain::fees::Fee> {
    // With one milestone the whole fee is its fee; `spread` is asked all the same, since it is what divides fees.
    let part = |fee| {
        spread(fee, &[amount.amount])
            .ok()
            .and_then(|parts| parts.first().copied())
            .ok_or_else(|| Problem::internal("a fee that cannot be spread"))
    };
    Ok(escrow_domain::fees::Fee { buyer: part(quote.fee.buyer)?, seller: part(quote.fee.seller)? })
}

fn check_buyer(buyer: &UserId, seller: &UserId, caller: &Caller) -> Answer<()> {
    if buyer == seller {
        let detail = "An escrow holds one person's money for another: buyer and seller must differ.";
        return Err(Problem::input(Code::BuyerIsSeller, "/seller", detail));
    }
    if *buyer != caller.sub && !caller.scopes.platform {
        return Err(Problem::forbidden("Only the buyer, or a token with the scope platform, creates a checkout."));
    }
    Ok(())
}

fn find_currency(code: &str, config: &Config) -> Answer<Currency> {
    config.currencies.find(code).ok_or_else(|| {
        Problem::input(
            Code::CurrencyUnknown,
            "/currency",
            "a code of ISO 4217 in capitals, such as \"SAR\", or a registered coin",
        )
    })
}

/// The gateway of that name.
///
/// # Errors
/// 400 `gateway_unknown`.
pub(crate) fn gateway_name(name: &str) -> Answer<GatewayName> {
    name.parse().map_err(|_| {
        let known: Vec<&str> = GatewayName::ALL.iter().map(|name| name.as_str()).collect();
        Problem::input(Code::GatewayUnknown, "/gateway", format!("one of {}", known.join(", ")))
    })
}

fn read_method(name: Option<&str>, gateway: &dyn Gateway, currency: Currency) -> Answer<Option<Method>> {
    let Some(name) = name else { return Ok(None) };
    let method: Method = word(name, "/method", "a way to pay, such as \"card\"")?;
    if gateway.capabilities().offers(Some(method), currency) {
        Ok(Some(method))
    } else {
        let detail =
            format!("{} does not offer {method} for {currency}; leave it out to let the page choose", gateway.name());
        Err(Problem::input(Code::BodyInvalid, "/method", detail))
    }
}

/// An address that a buyer is sent back to: https, or plain http on this machine only.
fn return_url(given: Option<String>, default: Option<&String>, pointer: &'static str) -> Answer<String> {
    let Some(url) = given.or_else(|| default.cloned()) else {
        return Err(invalid(pointer, "say where the buyer goes afterwards: this deployment has no default"));
    };
    let local = ["http://localhost", "http://127.0.0.1"]
        .iter()
        .any(|start| url.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?'])));
    let remote = url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let plain = url.len() <= LONGEST_URL && url.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && (local || remote) {
        Ok(url)
    } else {
        Err(invalid(pointer, "an https address of at most 1000 characters"))
    }
}

fn check_metadata(metadata: BTreeMap<String, String>) -> Answer<BTreeMap<String, String>> {
    let size: usize = metadata.iter().map(|(key, value)| key.len().saturating_add(value.len())).sum();
    if metadata.len() > MOST_METADATA_KEYS || size > LARGEST_METADATA || metadata.keys().any(String::is_empty) {
        return Err(invalid("/metadata", "at most 20 keys, none empty, and 1 KB in all"));
    }
    Ok(metadata)
}

impl SubjectField {
    fn read(self) -> Answer<Subject> {
        let kind_fits = (1..=32).contains(&self.kind.len())
            && self.kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !kind_fits {
            return Err(invalid("/subject/type", "1 to 32 of a-z 0-9 _, such as \"job\""));
        }
        // A subject's id has a user id's alphabet, so that it can stand in keys and in cursors.
        let _: UserId = word(&self.id, "/subject/id", "1 to 128 of A-Z a-z 0-9 . _ : @ | -")?;
        Ok(Subject { kind: self.kind, id: self.id })
    }
}

impl PolicyField {
    fn read(self, kind: Kind) -> Answer<Policy> {
        let defaults = Policy::defaults(kind);
        let period = |given: Option<String>, default: Period, field: &'static str| match given {
            None => Ok(default),
            Some(text) => Period::from_str(&text)
                .map_err(|_| invalid(field, "an ISO 8601 duration of weeks, days, hours, minutes and seconds")),
        };
        Ok(Policy {
            auto_release_after: period(
                self.auto_release_after,
                defaults.auto_release_after,
                "/policy/auto_release_after",
            )?,
            deliver_within: period(self.deliver_within, defaults.deliver_within, "/policy/deliver_within")?,
            dispute_window: period(self.dispute_window, defaults.dispute_window, "/policy/dispute_window")?,
            cancel_window: period(self.cancel_window, defaults.cancel_window, "/policy/cancel_window")?,
            checkout_expires_after: period(
                self.checkout_expires_after,
                defaults.checkout_expires_after,
                "/policy/checkout_expires_after",
            )?,
            dispute_rule_within: period(
                self.dispute_rule_within,
                defaults.dispute_rule_within,
                "/policy/dispute_rule_within",
            )?,
            dispute_default: match self.dispute_default {
                None => defaults.dispute_default,
                Some(text) => DisputeDefault::from_str(&text)
                    .map_err(|_| invalid("/policy/dispute_default", "refund_buyer or release_seller"))?,
            },
        })
    }
}
