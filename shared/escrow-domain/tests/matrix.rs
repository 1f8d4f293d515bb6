//! Every stage, every transition, every actor: what really happens, as one table, and that it is what the lifecycle's table says.

use crate::fixture::{
    Deal, Offer, accept, actor, add_evidence, cancel, deliver, dispute, extend, freeze, minor, name_of, new_payment,
    propose, refund, release, request_changes, resolve, rule, sar, told_of, total_refunded, unfreeze, withdraw_dispute,
};
use escrow_domain::command::{Attempt, ChargebackTold, Command, Fact, NewPayment, RefundOutcome, Resolution};
use escrow_domain::decide::{self, Outcome};
use escrow_domain::id::{GatewayName, Operation};
use escrow_domain::lifecycle::{Permission, Role, Stage, To, Transition, permission};
use escrow_domain::payment::{RefundStatus, Source};
use escrow_domain::policy::Kind;
use escrow_domain::refusal::{Refusal, Undecided};
use escrow_domain::time::Period;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// One attempt's end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cell {
    /// The transition happened, and the milestone is there now.
    Did(Stage),
    /// The rules said no, with this code.
    Refused(&'static str),
    /// A gateway's fact that fits nothing.
    Misfit,
    /// Nothing to do: it is no longer, or not yet, the time of this.
    Nothing,
    /// The same words mean another transition for this actor or from here.
    Means(Transition),
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Self::Did(stage) => stage.to_string(),
            Self::Refused("transition_refused") => "-".to_owned(),
            Self::Refused("forbidden") => "forbidden".to_owned(),
            Self::Refused(code) => (*code).to_owned(),
            Self::Misfit => "misfit".to_owned(),
            Self::Nothing => ".".to_owned(),
            Self::Means(_) => "(other)".to_owned(),
        }
    }
}

/// A deal in this stage that has a second page at the gateway, so that there is something to close everywhere.
fn deal_in(stage: Stage) -> Deal {
    let mut deal = Deal::created(&Offer::of(Kind::Service));
    deal.page_opened();
    let second = new_payment(&[0], deal.escrow.payments[0].expires_at);
    deal.act(Role::Buyer, Command::AddPayment(second));
    let until = deal.escrow.payments[1].expires_at;
    let opened =
        decide::checkout_opened(&deal.escrow, 1, "cs_2", &crate::fixture::page("https://pay/2"), until, deal.moment())
            .unwrap();
    assert!(deal.commit_if_changed(opened));
    match stage {
        Stage::Pending => {}
        Stage::Cancelled => {
            deal.act(Role::Buyer, cancel());
        }
        Stage::Expired => {
            deal.sleep_until_due().tick();
        }
        Stage::Held => {
            deal.paid();
        }
        Stage::Delivered => {
            deal.paid().act(Role::Seller, deliver());
        }
        Stage::Disputed => {
            deal.paid().act(Role::Seller, deliver()).act(Role::Buyer, dispute(None));
        }
        Stage::Refunding => {
            deal.paid().act(Role::Seller, refund(None));
        }
        Stage::Refunded => {
            deal.paid().act(Role::Seller, refund(None)).refunded(0, RefundOutcome::Succeeded);
        }
        Stage::Released => {
            deal.paid().act(Role::Buyer, release(None));
        }
        Stage::Split => {
            deal.paid().act(Role::Buyer, release(Some(5_000))).act(Role::Seller, refund(None));
            deal.refunded(0, RefundOutcome::Succeeded);
        }
    }
    assert_eq!(deal.stage(), stage);
    deal
}

/// The words with which somebody asks for a transition; `None` where only a fact or a deadline brings it about.
fn command(transition: Transition, deal: &Deal) -> Option<Command> {
    Some(match transition {
        Transition::AddPayment => Command::AddPayment(new_payment(&[0], deal.now.after(Period::hours(1)))),
        Transition::Fund => {
            let payment = new_payment(&[0], deal.now.after(Period::hours(1)));
            Command::AddPayment(NewPayment { source: Source::Wallet, ..payment })
        }
        Transition::Cancel | Transition::Withdraw | Transition::AskCancel | Transition::AgreeCancel => cancel(),
        Transition::Deliver => deliver(),
        Transition::RequestChanges => request_changes(),
        Transition::Release | Transition::OperatorRelease => release(None),
        Transition::Refund | Transition::OperatorRefund => refund(None),
        Transition::Dispute => dispute(None),
        Transition::AddEvidence => add_evidence(1),
        Transition::WithdrawDispute => withdraw_dispute(),
        Transition::Propose => propose(5_000),
        Transition::Accept => accept(0),
        Transition::Rule => rule(5_000),
        Transition::AskExtend | Transition::Extend => {
            let deadline = deal.escrow.milestones[0].deadline().unwrap_or(deal.now);
            extend(Some(deadline.after(Period::days(1))))
        }
        Transition::Freeze => freeze(),
        Transition::Unfreeze => unfreeze(),
        Transition::Resolve => resolve(Resolution::Done),
        Transition::Create
        | Transition::Expire
        | Transition::ClosePayment
        | Transition::AbsorbPayment
        | Transition::AutoRelease
        | Transition::MissDelivery
        | Transition::DefaultDispute
        | Transition::ConfirmRefund
        | Transition::FailRefund
        | Transition::AbsorbRefund
        | Transition::LookUp
        | Transition::Abandon
        | Transition::Remind
        | Transition::Chargeback
        | Transition::LoseChargeback
        | Transition::CreditWallet => return None,
    })
}

