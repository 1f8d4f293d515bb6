//! From a gateway's notice to a command on one aggregate: which one it is about, and what of it is heeded.

use crate::facts::{
    self, AccountTold, ChargebackOutcome, ChargebackStep, Fact, NoFact, Notice, PaymentTold, RefundTold,
};
use crate::gateway::{CallError, Deadline, Gateway, Origin, RefundState};
use escrow_domain::command::{ChargebackTold, Fact as EscrowFact, RefundOutcome};
use escrow_domain::id::{EscrowId, GatewayName, Operation, PayoutId, TopUpId, UserId};
use escrow_domain::payout::{BankState, PayoutFact};
use escrow_domain::seller;
use escrow_domain::time::Timestamp;
use escrow_domain::top_up::TopUpFact;

/// What a notice comes to.
pub enum Heard {
    /// Nothing to do; the word says why.
    Nothing(&'static str),
    /// It is ours, but what it means could not be found out now.
    Unclear(String),
    /// A fact about an escrow.
    Escrow {
        /// Which escrow.
        escrow: EscrowId,
        /// What has happened.
        fact: EscrowFact,
        /// Its name: the gateway's object and what happened to it.
        operation: Operation,
    },
    /// A fact about a top-up.
    TopUp {
        /// Which top-up.
        top_up: TopUpId,
        /// What has happened.
        fact: TopUpFact,
        /// Its name.
        operation: Operation,
    },
    /// A fact about a payout.
    Payout {
        /// Which payout.
        payout: PayoutId,
        /// What has happened.
        fact: PayoutFact,
        /// Its name.
        operation: Operation,
    },
    /// What is told of a seller's account. It has no name: nothing is booked, and what was told last by the gateway's clock counts.
    Seller {
        /// At which gateway.
        gateway: GatewayName,
        /// The gateway's id of the account: the owner is who is stored with it.
        account: String,
        /// Whose it says that it is; where nobody is stored with it, this is a claim of a genuine notice about an account that the platform made.
        owner: Option<UserId>,
        /// What is told.
        told: SellerTold,
    },
}

/// What is told of a seller's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SellerTold {
    /// What it may do.
    Account(seller::AccountTold),
    /// How the bank stands to the newest of the gateway's own payouts.
    Bank(BankState),
}

