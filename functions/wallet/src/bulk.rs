//! `POST /v1/payouts`: an operator pays out many wallets, each with an outcome of its own.

use crate::only_operators;
use crate::payouts::{AskedFor, Asking, Wish};
use escrow_domain::id::{PayoutId, UserId};
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::payout::PayoutRefusal;
use escrow_http::amount::AmountField;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::fields::{invalid, word};
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most payouts of one request: each is a commit of its own, and the function has ten seconds.
const MOST: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    payouts: Vec<OwnersWish>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnersWish {
    owner: String,
    currency: String,
    amount: AmountField,
    gateway: Option<String>,
    escrow: Option<String>,
}

/// What became of one of them.
#[derive(Debug, Serialize)]
struct Outcome {
    payout: Option<views::PayoutView>,
    problem: Option<Value>,
}

pub(crate) async fn ask_all(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    only_operators(caller)?;
    incoming.query(&[])?;
    incoming.check_size()?;
    let key = incoming.idempotency_key()?;
    let operation = incoming.operation(&caller.issuer, caller.sub.as_str(), &key);
    let Batch { payouts } = incoming.json()?;
    if !(1..=MOST).contains(&payouts.len()) {
        return Err(invalid("/payouts", "1 to 50 payouts"));
    }
    let (mut data, mut replayed) = (Vec::with_capacity(payouts.len()), true);
    for (place, wish) in payouts.into_iter().enumerate() {
        // The place is a part of the name: the same wish may stand in a batch twice, and means two payouts.
        let id =
            PayoutId::derive(&format!("POST /v1/payouts {place}"), &caller.issuer, caller.sub.as_str(), key.as_str());
        let pointer = format!("/payouts/{place}");
        let outcome = match one(app, caller, id, operation, pointer, wish).await {
            Ok(asked) => {
                replayed &= asked.replayed;
                if !asked.replayed {
                    app.wake_for_payout(&asked.payout, incoming.line()).await;
                }
                let standing = asked.payout.standing(&caller.sub, caller.scopes);
                Outcome { payout: Some(views::payout(&asked.payout, &caller.sub, &standing)), problem: None }
            }
            Err(problem) => match problem.code() {
                // One body stands under one key: whoever sends another has made a mistake with all of them.
                Code::IdempotencyKeyReused => return Err(problem),
                // Nothing is known of this one, and those after it were not begun: the same request carries on.
                Code::Unavailable | Code::Contended => return Err(problem),
                _ => {
                    replayed = false;
                    Outcome { payout: None, problem: Some(problem.shown(incoming.request_id())) }
                }
            },
        };
        data.push(outcome);
    }
    let reply = Reply::ok(&serde_json::json!({ "data": data }));
    incoming.line().replayed(replayed);
    Ok(if replayed { reply.replayed() } else { reply })
}

async fn one(
    app: &App,
    caller: &Caller,
    id: PayoutId,
    operation: escrow_domain::id::Operation,
    pointer: String,
    wish: OwnersWish,
) -> Answer<AskedFor> {
    let owner: UserId = word(&wish.owner, &format!("{pointer}/owner"), "a user's id")?;
    if owner == caller.sub {
        return Err(Problem::from(&PayoutRefusal::OwnPayout));
    }
    let OwnersWish { currency, amount, gateway, escrow, .. } = wish;
    let actor = Actor::person(Role::Operator, caller.sub.clone());
    let asking = Asking { id, owner, actor, operation, pointer };
    asking.once(app, &Wish { currency, amount, gateway, escrow }).await
}
