//! An account at a gateway, opened once, and the page on which its seller goes on.
//!
//! The wish for it is stored before the gateway is asked, and the request's key follows from it, so whatever crashes in between, the
//! next call carries on with the same account. A page opens once: each call makes a new one.

use escrow_domain::decide::Outcome;
use escrow_domain::id::{GatewayName, UserId};
use escrow_domain::refusal::Broken;
use escrow_domain::seller::{AccountState, Seller, SellerAccount};
use escrow_domain::time::Period;
use escrow_gateways::{AccountAsk, CallError, Deadline, Gateway, Gateways};
use escrow_http::app::App;
use escrow_http::fields::invalid;
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use escrow_store::{ChangeError, Start};
use serde::Deserialize;
use std::time::Duration;

/// How long the gateway may take to open an account.
const OPENING: Duration = Duration::from_secs(12);
/// How long it may take for the page: after an opening, still within the function's 29 seconds.
const LINKING: Duration = Duration::from_secs(10);
/// How far the gateway's clock may be behind ours.
const BEHIND: Period = Period::minutes(1);
/// The longest address to send a seller back to, in bytes.
const LONGEST_URL: usize = 1_000;
/// The longest e-mail address, in bytes (RFC 5321, §4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    gateway: String,
    return_url: String,
    refresh_url: String,
    country: Option<String>,
    email: Option<String>,
}

pub(crate) async fn begin(app: &App, gateways: &Gateways, incoming: &Incoming, owner: UserId) -> Answer<Reply> {
    let body: Body = incoming.json()?;
    let name: GatewayName = body.gateway.parse().map_err(|_| {
        let known: Vec<&str> = GatewayName::ALL.iter().map(|name| name.as_str()).collect();
        Problem::input(Code::GatewayUnknown, "/gateway", format!("one of {}", known.join(", ")))
    })?;
    let gateway = gateways.get(name).ok_or_else(|| {
        Problem::input(Code::GatewayNotConfigured, "/gateway", format!("{name} is not set up in this deployment"))
    })?;
    incoming.line().gateway(name.as_str());
    check_url(&body.return_url, "/return_url")?;
    check_url(&body.refresh_url, "/refresh_url")?;
    let ask = AccountAsk { owner: owner.clone(), email: email(body.email)?, country: country(body.country)? };

    let seller = wished_for(app, &owner, name).await?;
    let seller = opened(app, gateway, seller, &ask).await?;
    let account = seller.account(name).and_then(|account| account.account.as_deref());
    let account = account.ok_or_else(|| Problem::internal("an account that was opened has no name"))?;
    let link = gateway
        .account_link(account, &body.refresh_url, &body.return_url, Deadline::within(LINKING))
        .await
        .map_err(refused)?;
    let shown = views::seller(&owner, Some(&seller), &app.store.wallets(&owner).await?);
    Ok(Reply::created(&views::seller_linked(shown, name, &link.url, link.expires_at)))
}

/// The seller, with the wish for an account at that gateway stored.
async fn wished_for(app: &App, owner: &UserId, gateway: GatewayName) -> Answer<Seller> {
    let now = app.clock.now();
    let seller = match app.store.aggregate::<Seller>(owner).await? {
        Some(seller) => seller,
        None => Seller::new(owner.clone(), now),
    };
    if seller.version == 0 {
        let Outcome::Changed(first) = seller.begin(gateway, now).map_err(Problem::internal)? else {
            return Err(Problem::internal("a new seller who has an account"));
        };
        match app.store.create::<Seller>(&first, Vec::new()).await? {
            escrow_store::Outcome::Applied => return Ok(*first),
            // Somebody was faster: what stands there is begun like any other.
            escrow_store::Outcome::Moved(stands) => {
                return change(app, *stands, |seller| seller.begin(gateway, now)).await;
            }
            escrow_store::Outcome::Missing => {
                return Err(Problem::internal("a new seller was neither written nor there"));
            }
        }
    }
    change(app, seller, |seller| seller.begin(gateway, now)).await
}

/// The seller, with the account opened at the gateway.
async fn opened(app: &App, gateway: &dyn Gateway, seller: Seller, ask: &AccountAsk) -> Answer<Seller> {
    let name = gateway.name();
    let wish = seller.account(name).ok_or_else(|| Problem::internal("an account that nobody wished for"))?;
    if wish.account.is_some() || wish.state != AccountState::Opening {
        return Ok(seller);
    }
    let (key, attempt) = (key(wish, ask), wish.attempt);
    match gateway.open_account(ask, &key, Deadline::within(OPENING)).await {
        Ok(standing) => {
            let now = app.clock.now();
            let id = standing.account.clone();
            let seller = change(app, seller, |seller| seller.opened(name, &id, now)).await?;
            // It has no time of the gateway's. Whatever a notice tells of the new account is newer, also by a clock behind ours.
            let told = standing.told(name, now.before(BEHIND));
            change(app, seller, |seller| seller.told(&told, now)).await
        }
        Err(failed @ CallError::ServerError { .. }) => {
            // The gateway would repeat this answer for the key's life: whoever carries on asks under the next key.
            change(app, seller, |seller| seller.next_attempt(name, attempt, app.clock.now())).await?;
            Err(Problem::gateway_unavailable(failed))
        }
        Err(error) => Err(refused(error)),
    }
}