/// Why a fact becomes no command.
enum Unheard {
    /// See [`Heard::Nothing`].
    Nothing(&'static str),
    /// See [`Heard::Unclear`].
    Unclear(String),
}

/// The aggregate that a fact about money that came in is about.
#[derive(Clone, Copy)]
enum Subject {
    Escrow(EscrowId),
    TopUp(TopUpId),
}

/// The same, where it must be known which of an escrow's payments it was.
#[derive(Clone, Copy)]
enum Paid {
    Payment(EscrowId, u16),
    TopUp(TopUpId),
}

/// Reads a notice. An object that does not carry our ids is followed to its parent at the gateway; without one there, it is foreign.
pub async fn hear(gateway: &dyn Gateway, notice: &Notice, deadline: Deadline) -> Heard {
    let fact = match &notice.fact {
        Ok(fact) => fact,
        Err(NoFact::NotHeeded) => return Heard::Nothing("ignored"),
        Err(NoFact::OtherAccount) => return Heard::Nothing("other_account"),
        Err(NoFact::Foreign) => return Heard::Nothing("foreign"),
        Err(NoFact::MoneyUnreadable) => return Heard::Unclear("its amount or currency cannot be read".to_owned()),
    };
    if let Some(told) = about_a_seller(gateway.name(), fact) {
        return told;
    }
    let Some(operation) = fact.operation(gateway.name()) else { return Heard::Nothing("ignored") };
    match about_money(gateway, fact, notice.created, operation, deadline).await {
        Ok(heard) => heard,
        Err(Unheard::Nothing(word)) => Heard::Nothing(word),
        Err(Unheard::Unclear(why)) => Heard::Unclear(why),
    }
}

/// What is told of a seller's account, if the fact is about one.
fn about_a_seller(gateway: GatewayName, fact: &Fact) -> Option<Heard> {
    let (account, owner, told) = match fact {
        Fact::AccountChanged(AccountTold { standing, told_at }) => (
            standing.account.clone(),
            standing.owner.clone(),
            SellerTold::Account(standing.clone().told(gateway, *told_at)),
        ),
        Fact::AccountDisconnected { account, told_at } => {
            (account.clone(), None, SellerTold::Account(disconnected(gateway, account, *told_at)))
        }
        Fact::BankMoved { account, bank } => (account.clone(), None, SellerTold::Bank(bank.clone())),
        Fact::PaymentPaid { .. }
        | Fact::PaymentProcessing(_)
        | Fact::PaymentDeclined { .. }
        | Fact::PaymentClosed(_)
        | Fact::RefundMoved(_)
        | Fact::CaptureRefunded { .. }
        | Fact::ChargebackMoved(_)
        | Fact::TransferReversed(_) => return None,
    };
    Some(Heard::Seller { gateway, account, owner, told })
}

/// An account that is out of the platform's reach may do nothing for it any more.
fn disconnected(gateway: GatewayName, account: &str, told_at: Timestamp) -> seller::AccountTold {
    seller::AccountTold {
        gateway,
        account: account.to_owned(),
        transfers: false,
        payouts: false,
        submitted: false,
        disconnected: true,
        currently_due: Vec::new(),
        disabled_reason: None,
        told_at,
    }
}

/// The fact as a command on the aggregate whose money it is.
async fn about_money(
    gateway: &dyn Gateway,
    fact: &Fact,
    created: Timestamp,
    operation: Operation,
    deadline: Deadline,
) -> Result<Heard, Unheard> {
    let name = gateway.name();
    let of_escrow = |escrow, fact| Heard::Escrow { escrow, fact, operation };
    let of_top_up = |top_up, fact| Heard::TopUp { top_up, fact, operation };
    Ok(match fact {
        Fact::PaymentPaid { payment: told, money } => {
            let Some(capture) = told.capture.clone() else {
                return Err(Unheard::Unclear("money arrived without the name of its capture".to_owned()));
            };
            let (money, reference) = (*money, told.reference.clone());
            match which_payment(gateway, told, deadline).await? {
                Paid::Payment(escrow, payment) => {
                    of_escrow(escrow, EscrowFact::Paid { payment, gateway: name, capture, money, reference })
                }
                Paid::TopUp(top_up) => of_top_up(top_up, TopUpFact::Paid { gateway: name, capture, money, reference }),
            }
        }
        Fact::PaymentProcessing(told) => match which_payment(gateway, told, deadline).await? {
            Paid::Payment(escrow, payment) => of_escrow(escrow, EscrowFact::Processing { payment, gateway: name }),
            Paid::TopUp(top_up) => of_top_up(top_up, TopUpFact::Processing { gateway: name }),
        },
        // The buyer may try again on the same page or form: a declined try is no entry.
        Fact::PaymentDeclined { .. } => Heard::Nothing("declined"),
        Fact::PaymentClosed(told) => match which_payment(gateway, told, deadline).await? {
            Paid::Payment(escrow, payment) => of_escrow(escrow, EscrowFact::Closed { payment, gateway: name }),
            Paid::TopUp(top_up) => of_top_up(top_up, TopUpFact::Closed { gateway: name }),
        },
        Fact::RefundMoved(refund) => match refund.refund {
            Some(ours) => of_escrow(
                ours.escrow,
                EscrowFact::Refund {
                    refund: ours.number,
                    gateway: name,
                    reference: refund.reference.clone(),
                    money: refund.money,
                    outcome: outcome(&refund.state),
                },
            ),
            None => unasked(gateway, refund, deadline).await?,
        },
        Fact::CaptureRefunded { origin, capture, total } => {
            let (told_at, total) = (created, *total);
            match whose_capture(gateway, *origin, capture, deadline).await? {
                Subject::Escrow(escrow) => {
                    let capture = capture.clone();
                    of_escrow(escrow, EscrowFact::CaptureRefunded { gateway: name, capture, total, told_at })
                }
                Subject::TopUp(top_up) => {
                    let capture = capture.clone();
                    of_top_up(top_up, TopUpFact::CaptureRefunded { gateway: name, capture, total, told_at })
                }
            }
        }
        Fact::ChargebackMoved(told) => {
            let Some(capture) = told.capture.clone() else { return Err(Unheard::Nothing("foreign")) };
            // The state between opening and closing decides nothing.
            if matches!(told.step, ChargebackStep::Updated(_)) {
                return Err(Unheard::Nothing("ignored"));
            }
            // It carries no id of ours, only the capture does.
            let subject = whose_capture(gateway, Origin::default(), &capture, deadline).await?;
            let chargeback =
                ChargebackTold { gateway: name, reference: told.reference.clone(), capture, money: told.money };
            match subject {
                Subject::Escrow(escrow) => of_escrow(escrow, chargeback_of_escrow(told, chargeback)?),
                Subject::TopUp(top_up) => of_top_up(top_up, chargeback_of_top_up(told, chargeback)?),
            }
        }
        Fact::TransferReversed(told) => match told.payout {
            Some(payout) => Heard::Payout {
                payout,
                fact: PayoutFact::Reversed {
                    gateway: name,
                    reference: told.reference.clone(),
                    money: told.money,
                    total: told.total,
                    // Stripe gives none.
                    reason: None,
                },
                operation,
            },
            None => Heard::Nothing("foreign"),
        },
        Fact::BankMoved { .. } | Fact::AccountChanged(_) | Fact::AccountDisconnected { .. } => {
            Heard::Nothing("ignored")
        }
    })
}

fn chargeback_of_escrow(told: &facts::ChargebackTold, chargeback: ChargebackTold) -> Result<EscrowFact, Unheard> {
    let moved = told.moved;
    Ok(match &told.step {
        ChargebackStep::Opened => EscrowFact::ChargebackOpened { chargeback, reason: reason(told) },
        ChargebackStep::FundsWithdrawn => EscrowFact::ChargebackFunds { chargeback, moved, back: false },
        ChargebackStep::FundsReinstated => EscrowFact::ChargebackFunds { chargeback, moved, back: true },
        ChargebackStep::Closed(outcome) => EscrowFact::ChargebackClosed { chargeback, won: money_stays(*outcome) },
        ChargebackStep::Updated(_) => return Err(Unheard::Nothing("ignored")),
    })
}

fn chargeback_of_top_up(told: &facts::ChargebackTold, chargeback: ChargebackTold) -> Result<TopUpFact, Unheard> {
    let moved = told.moved;
    Ok(match &told.step {
        ChargebackStep::Opened => TopUpFact::ChargebackOpened { chargeback, reason: reason(told) },
        ChargebackStep::FundsWithdrawn => TopUpFact::ChargebackFunds { chargeback, moved, back: false },
        ChargebackStep::FundsReinstated => TopUpFact::ChargebackFunds { chargeback, moved, back: true },
        ChargebackStep::Closed(outcome) => TopUpFact::ChargebackClosed { chargeback, won: money_stays(*outcome) },
        ChargebackStep::Updated(_) => return Err(Unheard::Nothing("ignored")),
    })
}

fn reason(told: &facts::ChargebackTold) -> String {
    told.reason.clone().unwrap_or_else(|| "no reason given".to_owned())
}

/// A warning that ends without a dispute has taken no money: it ends like one that was won.
fn money_stays(outcome: ChargebackOutcome) -> bool {
    match outcome {
        ChargebackOutcome::Won | ChargebackOutcome::Neither => true,
        ChargebackOutcome::Lost => false,
    }
}

/// A refund that nobody here asked for tells nothing that the total of its capture does not tell: that one is booked.
async fn unasked(gateway: &dyn Gateway, refund: &RefundTold, deadline: Deadline) -> Result<Heard, Unheard> {
    let Some(capture) = &refund.capture else { return Err(Unheard::Nothing("foreign")) };
    whose_capture(gateway, Origin::default(), capture, deadline).await?;
    Ok(Heard::Nothing("told_by_total"))
}

async fn which_payment(gateway: &dyn Gateway, told: &PaymentTold, deadline: Deadline) -> Result<Paid, Unheard> {
    let known = Origin { escrow: told.escrow, payment: told.payment, top_up: told.top_up };
    if let Some(paid) = payment_of(known) {
        return Ok(paid);
    }
    let Some(capture) = &told.capture else { return Err(Unheard::Nothing("foreign")) };
    payment_of(trace(gateway, capture, deadline).await?).ok_or(Unheard::Nothing("foreign"))
}

fn payment_of(origin: Origin) -> Option<Paid> {
    let payment = origin.payment.map(|payment| Paid::Payment(payment.escrow, payment.number));
    payment.or(origin.top_up.map(Paid::TopUp))
}

async fn whose_capture(
    gateway: &dyn Gateway,
    known: Origin,
    capture: &str,
    deadline: Deadline,
) -> Result<Subject, Unheard> {
    if let Some(subject) = subject_of(known) {
        return Ok(subject);
    }
    subject_of(trace(gateway, capture, deadline).await?).ok_or(Unheard::Nothing("foreign"))
}

fn subject_of(origin: Origin) -> Option<Subject> {
    let escrow = origin.escrow.or(origin.payment.map(|payment| payment.escrow));
    escrow.map(Subject::Escrow).or(origin.top_up.map(Subject::TopUp))
}

async fn trace(gateway: &dyn Gateway, capture: &str, deadline: Deadline) -> Result<Origin, Unheard> {
    gateway.trace_capture(capture, deadline).await.map_err(|error: CallError| Unheard::Unclear(error.to_string()))
}

fn outcome(state: &RefundState) -> RefundOutcome {
    match state {
        RefundState::Pending => RefundOutcome::Pending,
        RefundState::Succeeded => RefundOutcome::Succeeded,
        RefundState::Failed(why) => RefundOutcome::Failed(why.clone()),
    }
}