/// A chargeback of the first capture that there is.
fn about(reference: &str, deal: &Deal) -> ChargebackTold {
    let mut captures = deal.escrow.payments.iter().flat_map(|payment| &payment.captures);
    let capture = captures.next().map_or("pi_1", |capture| capture.id.as_str());
    told_of(reference, capture, minor(15_000).of(sar()))
}

fn opened(reference: &str, deal: &Deal) -> Fact {
    Fact::ChargebackOpened { chargeback: about(reference, deal), reason: "fraudulent".to_owned() }
}

/// The fact that brings a transition about.
fn fact(transition: Transition, deal: &Deal) -> Option<Fact> {
    let refund =
        deal.escrow.refunds.iter().rposition(|refund| !refund.is_over() && refund.status != RefundStatus::Failed);
    let number = refund.map_or(0, |at| u16::try_from(at).unwrap());
    let moved = |outcome| deal.refund_told(number, outcome);
    Some(match transition {
        Transition::Fund | Transition::AbsorbPayment => deal.capture_of(0, "pi_new"),
        Transition::ClosePayment => Fact::Closed { payment: 1, gateway: GatewayName::Stripe },
        Transition::ConfirmRefund => moved(RefundOutcome::Succeeded),
        Transition::FailRefund => moved(RefundOutcome::Failed("no such account".to_owned())),
        Transition::AbsorbRefund => total_refunded(15_000),
        Transition::Freeze => opened("du_9", deal),
        Transition::Unfreeze => Fact::ChargebackClosed { chargeback: about("du_1", deal), won: true },
        Transition::Chargeback => {
            let chargeback = about("du_9", deal);
            Fact::ChargebackFunds { moved: chargeback.money, chargeback, back: false }
        }
        Transition::LoseChargeback => Fact::ChargebackClosed { chargeback: about("du_9", deal), won: false },
        _ => return None,
    })
}

/// What must have happened before a transition makes sense at all.
fn prepare(transition: Transition, role: Role, deal: &mut Deal) {
    let stage = deal.stage();
    let other = if role == Role::Buyer { Role::Seller } else { Role::Buyer };
    match transition {
        // The window in which a buyer needs nobody is over.
        Transition::AskCancel | Transition::AgreeCancel if stage == Stage::Held => {
            deal.wait(Period::days(2));
            if transition == Transition::AgreeCancel {
                deal.act(other, cancel());
            }
        }
        Transition::Accept if stage == Stage::Disputed => {
            deal.act(other, propose(5_000));
        }
        Transition::Rule => {
            deal.wait(Period::days(3));
        }
        Transition::Freeze | Transition::Unfreeze | Transition::Chargeback | Transition::LoseChargeback => {
            if matches!(stage, Stage::Cancelled | Stage::Expired) {
                let late = deal.capture_of(0, "pi_2");
                assert!(deal.fact(&late));
            }
            let about_bank = transition == Transition::Unfreeze && stage != Stage::Pending;
            if about_bank && role == Role::Gateway {
                let fact = opened("du_1", deal);
                assert!(deal.fact(&fact));
            } else if about_bank && !stage.is_final() || (transition == Transition::Unfreeze && stage == Stage::Pending)
            {
                deal.act(Role::Operator, freeze());
            }
        }
        Transition::CreditWallet if role == Role::Clock && stage != Stage::Pending => {
            let second = deal.capture_of(0, "pi_2");
            assert!(deal.fact(&second));
            let last = u16::try_from(deal.escrow.refunds.len()).unwrap() - 1;
            deal.refunded(last, RefundOutcome::Failed("no such account".to_owned()));
            deal.defers = true;
            deal.act(Role::Operator, resolve(Resolution::CreditWallet));
        }
        // A capture that fitted nothing is on its way back, so that there is a refund to speak of in every stage.
        Transition::ConfirmRefund | Transition::FailRefund | Transition::LookUp | Transition::Resolve
            if stage != Stage::Pending && stage != Stage::Refunding =>
        {
            let second = deal.capture_of(0, "pi_2");
            let third = deal.capture_of(0, "pi_3");
            assert!(deal.fact(&second) && deal.fact(&third));
        }
        _ => {}
    }
    if transition == Transition::Resolve && role == Role::Operator && !deal.escrow.refunds.is_empty() {
        let last = u16::try_from(deal.escrow.refunds.len()).unwrap() - 1;
        deal.refunded(last, RefundOutcome::Failed("no such account".to_owned()));
    }
}

