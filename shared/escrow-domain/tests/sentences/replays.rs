//! The same again, and who may ask at all.

use crate::fixture::{
    Deal, actor, cancel, deliver, delivered, dispute, disputed, freeze, held, in_review, minor, name_of, pending,
    refund, release, request_changes, resolve, rule, unfreeze, user, withdraw_dispute,
};
use escrow_domain::command::{Attempt, Command, RefundOutcome, Resolution};
use escrow_domain::decide::{self, Outcome};
use escrow_domain::dispute::Evidence;
use escrow_domain::escrow::MOST_OPERATIONS;
use escrow_domain::id::Operation;
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::{Role, Stage, Transition, rows};
use escrow_domain::refusal::{Refusal, Undecided};
use escrow_domain::time::Period;

fn attempt(body: &[u8]) -> Attempt {
    let operation = Operation::of_person("issuer", "usr_buyer", "POST", "/release", "key", body);
    Attempt { command: release(None), actor: actor(Role::Buyer), operation }
}

#[test]
fn a_replay_is_answered_before_any_rule() {
    let mut deal = delivered();
    let Ok(Outcome::Changed(change)) = decide::decide(&deal.escrow, &attempt(b"{}"), deal.moment()) else {
        panic!("released")
    };
    deal.commit(*change);
    // By now the stage is another, and time has passed.
    deal.wait(Period::days(100));
    assert_eq!(decide::decide(&deal.escrow, &attempt(b"{}"), deal.moment()), Ok(Outcome::AlreadyDone));
}

#[test]
fn the_same_key_with_another_body_is_refused() {
    let mut deal = delivered();
    let Ok(Outcome::Changed(change)) = decide::decide(&deal.escrow, &attempt(b"{}"), deal.moment()) else {
        panic!("released")
    };
    deal.commit(*change);
    let other = decide::decide(&deal.escrow, &attempt(b"{\"amount\":\"1.00\"}"), deal.moment());
    assert_eq!(other, Err(Undecided::Refused(Refusal::KeyReused)));
}

#[test]
fn a_refused_attempt_leaves_no_trace_so_its_key_can_be_used_again() {
    let mut deal = pending();
    assert!(decide::decide(&deal.escrow, &attempt(b"{}"), deal.moment()).is_err());
    deal.page_opened().paid();
    assert!(matches!(decide::decide(&deal.escrow, &attempt(b"{}"), deal.moment()), Ok(Outcome::Changed(_))));
}

#[test]
fn terminal_states_have_no_way_out() {
    let ended: [fn() -> Deal; 5] = [
        || with(held(), Role::Buyer, release(None)),
        || {
            let mut deal = with(held(), Role::Seller, refund(None));
            deal.refunded(0, RefundOutcome::Succeeded);
            deal
        },
        || {
            let mut deal = with(held(), Role::Buyer, release(Some(1)));
            deal.act(Role::Seller, refund(None)).refunded(0, RefundOutcome::Succeeded);
            deal
        },
        || with(pending(), Role::Seller, cancel()),
        || {
            let mut deal = pending();
            deal.sleep_until_due().tick();
            deal
        },
    ];
    let stages: Vec<Stage> = ended.iter().map(|deal| deal().stage()).collect();
    assert_eq!(stages, [Stage::Released, Stage::Refunded, Stage::Split, Stage::Cancelled, Stage::Expired]);
    for deal in ended {
        let mut deal = deal();
        let money = deal.escrow.milestones[0].money;
        for role in [Role::Buyer, Role::Seller, Role::Arbiter, Role::Operator, Role::Platform] {
            for command in [
                cancel(),
                deliver(),
                request_changes(),
                release(None),
                refund(None),
                dispute(None),
                withdraw_dispute(),
                rule(0),
                freeze(),
                unfreeze(),
                resolve(Resolution::Retry),
            ] {
                // Lifting a freeze that is not there is all that the table leaves to an operator.
                assert!(matches!(deal.try_as(role, command), Err(Undecided::Refused(_))));
            }
        }
        deal.wait(Period::days(1_000)).tick();
        assert_eq!(deal.escrow.milestones[0].money, money);
    }
}

fn with(mut deal: Deal, role: Role, command: Command) -> Deal {
    deal.act(role, command);
    deal
}

#[test]
fn only_the_parties_themselves_act_as_parties() {
    let deal = delivered();
    for (role, sub) in [(Role::Buyer, "usr_seller"), (Role::Buyer, "usr_other"), (Role::Seller, "usr_buyer")] {
        let operation = Operation::of_person("issuer", sub, "POST", "/release", "key", b"{}");
        let attempt = Attempt { command: release(None), actor: Actor::person(role, user(sub)), operation };
        let refused = decide::decide(&deal.escrow, &attempt, deal.moment());
        assert_eq!(refused, Err(Undecided::Refused(Refusal::Stranger)), "{sub} as {role}");
    }
}

