//! `POST /v1/wallets/{owner}/top-ups`: a payment into a wallet, opened as an escrow's is. The top-up's id is derived from the caller and
//! the idempotency key and is the payment's name at the gateway, so whatever crashes in between, the same request carries on.

use crate::open::PATIENCE;
use crate::pay::{Bill, Way, Wish, configured};
use escrow_domain::decide::{Moment, Page};
use escrow_domain::id::{Operation, TopUpId, UserId};
use escrow_domain::journal::{Actor, Seen};
use escrow_domain::lifecycle::Role;
use escrow_domain::money::Money;
use escrow_domain::payment::{Mode, PaymentStatus, Source};
use escrow_domain::refusal::Undecided;
use escrow_domain::time::Period;
use escrow_domain::top_up::{
    NewTopUp, TopUp, TopUpChange, TopUpOutcome, checkout_opened, checkout_refused, create, next_attempt,
};
use escrow_gateways::{CallError, Deadline, Gateway, Gateways, OpenCheckout, Whose};
use escrow_http::amount::AmountField;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::fields::invalid;
use escrow_http::metrics::{Measure, PaymentOutcome};
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use escrow_store::{Outcome, Start};
use serde::Deserialize;

/// How long a page can be paid, at most; the gateway may end it sooner.
const OPEN_FOR: Period = Period::hours(24);

/// What a caller sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    currency: String,
    amount: AmountField,
    gateway: Option<String>,
    pay_in: Option<String>,
    method: Option<String>,
    mode: Option<String>,
    success_url: Option<String>,
    cancel_url: Option<String>,
}

/// Who asks, under which name.
struct Asked {
    id: TopUpId,
    owner: UserId,
    operation: Operation,
}

/// Answers one request.
pub(crate) async fn handle(app: &App, gateways: &Gateways, incoming: &Incoming) -> Answer<Reply> {
    let caller = app.auth.authenticate(incoming, app.clock.now()).await?;
    let owner = owner(incoming, &caller)?;
    incoming.query(&[])?;
    incoming.check_size()?;
    let key = incoming.idempotency_key()?;
    let route = "POST /v1/wallets/{owner}/top-ups";
    let id = TopUpId::derive(route, &caller.issuer, caller.sub.as_str(), key.as_str());
    incoming.line().escrow(id.to_string());
    let operation = incoming.operation(&caller.issuer, caller.sub.as_str(), &key);
    let asked = Asked { id, owner, operation };
    let (top_up, replayed) = match asked.put_new(app, gateways, incoming).await {
        Ok(done) => done,
        // Whatever refuses it now may not have been so when it was done: look for its own record before refusing.
        Err(problem) => match app.store.aggregate::<TopUp>(&id).await? {
            Some(top_up) => (asked.own(top_up)?, true),
            None => return Err(problem),
        },
    };
    incoming.line().replayed(replayed);
    let Source::Gateway(name) = top_up.payment.source else {
        return Err(Problem::internal("a top-up without a gateway"));
    };
    let top_up = open(app, configured(gateways, name)?, top_up).await?;
    let reply = Reply::created(&views::top_up_created(&top_up, app.clock.now())?);
    Ok(if replayed { reply.replayed() } else { reply })
}

/// Whose wallet it is: the caller's.
fn owner(incoming: &Incoming, caller: &Caller) -> Answer<UserId> {
    let owner: UserId = incoming.parameter("owner", "wallet")?;
    if owner == caller.sub {
        Ok(owner)
    } else if caller.scopes.operator {
        Err(Problem::forbidden("Only its owner pays into a wallet."))
    } else {
        Err(Problem::not_found("wallet"))
    }
}

impl Asked {
    /// Puts the top-up that the body asks for, unless it is there; and says whether it was.
    async fn put_new(&self, app: &App, gateways: &Gateways, incoming: &Incoming) -> Answer<(TopUp, bool)> {
        let change = self.ordered(app, gateways, incoming.json()?)?;
        match app.store.create::<TopUp>(&change, Vec::new()).await? {
            Outcome::Applied => Ok((change.top_up, false)),
            Outcome::Moved(stands) => Ok((self.own(*stands)?, true)),
            Outcome::Missing => Err(Problem::internal("a new top-up was neither written nor there")),
        }
    }

    /// This operation's own top-up; one that was asked for otherwise under the same key is none.
    fn own(&self, top_up: TopUp) -> Answer<TopUp> {
        match top_up.journal.seen(&self.operation) {
            Seen::Before(0) => Ok(top_up),
            Seen::Before(_) | Seen::Otherwise | Seen::New => Err(Problem::key_reused()),
        }
    }

