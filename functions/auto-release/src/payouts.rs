//! Payouts whose time has come, and wallets that are paid out by their owner's wish.

use crate::{Swept, postpone, put_off, why};
use escrow_domain::id::Operation;
use escrow_domain::journal::Actor;
use escrow_domain::payout::{
    Auto, Payout, PayoutAttempt, PayoutChange, PayoutCommand, PayoutOutcome, PayoutStatus, PayoutUndecided, TiedTo,
    auto_payout, decide,
};
use escrow_domain::seller::Seller;
use escrow_domain::wallet::{LineKind, MovedBy, Wallet};
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_http::metrics::Measure;
use escrow_store::keys::Key;
use escrow_store::lists::Loaded;
use escrow_store::{CreateError, Outcome as Committed, Start, StoreError};

/// Payouts: the clock's own decision, then whatever is due at a gateway.
pub(crate) async fn visit(app: &App, keys: &[Key], swept: &mut Swept, line: &Line) -> Result<(), StoreError> {
    for loaded in app.store.load_payouts(keys).await? {
        let Loaded { key, seen, escrow: payout } = loaded;
        let payout = match payout {
            Ok(payout) => payout,
            Err(unreadable) => {
                put_off(app, &key, &seen, &unreadable.to_string(), swept, line).await;
                continue;
            }
        };
        match app.store.change_aggregate(Start::From(payout), |payout| tick(app, payout)).await {
            Ok(changed) => {
                let committed = changed.is_committed();
                let payout = changed.into_aggregate();
                if committed {
                    swept.changed = swept.changed.saturating_add(1);
                    record(app, &payout);
                }
                wake(app, &payout, swept, line).await;
                // It stays due until the gateway's answer is stored. Should that take long, it is not woken every minute.
                let now = app.clock.now();
                if !committed && payout.due_at().is_some_and(|due| due <= now) {
                    postpone(app, &key, &seen, line).await;
                }
            }
            Err(error) => put_off(app, &key, &seen, &why(&error), swept, line).await,
        }
    }
    Ok(())
}

/// The clock's decision about one payout.
fn tick(app: &App, payout: &Payout) -> Result<PayoutOutcome, PayoutUndecided> {
    let now = app.moment();
    // The operation of a tick is that of the deadline that it finds; this name is never stored.
    let operation = Operation::of_clock("tick", 0, now.at);
    decide(payout, &PayoutAttempt { command: PayoutCommand::Tick, actor: Actor::clock(), operation }, now)
}

/// Wallets: all that is available leaves, in one transaction with the wallet and its line.
pub(crate) async fn pay_out(app: &App, keys: &[Key], swept: &mut Swept, line: &Line) -> Result<(), StoreError> {
    for loaded in app.store.load_wallets(keys).await? {
        let Loaded { key, seen, escrow: wallet } = loaded;
        let outcome = match wallet {
            Ok(wallet) => pay_one(app, &wallet, swept, line).await,
            Err(unreadable) => Err(unreadable.to_string()),
        };
        if let Err(why) = outcome {
            put_off(app, &key, &seen, &why, swept, line).await;
        }
    }
    Ok(())
}

/// One wallet. What could not be done is told in words.
async fn pay_one(app: &App, wallet: &Wallet, swept: &mut Swept, line: &Line) -> Result<(), String> {
    let words = |error: StoreError| error.to_string();
    let seller = app.store.aggregate::<Seller>(&wallet.owner).await.map_err(words)?;
    let limits = app.config.payouts.limits(wallet.currency);
    match auto_payout(wallet, seller.as_ref(), &limits, app.moment()).map_err(|error| error.to_string())? {
        Auto::Nothing => Ok(()),
        Auto::Later { wallet: next, why } => {
            line.failure(format!("{} is not paid out in {}: {why}", wallet.owner, wallet.currency));
            let was = wallet.version;
            let later = |stands: &Wallet| -> Result<Option<Wallet>, std::convert::Infallible> {
                // Another version stands there: what was decided here is not about it.
                Ok((stands.version == was).then(|| (*next).clone()))
            };
            app.store
                .change_wallet(&wallet.owner, wallet.currency, later)
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        }
        Auto::Pay(change) => {
            let change = tied(app, wallet, *change).await.map_err(words)?;
            match app.store.create::<Payout>(&change, vec![wallet.clone()]).await {
                Ok(Committed::Applied) => {
                    swept.paid_out = swept.paid_out.saturating_add(1);
                    line.payout(change.payout.id.to_string());
                    record(app, &change.payout);
                    wake(app, &change.payout, swept, line).await;
                    Ok(())
                }
                // Another sweep has made the very same.
                Ok(Committed::Moved(_)) => Ok(()),
                Ok(Committed::Missing) => Err("a new payout was neither written nor there".to_owned()),
                // The owner has spent it meanwhile: the wallet has another deadline by that, or none.
                Err(CreateError::Wallet(_)) => Ok(()),
                Err(CreateError::Store(error)) => Err(words(error)),
            }
        }
    }
}

/// Tied to its payment, where all of it came from exactly one release: then it does not wait for the platform's balance. What cannot be
/// read ties nothing.
async fn tied(app: &App, wallet: &Wallet, mut change: PayoutChange) -> Result<PayoutChange, StoreError> {
    let Some(last) = wallet.lines.checked_sub(1) else { return Ok(change) };
    let Some(line) = readable(app.store.line(&wallet.owner, wallet.currency, last).await)? else { return Ok(change) };
    let amount = change.payout.money.amount.units();
    let (LineKind::Release, MovedBy::Escrow(id)) = (line.kind, line.of) else { return Ok(change) };
    if line.before == 0
        && line.after == amount
        && let Some(escrow) = readable(app.store.escrow(id).await)?
    {
        change.payout.tied_to = TiedTo::of(&escrow, &change.payout.rail, wallet.currency);
    }
    Ok(change)
}

fn readable<T>(read: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Unreadable(_)) => Ok(None),
        read => read,
    }
}

async fn wake(app: &App, payout: &Payout, swept: &mut Swept, line: &Line) {
    if payout.work(app.clock.now()).is_some() {
        swept.woken = swept.woken.saturating_add(1);
        app.wake.payout(payout.id, line).await;
    }
}

/// Counts what the clock did, and the alarm of a payout that waits for an operator, which repeats daily.
fn record(app: &App, payout: &Payout) {
    let now = app.clock.now();
    match payout.status {
        PayoutStatus::Review => app.metrics.record(Measure::PayoutsInReview(1), now),
        PayoutStatus::Approval | PayoutStatus::Owed => app.metrics.record(Measure::PayoutsWaiting(1), now),
        PayoutStatus::Rejected | PayoutStatus::Failed => app.metrics.record(Measure::Payout(payout.status), now),
        PayoutStatus::Ready | PayoutStatus::Sending | PayoutStatus::Paid | PayoutStatus::Returned => {}
    }
}