/// The first milestone waits, the second is paid and over: the deal is on, and what waits is no checkout any more.
fn waiting_beside_a_paid_one() -> Deal {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[1]));
    deal.page_opened().paid();
    deal.act(Role::Buyer, Command::Release { milestone: Some(1), amount: None, reason: None });
    deal
}

/// The clock's attempt: to the next deadline of that kind, and a tick.
fn clock(transition: Transition, mut deal: Deal) -> Cell {
    if transition == Transition::LookUp {
        let Some(last) = deal.escrow.refunds.len().checked_sub(1) else { return Cell::Nothing };
        let number = u16::try_from(last).unwrap();
        let doubted = escrow_domain::work::doubt(&deal.escrow, number, "nobody can tell", deal.moment()).unwrap();
        return if deal.commit_if_changed(doubted) { Cell::Did(deal.stage()) } else { Cell::Nothing };
    }
    let before = deal.escrow.journal.len();
    if transition == Transition::Remind {
        // A clock that comes after the deadline reminds nobody of it.
        let deadlines = deal.escrow.deadlines();
        let Some(reminder) = deadlines.iter().find(|deadline| deadline.transition == transition) else {
            return Cell::Nothing;
        };
        deal.now = deal.now.max(reminder.at);
    } else if transition != Transition::CreditWallet {
        deal.wait(Period::days(400));
    }
    deal.tick();
    let new = &deal.escrow.journal.entries[before..];
    if new.iter().any(|entry| entry.transition == transition) { Cell::Did(deal.stage()) } else { Cell::Nothing }
}

fn attempt(transition: Transition, role: Role, stage: Stage) -> Cell {
    let mut deal = if transition == Transition::Abandon && stage == Stage::Pending {
        waiting_beside_a_paid_one()
    } else {
        deal_in(stage)
    };
    prepare(transition, role, &mut deal);
    if role == Role::Clock {
        return match command(transition, &deal) {
            Some(command) => told(transition, &mut deal, role, command),
            None => clock(transition, deal),
        };
    }
    let asked = if role == Role::Gateway { fact(transition, &deal).map(Command::Fact) } else { None };
    match asked.or_else(|| command(transition, &deal)) {
        Some(command) => told(transition, &mut deal, role, command),
        // Nobody has words for it but those whose it is; said all the same, it is refused like any other's.
        None => match fact(transition, &deal) {
            Some(fact) => told(transition, &mut deal, role, Command::Fact(fact)),
            None => Cell::Nothing,
        },
    }
}

fn told(transition: Transition, deal: &mut Deal, role: Role, command: Command) -> Cell {
    let operation = match &command {
        Command::Fact(fact) => name_of(fact),
        _ => Operation::of_person("issuer", role.as_str(), "POST", transition.as_str(), "key", b"{}"),
    };
    match decide::decide(&deal.escrow, &Attempt { command, actor: actor(role), operation }, deal.moment()) {
        Ok(Outcome::AlreadyDone) => Cell::Nothing,
        Ok(Outcome::Changed(change)) => {
            deal.commit(*change);
            let did = deal.escrow.journal.entries.last().unwrap();
            assert_eq!(did.actor.role, role);
            if did.transition == transition { Cell::Did(deal.stage()) } else { Cell::Means(did.transition) }
        }
        Err(Undecided::Refused(refusal)) => Cell::Refused(code(&refusal, transition)),
        Err(Undecided::Misfit(_)) => Cell::Misfit,
        Err(Undecided::Broken(broken)) => panic!("{transition} by {role} in {}: {broken}", deal.stage()),
    }
}

fn code(refusal: &Refusal, transition: Transition) -> &'static str {
    if let Refusal::WrongRole { transition: named, .. } | Refusal::WrongStage { transition: named, .. } = refusal {
        // The same words for a party and for an operator, or before and after payment.
        let twins: [&[Transition]; 5] = [
            &[Transition::AddPayment, Transition::Fund],
            &[Transition::Release, Transition::OperatorRelease],
            &[Transition::Refund, Transition::OperatorRefund],
            &[Transition::Cancel, Transition::Withdraw, Transition::AskCancel, Transition::AgreeCancel],
            &[Transition::AskExtend, Transition::Extend],
        ];
        let twin = twins.iter().any(|same| same.contains(named) && same.contains(&transition));
        assert!(*named == transition || twin, "{transition} was refused as {named}");
    }
    refusal.code()
}

