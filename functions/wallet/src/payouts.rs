//! Asking for payouts, and reading them.

use crate::{only_operators, owner_of};
use escrow_domain::currency::Currency;
use escrow_domain::id::{EscrowId, GatewayName, Operation, PayoutId, UserId};
use escrow_domain::journal::{Actor, Seen};
use escrow_domain::lifecycle::Role;
use escrow_domain::payout::{
    NewPayout, Payout, PayoutChange, PayoutRefusal, PayoutStatus, Rail, TiedTo, ask as decide_ask,
};
use escrow_domain::seller::{AccountState, Seller};
use escrow_domain::wallet::Wallet;
use escrow_http::amount::AmountField;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::command::key_of;
use escrow_http::fields::word;
use escrow_http::page::Page;
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use escrow_store::lists::Listed;
use escrow_store::owners::Payouts;
use escrow_store::{CreateError, Outcome};
use serde::Deserialize;

/// What is asked for: the body of `POST /v1/wallets/{owner}/payouts`, and a part of that of `POST /v1/payouts`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    pub(crate) currency: String,
    pub(crate) amount: AmountField,
    pub(crate) gateway: Option<String>,
    pub(crate) escrow: Option<String>,
}

/// A payout to be asked for, once: whose, as whom, under which name.
pub(crate) struct Asking {
    pub(crate) id: PayoutId,
    pub(crate) owner: UserId,
    pub(crate) actor: Actor,
    pub(crate) operation: Operation,
    /// Where the wish stands in the body, for whoever reads what is wrong with it.
    pub(crate) pointer: String,
}

/// A payout that was asked for, now or before.
pub(crate) struct AskedFor {
    pub(crate) payout: Payout,
    pub(crate) replayed: bool,
}

/// `POST /v1/wallets/{owner}/payouts`.
pub(crate) async fn ask(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let owner = owner_of(incoming, caller)?;
    if owner != caller.sub {
        return Err(Problem::forbidden("Only its owner asks a wallet for money. Operators send POST /v1/payouts."));
    }
    let dry_run = incoming.query(&["dry_run"])?.dry_run()?;
    incoming.check_size()?;
    let key = key_of(incoming, dry_run)?;
    let id = PayoutId::derive("POST /v1/wallets/{owner}/payouts", &caller.issuer, caller.sub.as_str(), key.as_str());
    incoming.line().payout(id.to_string());
    let actor = Actor::person(Role::Seller, caller.sub.clone());
    let operation = incoming.operation(&caller.issuer, caller.sub.as_str(), &key);
    let asking = Asking { id, owner, actor, operation, pointer: String::new() };
    if dry_run {
        incoming.line().dry_run(true);
        return rehearse(app, incoming, &asking).await;
    }
    let done = match incoming.json::<Wish>() {
        Ok(wish) => asking.once(app, &wish).await,
        Err(problem) => asking.before(app, problem).await,
    };
    let AskedFor { payout, replayed } = done?;
    incoming.line().replayed(replayed);
    if !replayed {
        app.wake_for_payout(&payout, incoming.line()).await;
    }
    let standing = payout.standing(&caller.sub, caller.scopes);
    let reply = Reply::created(&views::payout(&payout, &caller.sub, &standing)).version(payout.version);
    Ok(if replayed { reply.replayed() } else { reply })
}

/// Says what would be asked for. Nothing is written.
async fn rehearse(app: &App, incoming: &Incoming, asking: &Asking) -> Answer<Reply> {
    let rehearsal = match app.store.aggregate::<Payout>(&asking.id).await? {
        Some(payout) if payout.journal.seen(&asking.operation) == Seen::Before(0) => {
            views::payout_rehearsal(payout.journal.len(), &payout)?
        }
        Some(_) => return Err(Problem::key_reused()),
        None => views::payout_rehearsal(0, &asking.decided(app, &incoming.json()?).await?.0.payout)?,
    };
    Ok(Reply::ok(&rehearsal))
}

impl Asking {
    /// Asks for the payout, unless that was done before.
    pub(crate) async fn once(&self, app: &App, wish: &Wish) -> Answer<AskedFor> {
        match self.put(app, wish).await {
            Ok(done) => Ok(done),
            Err(problem) => self.before(app, problem).await,
        }
    }

    /// Whatever refuses it now may not have been so when it was done: its own record is looked for before it is refused.
    pub(crate) async fn before(&self, app: &App, problem: Problem) -> Answer<AskedFor> {
        match app.store.aggregate::<Payout>(&self.id).await? {
            Some(payout) => self.own(payout),
            None => Err(problem),
        }
    }

    async fn put(&self, app: &App, wish: &Wish) -> Answer<AskedFor> {
        let (change, wallet) = self.decided(app, wish).await?;
        let money = change.payout.money;
        match app.store.create::<Payout>(&change, vec![wallet]).await {
            Ok(Outcome::Applied) => Ok(AskedFor { payout: change.payout, replayed: false }),
            Ok(Outcome::Moved(stands)) => self.own(*stands),
            Ok(Outcome::Missing) => Err(Problem::internal("a new payout was neither written nor there")),
            // The wallet has moved since it was read.
            Err(CreateError::Wallet(refused)) => Err(PayoutRefusal::of_wallet(refused.refusal, money).into()),
            Err(CreateError::Store(error)) => Err(error.into()),
        }
    }

    /// This operation's own payout; one that was asked for otherwise under the same key is none.
    fn own(&self, payout: Payout) -> Answer<AskedFor> {
        match payout.journal.seen(&self.operation) {
            Seen::Before(0) => Ok(AskedFor { payout, replayed: true }),
            Seen::Before(_) | Seen::Otherwise | Seen::New => Err(Problem::key_reused()),
        }
    }

