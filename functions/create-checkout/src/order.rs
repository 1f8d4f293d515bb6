//! The body of a checkout, and what it must be before anything is stored: the escrow that it asks for.

use crate::pay::{Bill, Way, Wish, description};
use escrow_domain::currency::Currency;
use escrow_domain::decide::NewEscrow;
use escrow_domain::escrow::{MOST_MILESTONES, Subject, Terms};
use escrow_domain::fees::{Fee, FeePayer, spread};
use escrow_domain::id::{EscrowId, UserId};
use escrow_domain::money::Minor;
use escrow_domain::policy::{DisputeDefault, Kind, Policy};
use escrow_domain::quote::Quote;
use escrow_domain::time::{Period, Timestamp};
use escrow_http::amount::AmountField;
use escrow_http::auth::Caller;
use escrow_http::config::Config;
use escrow_http::fields::{self, invalid, word, words};
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
/// What a milestone is called that was given no title.
const UNNAMED: &str = "Work";

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
    /// Which milestones the first payment pays.
    fund: Option<Vec<String>>,
    gateway: Option<String>,
    funding: Option<String>,
    method: Option<String>,
    policy: Option<PolicyField>,
    fee_payer: Option<String>,
    quote: Option<String>,
    mode: Option<String>,
    pay_in: Option<String>,
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

impl Order {
    /// Who pays.
    ///
    /// # Errors
    /// 400 if it is no user's id.
    pub(crate) fn buyer(&self) -> Answer<UserId> {
        word(&self.buyer, "/buyer", "a user's id: 1 to 128 of A-Z a-z 0-9 . _ : @ | -")
    }

    /// How it is to be paid.
    pub(crate) fn wish(&mut self) -> Wish {
        Wish {
            gateway: self.gateway.take(),
            funding: self.funding.take(),
            method: self.method.take(),
            mode: self.mode.take(),
            pay_in: self.pay_in.take(),
            success_url: self.success_url.take(),
            cancel_url: self.cancel_url.take(),
        }
    }

    /// The escrow that is asked for, to be paid in that way.
    ///
    /// # Errors
    /// The first field that cannot be accepted, each with its own code.
    pub(crate) fn read(
        self,
        wish: Wish,
        way: Way<'_>,
        id: EscrowId,
        caller: &Caller,
        config: &Config,
        now: Timestamp,
    ) -> Answer<NewEscrow> {
        let kind: Kind = word(&self.kind, "/kind", "product, service or project")?;
        let (buyer, seller) = (self.buyer()?, word(&self.seller, "/seller", "a user's id")?);
        check_buyer(&buyer, &seller, caller)?;
        let currency = find_currency(&self.currency, config)?;
        let pointer = if self.amount.is_some() { "/amount" } else { "/milestones" };
        let parts = self.parts(currency)?;
        let payer = match &self.fee_payer {
            Some(text) => word(text, "/fee_payer", "buyer, seller or split")?,
            None => config.fee_payer,
        };
        let quote = price(kind, &parts, currency, payer, config, pointer)?;
        if let Some(named) = &self.quote
            && *named != quote.id()
        {
            let detail =
                "The price is no longer the quoted one. Ask GET /v1/quote again, and show the buyer the new price.";
            return Err(Problem::input(Code::QuoteChanged, "/quote", detail));
        }
        let milestones = with_fees(&quote, parts)?;
        let funded = funded(self.fund.as_deref(), milestones.len())?;
        let policy = self.policy.unwrap_or_default().read(kind)?;
        let hold = match way {
            Way::Gateway(gateway) => gateway.capabilities().hold,
            Way::Wallet => None,
        };
        policy.check(hold).map_err(|broken| {
            Problem::input(Code::PolicyInvalid, format!("/policy/{}", broken.field), broken.problem.to_owned())
        })?;
        let subject = self.subject.read()?;
        let metadata = check_metadata(self.metadata.unwrap_or_default())?;
        if matches!(way, Way::Gateway(_)) && !config.is_coin(currency) {
            check_steps(&milestones, currency, pointer)?;
        }
        let bill = Bill {
            charged: charged(&milestones, &funded)?.of(currency),
            description: description(&subject.kind, &subject.id, &titles(&milestones, &funded)),
            milestones: funded,
            expires_at: now.after(policy.checkout_expires_after),
            pointer,
        };
        let payment = wish.payment(way, bill, config)?;
        let terms =
            Terms { kind, subject, buyer, seller, currency, policy, fee_payer: payer, metadata, created_at: now };
        Ok(NewEscrow { id, terms, milestones, payment })
    }

