//! Books what gateways tell: one way from a notice to a commit, whoever heard it. The webhook heard it from the gateway, `settle` tries
//! again what was parked, the reconciler reads it in the gateway's own lists; what becomes of it is the same.

use escrow_domain::command::{Attempt, Command};
use escrow_domain::currency::Currency;
use escrow_domain::decide;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, GatewayName, Operation, PayoutId, TopUpId, UserId};
use escrow_domain::journal::Actor;
use escrow_domain::payout::{self, Payout, PayoutCommand, PayoutFact};
use escrow_domain::refusal::Broken;
use escrow_domain::seller::Seller;
use escrow_domain::top_up::{self, TopUp, TopUpFact};
use escrow_gateways::{Deadline, Gateway, Heard, Notice, SellerTold, hear};
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_store::{ChangeError, Changed, Start, StoreError};
use std::fmt::Display;

/// What became of a notice.
#[derive(Debug)]
pub enum Booked {
    /// There was nothing to do; the word says why.
    Nothing(&'static str),
    /// It was known already.
    Known(What),
    /// It is booked now.
    Applied(What),
    /// It is ours and cannot be booked: it is to be kept, for a later try or an operator.
    Kept {
        /// Why.
        why: String,
        /// What it was about, as far as that is known.
        about: Option<What>,
    },
}

/// The aggregate that a notice was about, as it stands now.
#[derive(Debug)]
pub enum What {
    /// An escrow.
    Escrow(Box<Escrow>),
    /// A top-up.
    TopUp(Box<TopUp>),
    /// A payout.
    Payout(Box<Payout>),
    /// A seller.
    Seller(Box<Seller>),
}

impl What {
    /// Its name, for logs.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Escrow(escrow) => escrow.id.to_string(),
            Self::TopUp(top_up) => top_up.id.to_string(),
            Self::Payout(payout) => payout.id.to_string(),
            Self::Seller(seller) => format!("seller {}", seller.owner),
        }
    }

    /// Whose wallet its money goes to, or comes from, and in which unit.
    #[must_use]
    pub const fn wallet(&self) -> Option<(&UserId, Currency)> {
        match self {
            Self::Escrow(escrow) => Some((&escrow.terms.seller, escrow.terms.currency)),
            Self::TopUp(top_up) => Some((&top_up.owner, top_up.money.currency)),
            Self::Payout(payout) => Some((&payout.owner, payout.money.currency)),
            Self::Seller(_) => None,
        }
    }
}

/// Reads a notice and books what it says. What a commit promises to a gateway is woken.
///
/// # Errors
/// [`StoreError`] if it could not be made durable: whoever told it must tell it again.
pub async fn book(
    app: &App,
    gateway: &dyn Gateway,
    notice: &Notice,
    deadline: Deadline,
    line: &Line,
) -> Result<Booked, StoreError> {
    match hear(gateway, notice, deadline).await {
        Heard::Nothing(word) => Ok(Booked::Nothing(word)),
        Heard::Unclear(why) => Ok(Booked::Kept { why, about: None }),
        Heard::Escrow { escrow, fact, operation } => {
            let attempt = Attempt { command: Command::Fact(fact), actor: Actor::gateway(), operation };
            of_escrow(app, escrow, &attempt, line).await
        }
        Heard::TopUp { top_up, fact, operation } => of_top_up(app, top_up, fact, operation, line).await,
        Heard::Payout { payout, fact, operation } => of_payout(app, payout, fact, operation, line).await,
        Heard::Seller { gateway, account, owner, told } => of_seller(app, gateway, &account, owner, &told, line).await,
    }
}

async fn of_escrow(app: &App, id: EscrowId, attempt: &Attempt, line: &Line) -> Result<Booked, StoreError> {
    line.escrow(id.to_string());
    let changed = app.store.change(Start::Load(id), |escrow| decide::decide(escrow, attempt, app.moment())).await;
    let changed = match changed {
        Ok(changed) => changed,
        Err(error) => return kept(error, &id, What::Escrow),
    };
    app.wake_for(changed.escrow(), line).await;
    Ok(booked(changed, What::Escrow))
}