/// Rows of the table that a deal of one milestone cannot show, each with its reason.
fn cannot_show(transition: Transition, stage: Stage) -> Option<&'static str> {
    match (transition, stage) {
        (Transition::AbsorbPayment, Stage::Pending) => Some("the first capture of a deal that waits funds it"),
        (
            Transition::Freeze
            | Transition::Unfreeze
            | Transition::Chargeback
            | Transition::LoseChargeback
            | Transition::CreditWallet,
            Stage::Pending,
        ) => Some("nothing was captured, so no bank and no wallet has anything to do with it"),
        (Transition::Unfreeze, stage) if stage.is_final() => Some("an operator freezes only what is not over"),
        (Transition::AbsorbRefund, Stage::Pending | Stage::Cancelled | Stage::Expired) => Some("nothing was captured"),
        (Transition::AbsorbRefund, Stage::Refunded) => Some("our own refund explains the total"),
        (
            Transition::ConfirmRefund | Transition::FailRefund | Transition::LookUp | Transition::Resolve,
            Stage::Pending,
        ) => Some("nothing was captured, so nothing goes back"),
        _ => None,
    }
}

/// Whether `after` is where the table says that the money of a deal of one milestone goes.
fn agrees(to: To, transition: Transition, before: Stage, after: Stage) -> bool {
    match to {
        // Facts about refunds of what fitted no milestone, or about money that is no longer here, leave the milestone where it is.
        To::Becomes(stage) => {
            let about_refunds = matches!(
                transition,
                Transition::ConfirmRefund
                    | Transition::FailRefund
                    | Transition::AbsorbRefund
                    | Transition::LoseChargeback
            );
            after == stage || (about_refunds && after == before)
        }
        To::Settles if transition == Transition::Resolve => after == before || after == Stage::Refunded,
        To::Settles => matches!(after, Stage::Released | Stage::Refunding),
        To::Returns => after == Stage::Delivered,
        To::Stays => after == before,
    }
}

const LEGEND: &str = "\
A column for every stage; in it the stage after the transition, a refusal's code, or
  -        refused: not from this stage        (other)  the same words are another transition here
  .        nothing happens                     misfit   a fact that fits nothing

";

#[test]
fn every_stage_and_transition_and_actor_does_what_the_table_says() {
    let mut text = String::from(LEGEND);
    let line: String = Stage::ALL.iter().map(|stage| format!("{:<11}", stage.as_str())).collect();
    writeln!(text, "    {}", line.trim_end()).unwrap();
    let mut excused = BTreeSet::new();
    for transition in Transition::ALL {
        if *transition == Transition::Create {
            continue;
        }
        // Actors who meet the same are one line.
        let mut lines: BTreeMap<Vec<String>, Vec<Role>> = BTreeMap::new();
        for role in Role::ALL {
            let mut cells = Vec::new();
            for stage in Stage::ALL {
                let cell = attempt(*transition, *role, *stage);
                match permission(*transition, *role, &[*stage]) {
                    Permission::Granted(to) => match &cell {
                        Cell::Did(after) => {
                            assert!(agrees(to, *transition, *stage, *after), "{transition} {role} {stage}: {cell:?}");
                        }
                        _ => {
                            let why = cannot_show(*transition, *stage);
                            assert!(why.is_some(), "{transition} {role} {stage} should be possible: {cell:?}");
                            excused.insert((*transition, *stage));
                        }
                    },
                    Permission::WrongStage | Permission::WrongActor => {
                        assert!(!matches!(cell, Cell::Did(_)), "{transition} {role} {stage} must not be: {cell:?}");
                    }
                }
                cells.push(cell.text());
            }
            lines.entry(cells).or_default().push(*role);
        }
        let mut lines: Vec<_> = lines.into_iter().map(|(cells, roles)| (roles, cells)).collect();
        lines.sort();
        writeln!(text, "{transition}").unwrap();
        for (roles, cells) in lines {
            let roles = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ");
            if cells.iter().all(|cell| *cell == cells[0]) {
                writeln!(text, "  {roles}: {}", cells[0]).unwrap();
            } else {
                writeln!(text, "  {roles}").unwrap();
                let line: String = cells.iter().map(|cell| format!("{cell:<11}")).collect();
                writeln!(text, "    {}", line.trim_end()).unwrap();
            }
        }
    }
    for transition in Transition::ALL {
        for stage in Stage::ALL {
            if cannot_show(*transition, *stage).is_some() {
                assert!(excused.contains(&(*transition, *stage)), "{transition} from {stage} needs no excuse any more");
            }
        }
    }
    insta::assert_snapshot!(text);
}