    /// Titles and amounts: of the whole, or of each milestone.
    fn parts(&self, currency: Currency) -> Answer<Vec<(String, Minor)>> {
        match (&self.amount, self.milestones.as_deref()) {
            (Some(amount), None) => Ok(vec![(UNNAMED.to_owned(), amount.read("/amount", currency)?.amount)]),
            (None, Some(given)) if (1..=MOST_MILESTONES).contains(&given.len()) => {
                (0_usize..).zip(given).map(|(place, milestone)| milestone.read(place, currency)).collect()
            }
            (None, Some(_)) => Err(invalid("/milestones", &format!("1 to {MOST_MILESTONES} milestones"))),
            (None, None) => Err(invalid("/amount", "say what it costs: a decimal string such as \"150.00\"")),
            (Some(_), Some(_)) => Err(invalid("/milestones", "name an amount or milestones, not both")),
        }
    }
}

impl MilestoneField {
    fn read(&self, place: usize, currency: Currency) -> Answer<(String, Minor)> {
        let title = self.title.as_deref().unwrap_or(UNNAMED);
        let title = words(title.to_owned(), LONGEST_TITLE, &format!("/milestones/{place}/title"))?;
        Ok((title, self.amount.read(&format!("/milestones/{place}/amount"), currency)?.amount))
    }
}

/// Which milestones the first payment pays: the named ones, or all.
fn funded(named: Option<&[String]>, milestones: usize) -> Answer<Vec<u8>> {
    let Some(names) = named else { return Ok((0_u8..).take(milestones).collect()) };
    let indexes = fields::milestones(names, "/fund")?;
    match indexes.iter().position(|index| usize::from(*index) >= milestones) {
        None => Ok(indexes),
        Some(place) => Err(Problem::input(
            Code::MilestoneUnknown,
            format!("/fund/{place}"),
            format!("The deal has {milestones} milestones, from m1 on."),
        )),
    }
}

/// The price of it, by this deployment's fees: of the whole, which is then shared out over the milestones, so that it is the same as
/// the quote's however the work is divided.
///
/// # Errors
/// 400 `amount_invalid` if the amount with its fee is out of bounds.
fn price(
    kind: Kind,
    parts: &[(String, Minor)],
    currency: Currency,
    payer: FeePayer,
    config: &Config,
    pointer: &'static str,
) -> Answer<Quote> {
    let whole = Minor::sum(parts.iter().map(|(_, amount)| *amount));
    let quote = whole.and_then(|whole| Quote::new(kind, whole.of(currency), payer, &config.fees));
    quote.map_err(|_| Problem::input(Code::AmountInvalid, pointer, "with its fee, this is more than can be handled"))
}

/// The milestones with their shares of the fee, which sum to the whole fee.
fn with_fees(quote: &Quote, parts: Vec<(String, Minor)>) -> Answer<Vec<(String, Minor, Fee)>> {
    let amounts: Vec<Minor> = parts.iter().map(|(_, amount)| *amount).collect();
    let shares = |fee| spread(fee, &amounts).map_err(Problem::internal);
    let (buyers, sellers) = (shares(quote.fee.buyer)?, shares(quote.fee.seller)?);
    let fees = buyers.into_iter().zip(sellers).map(|(buyer, seller)| Fee { buyer, seller });
    Ok(parts.into_iter().zip(fees).map(|((title, amount), fee)| (title, amount, fee)).collect())
}

/// What the buyer pays for these milestones, with their fees.
fn charged(milestones: &[(String, Minor, Fee)], funded: &[u8]) -> Answer<Minor> {
    let chosen = funded.iter().filter_map(|index| milestones.get(usize::from(*index)));
    Minor::sum(chosen.flat_map(|(_, amount, fee)| [*amount, fee.buyer])).map_err(Problem::internal)
}

/// What a payment of some of several milestones is called; the only one needs no name.
fn titles<'a>(milestones: &'a [(String, Minor, Fee)], funded: &[u8]) -> Vec<&'a str> {
    if milestones.len() == 1 {
        return Vec::new();
    }
    let chosen = funded.iter().filter_map(|index| milestones.get(usize::from(*index)));
    chosen.map(|(title, _, _)| title.as_str()).collect()
}