async fn of_top_up(
    app: &App,
    id: TopUpId,
    fact: TopUpFact,
    operation: Operation,
    line: &Line,
) -> Result<Booked, StoreError> {
    line.escrow(id.to_string());
    let attempt = Attempt { command: fact, actor: Actor::gateway(), operation };
    let start = Start::<TopUp>::Load(id);
    match app.store.change_aggregate(start, |top_up| top_up::decide(top_up, &attempt, app.moment())).await {
        Ok(changed) => Ok(booked(changed, What::TopUp)),
        Err(error) => kept(error, &id, What::TopUp),
    }
}

async fn of_payout(
    app: &App,
    id: PayoutId,
    fact: PayoutFact,
    operation: Operation,
    line: &Line,
) -> Result<Booked, StoreError> {
    line.escrow(id.to_string());
    let attempt = Attempt { command: PayoutCommand::Fact(fact), actor: Actor::gateway(), operation };
    let start = Start::<Payout>::Load(id);
    match app.store.change_aggregate(start, |payout| payout::decide(payout, &attempt, app.moment())).await {
        Ok(changed) => Ok(booked(changed, What::Payout)),
        Err(error) => kept(error, &id, What::Payout),
    }
}

/// What is told of an account goes to whoever is stored with it; the account's own word for its owner counts only while nobody is.
async fn of_seller(
    app: &App,
    gateway: GatewayName,
    account: &str,
    owner: Option<UserId>,
    told: &SellerTold,
    line: &Line,
) -> Result<Booked, StoreError> {
    let Some(owner) = app.store.seller_of(gateway, account).await?.or(owner) else {
        return Ok(Booked::Nothing("foreign"));
    };
    line.escrow(format!("seller {owner}"));
    let now = app.clock.now();
    let decide = |seller: &Seller| -> Result<_, Broken> {
        match told {
            SellerTold::Account(told) => seller.told(told, now),
            SellerTold::Bank(bank) => seller.bank_told(gateway, account, bank, now),
        }
    };
    match app.store.change_aggregate(Start::<Seller>::Load(owner.clone()), decide).await {
        Ok(changed) => Ok(booked(changed, What::Seller)),
        Err(error) => kept(error, &owner, What::Seller),
    }
}

fn booked<A>(changed: Changed<A>, what: impl FnOnce(Box<A>) -> What) -> Booked {
    match changed {
        Changed::Committed(aggregate) => Booked::Applied(what(aggregate)),
        Changed::AlreadyDone(aggregate) => Booked::Known(what(aggregate)),
    }
}

/// What keeps a fact from being booked. Only what could not be written down at all is an error: gateways give up after some days, and
/// whoever repairs an item may need longer.
fn kept<Why: Display, A>(
    error: ChangeError<Why, A>,
    id: &impl Display,
    what: impl FnOnce(Box<A>) -> What,
) -> Result<Booked, StoreError> {
    let (why, about) = match error {
        // We store before we call, so a signed notice of ours about something unknown is strange.
        ChangeError::NotFound => (format!("{id} does not exist here"), None),
        ChangeError::Undecided { why, escrow } => {
            tracing::warn!(at = %id, error = %why, "a fact could not be booked");
            (why.to_string(), Some(what(escrow)))
        }
        ChangeError::Wallet { refused, escrow } => (refused.to_string(), Some(what(escrow))),
        ChangeError::Store(StoreError::Unreadable(unreadable)) => (unreadable.to_string(), None),
        // Telling it again would come to the same for ever: an item that is too large, a sum that is no amount, a missing right.
        ChangeError::Store(error @ (StoreError::Unwritable(_) | StoreError::Refused(_))) => (error.to_string(), None),
        ChangeError::Store(error) => return Err(error),
    };
    Ok(Booked::Kept { why, about })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_be_written_is_kept_and_what_may_yet_be_is_told_again() {
        let told = |error| kept::<Broken, Escrow>(ChangeError::Store(error), &"esc_1", What::Escrow);
        assert!(matches!(told(StoreError::Unwritable("too much".to_owned())), Ok(Booked::Kept { .. })));
        assert!(matches!(told(StoreError::Refused("above 400 KB".into())), Ok(Booked::Kept { .. })));
        assert!(matches!(told(StoreError::Contended { attempts: 5 }), Err(StoreError::Contended { .. })));
        assert!(matches!(told(StoreError::Unavailable("nobody answers".into())), Err(StoreError::Unavailable(_))));
    }
}
