//! Every status, every transition, every actor: what really happens is what the table says.

use super::purse::{Purse, code, named};
use crate::fixture::{actor, user};
use escrow_domain::decide::Outcome;
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::payout::rows::{permitted, rows};
use escrow_domain::payout::{
    LAPSES_AFTER, PayoutCommand, PayoutOutcome, PayoutResolution, PayoutStatus, PayoutTransition, PayoutUndecided,
    TransferOutcome,
};

fn command(transition: PayoutTransition) -> Option<PayoutCommand> {
    let reason = || "because".to_owned();
    match transition {
        PayoutTransition::Approve => Some(PayoutCommand::Approve { reason: None }),
        PayoutTransition::Reject => Some(PayoutCommand::Reject { reason: reason() }),
        PayoutTransition::MarkPaid => Some(PayoutCommand::MarkPaid { reference: "wire".to_owned() }),
        PayoutTransition::MarkFailed => Some(PayoutCommand::MarkFailed { reason: reason() }),
        PayoutTransition::Resolve => {
            Some(PayoutCommand::Resolve { resolution: PayoutResolution::Retry, reason: reason() })
        }
        PayoutTransition::Ask
        | PayoutTransition::Lapse
        | PayoutTransition::Send
        | PayoutTransition::Pay
        | PayoutTransition::Fail
        | PayoutTransition::GiveUp
        | PayoutTransition::Doubt
        | PayoutTransition::Return => None,
    }
}

/// Where an attempt leads; `None` if it is not made.
fn leads(purse: &Purse, decided: Result<PayoutOutcome, PayoutUndecided>) -> Option<PayoutStatus> {
    match decided {
        Ok(Outcome::Changed(change)) => Some(change.payout.status),
        Ok(Outcome::AlreadyDone) => None,
        Err(_) => {
            assert_ne!(code(&decided), "done", "{}", purse.payout.status);
            None
        }
    }
}

#[test]
fn people_do_what_the_table_says_and_nothing_else() {
    let mut done = 0;
    for status in PayoutStatus::ALL {
        let purse = Purse::at(*status);
        for transition in PayoutTransition::ALL {
            let Some(command) = command(*transition) else { continue };
            for role in Role::ALL {
                let who = if *role == Role::Seller { Actor::person(*role, user("usr_seller")) } else { actor(*role) };
                let ended = leads(&purse, purse.decide(who, named("x"), command.clone()));
                // What a gateway has paid comes back by its own word alone.
                let by_hand_only = *transition == PayoutTransition::MarkFailed && *status == PayoutStatus::Paid;
                match permitted(*transition, *role, *status) {
                    Ok(to) if !by_hand_only => {
                        done += 1;
                        assert!(to.contains(&ended.unwrap()), "{transition} by {role} from {status} went {ended:?}");
                    }
                    Ok(_) | Err(_) => assert_eq!(ended, None, "{transition} by {role} from {status}"),
                }
            }
        }
    }
    assert_eq!(done, 5, "approve, reject, mark_paid, mark_failed, resolve: each from one status");
}

#[test]
fn facts_lead_where_the_table_says() {
    for status in PayoutStatus::ALL {
        let purse = Purse::at(*status);
        let failed = TransferOutcome::Failed("no".to_owned());
        for (transition, told) in [
            (PayoutTransition::Pay, purse.transfer("tr_1", TransferOutcome::Sent)),
            (PayoutTransition::Fail, purse.transfer("tr_1", failed)),
            (PayoutTransition::Return, purse.reversal("trr_1", 20_000)),
        ] {
            let ended = leads(&purse, told).filter(|ended| ended != status);
            let allowed = permitted(transition, Role::Gateway, *status).ok();
            let back = permitted(PayoutTransition::Return, Role::Gateway, *status).ok();
            let sent = permitted(PayoutTransition::Pay, Role::Gateway, *status).is_ok();
            match (ended, allowed) {
                (Some(ended), Some(to)) => assert!(to.contains(&ended), "{transition} from {status} to {ended}"),
                // One that came back before we heard that it had left is both; a failure after success is a return.
                (Some(ended), None) => {
                    assert!((sent || back.is_some()) && ended == PayoutStatus::Returned, "{transition} from {status}");
                }
                (None, allowed) => assert_eq!(allowed, None, "{transition} from {status}"),
            }
        }
    }
}

#[test]
fn time_leads_where_the_table_says() {
    for status in PayoutStatus::ALL {
        let mut purse = Purse::at(*status);
        purse.wait(LAPSES_AFTER);
        let ended = leads(&purse, purse.decide(Actor::clock(), named("t"), PayoutCommand::Tick));
        let to = permitted(PayoutTransition::Lapse, Role::Clock, *status);
        match to {
            Ok(to) => assert!(to.contains(&ended.unwrap())),
            Err(_) => assert!(ended.is_none_or(|ended| ended == *status), "time alone ended {status}"),
        }
    }
    // Time alone never calls a payout made.
    for transition in PayoutTransition::ALL {
        for row in rows(*transition).iter().filter(|row| row.actor == Role::Clock) {
            assert!(!row.to.contains(&PayoutStatus::Paid), "{transition}");
        }
    }
}