/// Every milestone alone must be an amount that a gateway can move, since each may be paid, and given back, by itself.
fn check_steps(milestones: &[(String, Minor, Fee)], currency: Currency, pointer: &'static str) -> Answer<()> {
    let step = currency.payable_step();
    for (place, (_, amount, fee)) in (0_usize..).zip(milestones) {
        let charged = amount.plus(fee.buyer).map_err(Problem::internal)?;
        if milestones.len() > 1 && charged.units().checked_rem(step) != Some(0) {
            let detail = format!("With its fee, {currency} moves in steps of {step} of its smallest units only.");
            let here = format!("{pointer}/{place}/amount");
            return Err(Problem::input(Code::AmountNotSupported, here, detail));
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::currency::Currencies;
    use escrow_domain::fees::FeeSchedule;
    use serde_json::json;

    fn order(changes: &serde_json::Value) -> Order {
        let mut order = json!({
            "kind": "project", "subject": { "type": "contract", "id": "1" }, "buyer": "usr_buyer", "seller": "usr_seller",
            "currency": "KWD", "gateway": "stripe",
        });
        for (name, value) in changes.as_object().unwrap() {
            order[name] = value.clone();
        }
        serde_json::from_value(order).unwrap()
    }

    fn parts(changes: &serde_json::Value) -> Result<Vec<(String, i64)>, String> {
        let kwd = Currencies::default().find("KWD").unwrap();
        let parts = order(changes).parts(kwd).map_err(|problem| problem.into_reply("r").body().to_owned())?;
        Ok(parts.into_iter().map(|(title, amount)| (title, amount.units())).collect())
    }

    #[test]
    fn a_deal_has_one_price_or_up_to_fifty_parts() {
        let work = |units| vec![("Work".to_owned(), units)];
        assert_eq!(parts(&json!({ "amount": "1.5" })), Ok(work(1_500)));
        assert_eq!(parts(&json!({ "milestones": [{ "amount": "0.010" }] })), Ok(work(10)));
        let fifty = vec![json!({ "amount": "1" }); 50];
        assert_eq!(parts(&json!({ "milestones": fifty })).map(|parts| parts.len()), Ok(50));
        let refused = |changes| parts(&changes).unwrap_err();
        for bad in [
            json!({}),
            json!({ "amount": "1", "milestones": [{ "amount": "1" }] }),
            json!({ "milestones": [] }),
            json!({ "milestones": vec![json!({ "amount": "1" }); 51] }),
        ] {
            assert!(refused(bad.clone()).contains("\"code\":\"body_invalid\""), "{bad}");
        }
        let second = refused(json!({ "milestones": [{ "amount": "1" }, { "amount": "0" }] }));
        assert!(second.contains("/milestones/1/amount") && second.contains("amount_invalid"), "{second}");
        let title = refused(json!({ "milestones": [{ "title": "a".repeat(101), "amount": "1" }] }));
        assert!(title.contains("/milestones/0/title"), "{title}");
    }

    #[test]
    fn the_fee_of_the_whole_is_shared_out_to_the_last_unit() {
        let kwd = Currencies::default().find("KWD").unwrap();
        let minor = |units| Minor::new(units).unwrap();
        let given: Vec<(String, Minor)> = [333, 333, 335].map(|units| ("Work".to_owned(), minor(units))).into();
        let whole = minor(1_001).of(kwd);
        let quote = Quote::new(Kind::Project, whole, FeePayer::Split, &FeeSchedule::rate(1_000)).unwrap();
        let milestones = with_fees(&quote, given).unwrap();
        let sum = |part: fn(&Fee) -> Minor| Minor::sum(milestones.iter().map(|(_, _, fee)| part(fee))).unwrap();
        assert_eq!((sum(|fee| fee.buyer), sum(|fee| fee.seller)), (quote.fee.buyer, quote.fee.seller));
        assert_eq!(charged(&milestones, &[0, 1, 2]).unwrap(), quote.charged);
        // Each alone must be an amount that a gateway can move and give back.
        assert!(check_steps(&milestones, kwd, "/milestones").is_err());
    }

    #[test]
    fn the_first_payment_pays_what_is_named_or_everything() {
        let funded = |names: Option<&[&str]>| {
            let names: Option<Vec<String>> = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            funded(names.as_deref(), 3).map_err(|problem| problem.code().as_str())
        };
        assert_eq!(funded(None), Ok(vec![0, 1, 2]));
        assert_eq!(funded(Some(&["m3", "m1"])), Ok(vec![2, 0]));
        assert_eq!(funded(Some(&["m4"])), Err("milestone_unknown"));
        assert_eq!(funded(Some(&[])), Err("body_invalid"));
    }
}