#[test]
fn an_arbiter_may_not_rule_on_their_own_escrow() {
    let mut deal = disputed();
    deal.wait(Period::days(3));
    for (role, command) in [(Role::Arbiter, rule(0)), (Role::Operator, release(None))] {
        for sub in ["usr_buyer", "usr_seller"] {
            let operation = Operation::of_person("issuer", sub, "POST", "/rule", "key", b"{}");
            let attempt = Attempt { command: command.clone(), actor: Actor::person(role, user(sub)), operation };
            let refused = decide::decide(&deal.escrow, &attempt, deal.moment());
            assert_eq!(refused, Err(Undecided::Refused(Refusal::OwnEscrow)), "{sub} as {role}");
        }
    }
}

#[test]
fn a_full_list_refuses_what_can_be_done_again_and_again_and_nothing_else() {
    let mut deal = delivered();
    let filler = Operation::of_person("issuer", "x", "POST", "/x", "x", b"");
    deal.escrow.journal.operations.resize(MOST_OPERATIONS + 1, filler);
    assert_eq!(deal.refusal(Role::Buyer, release(Some(1))), Refusal::Full { what: "operations" });
    for command in [release(None), dispute(None), request_changes()] {
        assert!(deal.try_as(Role::Buyer, command).is_ok(), "the lifecycle bounds it");
    }
    let capture = deal.capture_of(0, "pi_late");
    assert!(matches!(deal.try_fact(&capture), Ok(Outcome::Changed(_))));
    deal.wait(Period::days(7));
    let tick = Attempt { command: Command::Tick, actor: Actor::clock(), operation: filler };
    assert!(matches!(decide::decide(&deal.escrow, &tick, deal.moment()), Ok(Outcome::Changed(_))));
}

#[test]
fn a_list_one_short_of_full_takes_one_more() {
    let mut deal = delivered();
    let filler = Operation::of_person("issuer", "x", "POST", "/x", "x", b"");
    deal.escrow.journal.operations.resize(MOST_OPERATIONS - 1, filler);
    assert!(deal.try_as(Role::Buyer, release(Some(1))).is_ok());
}

#[test]
fn too_much_evidence_is_refused() {
    let deal = delivered();
    let piece = Evidence {
        kind: "screenshot".to_owned(),
        uri: "https://example.com/1".to_owned(),
        sha256: None,
        note: None,
        by: Role::Buyer,
        at: deal.now,
    };
    let with = |pieces: usize| Command::Dispute {
        milestone: None,
        amount: None,
        reason: "broken".to_owned(),
        evidence: vec![piece.clone(); pieces],
    };
    assert!(deal.try_as(Role::Buyer, with(10)).is_ok());
    assert_eq!(deal.refusal(Role::Buyer, with(11)), Refusal::Full { what: "evidence" });
}

#[test]
fn an_operator_gives_a_reason() {
    let silent = [
        (pending(), Command::Cancel { milestone: None, reason: None }),
        (held(), Command::Release { milestone: None, amount: None, reason: None }),
        (held(), Command::Refund { milestone: None, amount: None, reason: None }),
    ];
    for (deal, command) in silent {
        assert_eq!(deal.refusal(Role::Operator, command), Refusal::ReasonRequired);
    }
    // The parties need none.
    let quiet = Command::Release { milestone: None, amount: None, reason: None };
    assert!(held().try_as(Role::Buyer, quiet).is_ok());
}

#[test]
fn a_gateways_fact_is_no_persons_to_tell() {
    let deal = pending();
    let fact = deal.capture_of(0, "pi_1");
    for role in [Role::Buyer, Role::Seller, Role::Operator, Role::Platform, Role::Clock] {
        let operation = name_of(&fact);
        let attempt = Attempt { command: Command::Fact(fact.clone()), actor: actor(role), operation };
        let refused = decide::decide(&deal.escrow, &attempt, deal.moment());
        assert_eq!(refused, Err(Undecided::Refused(Refusal::Stranger)), "{role}");
    }
}

#[test]
fn a_command_about_one_of_several_milestones_names_it() {
    let mut deal = Deal::created(&crate::fixture::Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened().paid();
    assert_eq!(deal.refusal(Role::Buyer, release(None)), Refusal::MilestoneRequired);
    let named = |milestone| Command::Release { milestone: Some(milestone), amount: None, reason: None };
    assert_eq!(deal.refusal(Role::Buyer, named(2)), Refusal::MilestoneUnknown);
    deal.act(Role::Buyer, named(1));
    assert_eq!(deal.escrow.milestones[1].money.released, minor(20_000));
    assert_eq!(deal.escrow.milestones[0].money.released, minor(0));
}

#[test]
fn what_is_refused_says_what_stands_in_the_way() {
    assert_eq!(
        held().refusal(Role::Buyer, request_changes()),
        Refusal::WrongStage { transition: Transition::RequestChanges, stage: Stage::Held }
    );
    assert_eq!(
        held().refusal(Role::Seller, dispute(None)),
        Refusal::WrongRole { transition: Transition::Dispute, role: Role::Seller }
    );
    assert_eq!(in_review().refusal(Role::Buyer, release(None)), Refusal::InReview);
    // No row of the table lets the seller, an arbiter or an operator say that money arrived.
    let funds = [Role::Gateway, Role::Buyer, Role::Platform];
    assert!(rows(Transition::Fund).iter().all(|row| funds.contains(&row.actor)));
}