    /// What the rules say to the wish, and the wallet on which they say it.
    async fn decided(&self, app: &App, wish: &Wish) -> Answer<(PayoutChange, Wallet)> {
        let at = |field: &str| format!("{}/{field}", self.pointer);
        let currency = app.config.currencies.find(&wish.currency).ok_or_else(|| {
            let expected = "a code of ISO 4217 in capitals, or a registered coin";
            Problem::input(Code::CurrencyUnknown, at("currency"), expected)
        })?;
        let money = wish.amount.read(&at("amount"), currency)?;
        let rail = self.rail(app, wish.gateway.as_deref(), currency).await?;
        let tied_to = match &wish.escrow {
            None => None,
            Some(id) => {
                let id: EscrowId = word(id, &at("escrow"), "an escrow's id")?;
                let unsuitable = |why: String| Problem::input(Code::EscrowUnsuitable, at("escrow"), why);
                let escrow = app.store.escrow(id).await?.filter(|escrow| escrow.terms.seller == self.owner);
                let escrow =
                    escrow.ok_or_else(|| unsuitable("There is no such escrow of this seller's.".to_owned()))?;
                Some(TiedTo::of(&escrow, &rail, currency).ok_or_else(|| {
                    unsuitable(format!("No payment of this escrow at {} was released.", rail.as_str()))
                })?)
            }
        };
        let wallet = app.store.wallet(&self.owner, currency).await?;
        let new = NewPayout { id: self.id, owner: self.owner.clone(), money, rail, tied_to };
        let limits = app.config.payouts.limits(currency);
        let change = decide_ask(&new, &wallet, &limits, self.actor.clone(), self.operation, app.moment())?;
        Ok((change, wallet))
    }

    /// By which way the owner is paid. Whoever names none is paid where that is possible; by hand only whoever says so.
    async fn rail(&self, app: &App, named: Option<&str>, currency: Currency) -> Answer<Rail> {
        let pointer = format!("{}/gateway", self.pointer);
        let named: Option<GatewayName> = match named {
            Some("manual") => return Ok(Rail::ByHand),
            Some(name) => Some(name.parse().map_err(|_| {
                Problem::input(Code::GatewayUnknown, &pointer, "This must be a gateway's name, or manual.")
            })?),
            None => None,
        };
        if app.config.is_coin(currency) {
            let why = format!("{currency} is a unit of the platform's own: it is paid out by hand (manual) only.");
            return Err(Problem::input(Code::AmountNotSupported, pointer, why));
        }
        let now = app.clock.now();
        let seller = app.store.aggregate::<Seller>(&self.owner).await?;
        let seller = seller.unwrap_or_else(|| Seller::new(self.owner.clone(), now));
        let gateway = named.unwrap_or_else(|| best_account(&seller));
        seller.destination(gateway).map_err(|refusal| Problem::from(&refusal))
    }
}

/// Where a seller who names nothing is paid: where they can be, or else where they have begun.
fn best_account(seller: &Seller) -> GatewayName {
    let ready = seller.accounts.iter().find(|account| account.state == AccountState::Ready);
    ready.or(seller.accounts.first()).map_or(GatewayName::Stripe, |account| account.gateway)
}

/// `GET /v1/payouts/{id}`.
pub(crate) async fn show(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let id: PayoutId = incoming.parameter("id", "payout")?;
    incoming.query(&[])?;
    let payout = app.store.aggregate::<Payout>(&id).await?.ok_or_else(|| Problem::not_found("payout"))?;
    let standing = payout.standing(&caller.sub, caller.scopes);
    if standing.roles.is_empty() {
        return Err(Problem::not_found("payout"));
    }
    Ok(Reply::ok(&views::payout(&payout, &caller.sub, &standing)).version(payout.version))
}

/// `GET /v1/wallets/{owner}/payouts`: all of one owner's, newest first.
pub(crate) async fn list_of_owner(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let owner = owner_of(incoming, caller)?;
    let query = incoming.query(&["limit", "cursor"])?;
    let page = Page::read(&query, &["payouts of", owner.as_str()])?;
    list(app, caller, &Payouts::Of(owner), &page).await
}

/// `GET /v1/payouts?status=`: what waits for an operator, oldest first.
pub(crate) async fn list_waiting(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    only_operators(caller)?;
    let query = incoming.query(&["status", "limit", "cursor"])?;
    let status: PayoutStatus = query.required("status", "one of approval, owed, review")?;
    if !status.needs_operator() {
        let detail = "This must be one of approval, owed, review: what waits for an operator.";
        return Err(Problem::input(Code::QueryInvalid, "?status", detail));
    }
    let page = Page::read(&query, &["payouts waiting", status.as_str()])?;
    list(app, caller, &Payouts::Waiting(status), &page).await
}

async fn list(app: &App, caller: &Caller, which: &Payouts, page: &Page) -> Answer<Reply> {
    let Listed { items, next } = app.store.payouts(which, page.limit, page.after.as_deref()).await?;
    let view = |payout: Payout| {
        let standing = payout.standing(&caller.sub, caller.scopes);
        views::payout(&payout, &caller.sub, &standing)
    };
    // One that cannot be read is left out of a list; whoever asks for it by its id is told.
    let shown = items.into_iter().filter_map(|loaded| loaded.escrow.ok()).map(|payout| view(*payout)).collect();
    Ok(Reply::ok(&page.listed(shown, next.as_deref())))
}