    /// The top-up that the body asks for. A coin costs what it costs now.
    fn ordered(&self, app: &App, gateways: &Gateways, body: Body) -> Answer<TopUpChange> {
        let Body { currency, amount, gateway, pay_in, method, mode, success_url, cancel_url } = body;
        let currency = app.config.currencies.find(&currency).ok_or_else(|| {
            let expected = "a code of ISO 4217 in capitals, or a registered coin";
            Problem::input(Code::CurrencyUnknown, "/currency", expected)
        })?;
        let money = amount.read("/amount", currency)?;
        let now = app.moment();
        let wish = Wish { gateway, funding: None, method, mode, pay_in, success_url, cancel_url };
        let Way::Gateway(gateway) = wish.way(gateways)? else {
            return Err(invalid("/gateway", "the name of a gateway to pay at"));
        };
        let bill = Bill {
            charged: money,
            milestones: Vec::new(),
            description: format!("{money} {currency}"),
            expires_at: now.at.after(OPEN_FOR),
            pointer: "/amount",
        };
        let payment = wish.payment(Way::Gateway(gateway), bill, &app.config)?;
        // A form does not end by itself as a page does, and every capture of a top-up is credited: coins could be bought much later at
        // today's price.
        if payment.pay_in.is_some() && payment.mode == Mode::Elements {
            return Err(invalid("/mode", "`hosted`, where coins are bought"));
        }
        let new = NewTopUp {
            id: self.id,
            owner: self.owner.clone(),
            money,
            pay_in: payment.pay_in.unwrap_or(money),
            gateway: gateway.name(),
            method: payment.method,
            mode: payment.mode,
            request: payment.request,
            expires_at: payment.expires_at,
        };
        let owner = Actor::person(Role::Buyer, self.owner.clone());
        create(&new, owner, self.operation, now).map_err(Problem::internal)
    }
}

/// Sees to it that the top-up has a page, and returns it as it is then. The request's bytes come only from what is stored.
async fn open(app: &App, gateway: &dyn Gateway, top_up: TopUp) -> Answer<TopUp> {
    if top_up.payment.status != PaymentStatus::Opening {
        return Ok(top_up);
    }
    let (ask, attempt) = (ask(&top_up)?, top_up.payment.attempt);
    match gateway.open_checkout(&ask, &top_up.key(), Deadline::within(PATIENCE)).await {
        Ok(opened) => {
            app.metrics.record(Measure::Payment(gateway.name(), PaymentOutcome::Opened), app.clock.now());
            let page = Page { url: opened.url.as_deref(), client_secret: opened.client_secret.as_deref() };
            store(app, top_up, |top_up, now| checkout_opened(top_up, &opened.reference, &page, opened.expires_at, now))
                .await
        }
        Err(CallError::Refused { code, message, .. }) => {
            app.metrics.record(Measure::Payment(gateway.name(), PaymentOutcome::Refused), app.clock.now());
            store(app, top_up, checkout_refused).await?;
            let detail = "The gateway refuses to open a payment page for this. Nothing is charged.";
            Err(Problem::new(Code::GatewayRefused, detail).inside(format!("{code}: {message}")))
        }
        Err(failed @ CallError::ServerError { .. }) => {
            // The gateway would repeat this answer for the key's life: whoever carries on asks under the next key.
            store(app, top_up, |top_up, now| next_attempt(top_up, attempt, now)).await?;
            Err(Problem::gateway_unavailable(failed))
        }
        Err(unknown @ (CallError::NotSent(_) | CallError::InDoubt(_))) => Err(Problem::gateway_unavailable(unknown)),
    }
}

fn ask(top_up: &TopUp) -> Answer<OpenCheckout> {
    let payment = &top_up.payment;
    let request =
        payment.request.as_ref().ok_or_else(|| Problem::internal("a top-up that is opening has no request"))?;
    let money: Money = top_up.pay_in();
    Ok(OpenCheckout {
        whose: Whose::TopUp(top_up.id),
        mode: payment.mode,
        money,
        description: request.description.clone(),
        method: payment.method,
        success_url: request.success_url.clone(),
        cancel_url: request.cancel_url.clone(),
        expires_at: payment.expires_at,
    })
}

/// Merges an answer into what stands there: the webhook may have been faster.
async fn store(
    app: &App,
    top_up: TopUp,
    merge: impl Fn(&TopUp, Moment) -> Result<TopUpOutcome, Undecided>,
) -> Answer<TopUp> {
    let start = Start::From(Box::new(top_up));
    Ok(app.store.change_aggregate(start, |top_up| merge(top_up, app.moment())).await?.into_aggregate())
}