/// The key of the request. Country and address are kept nowhere: with others it is another request, which the gateway would refuse
/// under the same key. At worst that leaves an empty account behind, which nobody can be paid to.
fn key(wish: &SellerAccount, ask: &AccountAsk) -> String {
    let AccountAsk { owner, country, email } = ask;
    let key = wish.key(owner);
    let words: Vec<&str> = [country, email].into_iter().flatten().map(String::as_str).collect();
    if words.is_empty() { key } else { format!("{key}-{}", fingerprint(&words.join(" "))) }
}

/// Sixteen hexadecimal digits, the same for ever: FNV-1a with 64 bits.
fn fingerprint(text: &str) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = text.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

async fn change(
    app: &App,
    seller: Seller,
    decide: impl FnMut(&Seller) -> Result<Outcome<Seller>, Broken>,
) -> Answer<Seller> {
    match app.store.change_aggregate(Start::From(Box::new(seller)), decide).await {
        Ok(changed) => Ok(changed.into_aggregate()),
        Err(ChangeError::Store(error)) => Err(error.into()),
        Err(ChangeError::Undecided { why, .. }) => Err(Problem::internal(why)),
        Err(other @ (ChangeError::NotFound | ChangeError::Wallet { .. })) => Err(Problem::internal(other)),
    }
}

/// What the caller hears of a call that brought nothing.
fn refused(error: CallError) -> Problem {
    match error {
        CallError::Refused { code, message, .. } => {
            let detail = "The gateway refuses to onboard this seller. Check country and address; the marketplace's support knows more.";
            Problem::new(Code::GatewayRefused, detail).inside(format!("{code}: {message}"))
        }
        unknown @ (CallError::NotSent(_) | CallError::InDoubt(_) | CallError::ServerError { .. }) => {
            Problem::gateway_unavailable(unknown)
        }
    }
}

/// An address that a seller is sent back to: https, or plain http on this machine only.
fn check_url(url: &str, pointer: &str) -> Answer<()> {
    let local = ["http://localhost", "http://127.0.0.1"]
        .iter()
        .any(|start| url.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?'])));
    let remote = url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let plain = url.len() <= LONGEST_URL && url.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && (local || remote) {
        Ok(())
    } else {
        Err(invalid(pointer, "an https address of at most 1000 characters"))
    }
}

fn country(given: Option<String>) -> Answer<Option<String>> {
    match given {
        Some(code) if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            Err(invalid("/country", "a country's two capital letters, as ISO 3166-1 has them"))
        }
        country => Ok(country),
    }
}

fn email(given: Option<String>) -> Answer<Option<String>> {
    match given {
        Some(address)
            if address.len() > LONGEST_EMAIL
                || !address.bytes().all(|byte| byte.is_ascii_graphic())
                || address.split_once('@').is_none_or(|(name, host)| name.is_empty() || host.is_empty()) =>
        {
            Err(invalid("/email", "an e-mail address"))
        }
        email => Ok(email),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::time::Timestamp;

    fn ask(country: Option<&str>) -> AccountAsk {
        let owner: UserId = "usr_seller".parse().unwrap();
        AccountAsk { owner, email: None, country: country.map(str::to_owned) }
    }

    #[test]
    fn another_country_is_another_request_and_the_same_one_the_same() {
        let owner: UserId = "usr_seller".parse().unwrap();
        let seller = Seller::new(owner, Timestamp::from_seconds(0));
        let Ok(Outcome::Changed(seller)) = seller.begin(GatewayName::Stripe, Timestamp::from_seconds(1)) else {
            panic!("nothing begun")
        };
        let wish = seller.account(GatewayName::Stripe).unwrap();
        assert_eq!(key(wish, &ask(None)), "seller-usr_seller");
        assert_eq!(key(wish, &ask(Some("DE"))), key(wish, &ask(Some("DE"))));
        assert_ne!(key(wish, &ask(Some("DE"))), key(wish, &ask(Some("FR"))));
    }

    #[test]
    fn only_what_a_gateway_can_use_goes_to_it() {
        assert!(
            check_url("https://a.example/x", "/return_url").is_ok() && check_url("http://127.0.0.1:3000/", "/").is_ok()
        );
        for bad in ["", "ftp://a", "http://a.example", "https://", "https:///x", "http://localhost.evil.example"] {
            assert!(check_url(bad, "/return_url").is_err(), "{bad}");
        }
        assert!(country(Some("DE".to_owned())).is_ok() && country(None).is_ok());
        for bad in ["de", "DEU", "D", "D1"] {
            assert!(country(Some(bad.to_owned())).is_err(), "{bad}");
        }
        assert!(email(Some("a@b.example".to_owned())).is_ok());
        for bad in ["a", "@b", "a@", "a b@c", &format!("{}@b", "a".repeat(260))] {
            assert!(email(Some(bad.to_owned())).is_err(), "{bad}");
        }
    }
}
