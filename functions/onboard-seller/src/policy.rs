//! A seller's standing wish to be paid out. It stands in the wallet, so that the wallet's own deadline brings the sweep to it.

use escrow_domain::id::{GatewayName, UserId};
use escrow_domain::money::Minor;
use escrow_domain::seller::Seller;
use escrow_domain::time::Period;
use escrow_domain::wallet::{AutoPayout, Wallet};
use escrow_gateways::Gateways;
use escrow_http::amount::AmountField;
use escrow_http::app::App;
use escrow_http::fields::{invalid, word};
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    currency: String,
    automatic: bool,
    gateway: Option<String>,
    minimum: Option<AmountField>,
    every: Option<String>,
}

pub(crate) async fn set(app: &App, gateways: &Gateways, incoming: &Incoming, owner: UserId) -> Answer<Reply> {
    let body: Body = incoming.json()?;
    let currency = app.config.currencies.find(&body.currency).ok_or_else(|| {
        let expected = "a code of ISO 4217 in capitals, or a registered coin";
        Problem::input(Code::CurrencyUnknown, "/currency", expected)
    })?;
    let limits = app.config.payouts.limits(currency);
    let minimum = match &body.minimum {
        Some(amount) => amount.read("/minimum", currency)?.amount,
        None => limits.minimum,
    };
    let wish = if body.automatic {
        let gateway = gateway(body.gateway.as_deref())?;
        if let Some(name) = gateway.filter(|name| gateways.get(*name).is_none()) {
            let why = format!("{name} is not set up in this deployment");
            return Err(Problem::input(Code::GatewayNotConfigured, "/gateway", why));
        }
        if gateway.is_some() && app.config.is_coin(currency) {
            let why = format!("{currency} is a unit of the platform's own: it is paid out by hand (manual) only.");
            return Err(Problem::input(Code::AmountNotSupported, "/gateway", why));
        }
        let every = body.every.as_deref().map(|every| word::<Period>(every, "/every", "a duration such as P7D"));
        Some(AutoPayout { gateway, minimum: minimum.max(Minor::ZERO), every: every.transpose()?, next: None })
    } else {
        if body.gateway.is_some() || body.minimum.is_some() || body.every.is_some() {
            return Err(invalid("/automatic", "true where it is said how"));
        }
        None
    };
    let now = app.clock.now();
    let wished = |wallet: &Wallet| wallet.with_auto_payout(wish, &limits, now).map(Some);
    app.store.change_wallet(&owner, currency, wished).await?;
    let seller = app.store.aggregate::<Seller>(&owner).await?;
    Ok(Reply::ok(&views::seller(&owner, seller.as_ref(), &app.store.wallets(&owner).await?)))
}

/// By which way: a gateway, or `None` by hand.
fn gateway(named: Option<&str>) -> Answer<Option<GatewayName>> {
    match named {
        None => Err(invalid("/gateway", "a gateway's name, or manual")),
        Some("manual") => Ok(None),
        Some(name) => name
            .parse()
            .map(Some)
            .map_err(|_| Problem::input(Code::GatewayUnknown, "/gateway", "This must be a gateway's name, or manual.")),
    }
}
