//! Both sides are reminded before a clock runs out: once, and only where there is time for it.

use crate::fixture::{
    Deal, Offer, deliver, delivered, dispute, disputed, extend, freeze, held, held_as, release, request_changes,
    unfreeze, withdraw_dispute,
};
use escrow_domain::journal::Part;
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::policy::Kind;
use escrow_domain::time::{Period, Timestamp};

/// Lets time pass, tick by tick, until nothing of the first milestone runs any more; when what happened.
fn live(deal: &mut Deal) -> Vec<(Timestamp, Transition)> {
    let known = deal.escrow.journal.len();
    while deal.stage() != Stage::Refunding && !deal.stage().is_final() {
        deal.now = deal.now.max(deal.escrow.due_at().unwrap());
        deal.tick();
    }
    let new = &deal.escrow.journal.entries[known..];
    new.iter().map(|entry| (entry.at, entry.transition)).collect()
}

#[test]
fn a_day_before_release_delivery_and_default_both_sides_are_reminded_once() {
    // Each: a deal, how long its clock runs from now, and what the clock does then.
    type Clock = (fn() -> Deal, Period, Transition);
    let deals: [Clock; 3] = [
        (delivered, Period::days(7), Transition::AutoRelease),
        (held, Period::days(30), Transition::MissDelivery),
        (disputed, Period::days(30), Transition::DefaultDispute),
    ];
    for (deal, clock, what) in deals {
        let mut deal = deal();
        let deadline = deal.now.after(clock);
        let happened = live(&mut deal);
        assert_eq!(happened, [(deadline.before(Period::days(1)), Transition::Remind), (deadline, what)]);
        let reminder = deal.escrow.journal.entries.iter().find(|entry| entry.transition == Transition::Remind);
        assert_eq!(reminder.and_then(|entry| entry.reference.clone()), Some(deadline.to_string()), "of which moment");
    }
}

#[test]
fn a_reminder_names_what_it_is_about() {
    let mut deal = delivered();
    deal.act(Role::Buyer, dispute(Some(4_000)));
    live(&mut deal);
    let about: Vec<_> = deal.reminders().into_iter().map(|(_, part)| part).collect();
    assert_eq!(about, [Some(Part::Milestone(0)), Some(Part::Dispute(0))]);
}

#[test]
fn nobody_is_reminded_of_a_deadline_set_less_than_two_days_ahead() {
    for (hours, reminded) in [(47, false), (48, true)] {
        let mut offer = Offer::of(Kind::Service);
        offer.policy.auto_release_after = Period::hours(hours);
        let mut deal = held_as(&offer);
        deal.act(Role::Seller, deliver());
        let happened = live(&mut deal);
        assert_eq!(happened.iter().any(|(_, what)| *what == Transition::Remind), reminded, "{hours}");
    }
    let mut product = held_as(&Offer::of(Kind::Product));
    assert_eq!(product.escrow.due_at(), Some(product.now), "a product is released at once, with no word before");
    product.tick();
    assert!(product.reminders().is_empty());
}

#[test]
fn another_deadline_has_a_reminder_of_its_own() {
    let mut deal = delivered();
    deal.wait(Period::days(6)).tick();
    assert_eq!(deal.reminders().len(), 1);
    deal.act(Role::Buyer, request_changes());
    live(&mut deal);
    assert_eq!(deal.reminders().len(), 2);
    // Moved before anybody was reminded, it is one deadline and one reminder.
    let mut deal = held();
    let until = deal.escrow.milestones[0].deliver_by.unwrap().after(Period::days(5));
    deal.act(Role::Buyer, extend(Some(until)));
    live(&mut deal);
    assert_eq!(deal.reminders(), [(until.before(Period::days(1)), Some(Part::Milestone(0)))]);
}

#[test]
fn what_a_withdrawn_dispute_leaves_is_too_little_for_a_reminder() {
    let mut deal = delivered();
    deal.wait(Period::hours(7 * 24 - 1)).tick();
    deal.act(Role::Buyer, dispute(None)).act(Role::Buyer, withdraw_dispute());
    live(&mut deal);
    assert_eq!(deal.reminders().len(), 1, "only the one before the dispute");
}

#[test]
fn a_stop_postpones_a_reminder_and_does_not_repeat_it() {
    let mut deal = delivered();
    let deadline = deal.escrow.milestones[0].auto_release_at.unwrap().after(Period::days(50));
    deal.wait(Period::days(5)).act(Role::Operator, freeze()).wait(Period::days(50));
    deal.tick();
    assert!(deal.reminders().is_empty());
    deal.act(Role::Operator, unfreeze());
    let happened = live(&mut deal);
    assert_eq!(happened, [(deadline.before(Period::days(1)), Transition::Remind), (deadline, Transition::AutoRelease)]);
    // Given before the stop, it is not given again.
    let mut deal = delivered();
    deal.wait(Period::days(6)).tick();
    deal.act(Role::Operator, freeze()).wait(Period::days(50)).act(Role::Operator, unfreeze());
    live(&mut deal);
    assert_eq!(deal.reminders().len(), 1);
}

#[test]
fn a_clock_that_comes_late_does_without_the_reminder() {
    let mut deal = delivered();
    deal.wait(Period::days(8));
    assert!(deal.tick());
    assert!(deal.reminders().is_empty());
    assert_eq!(deal.stage(), Stage::Released);
}

#[test]
fn of_what_is_no_longer_held_nobody_is_reminded() {
    let mut deal = delivered();
    deal.act(Role::Buyer, release(None));
    assert_eq!(deal.escrow.due_at(), None);
}

#[test]
fn every_milestone_and_every_dispute_has_its_own_reminder() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened().paid();
    for milestone in [0, 1] {
        let reason = "broken".to_owned();
        let amount = Some(crate::fixture::minor(1_000));
        let evidence = Vec::new();
        deal.act(
            Role::Buyer,
            escrow_domain::command::Command::Dispute { milestone: Some(milestone), amount, reason, evidence },
        );
    }
    // All four deadlines are at the same moment, and none takes another's reminder for its own.
    live(&mut deal);
    let mut about: Vec<_> = deal.reminders().into_iter().map(|(_, part)| part).collect();
    about.sort_by_key(|part| format!("{part:?}"));
    assert_eq!(about, [Part::Dispute(0), Part::Dispute(1), Part::Milestone(0), Part::Milestone(1)].map(Some));
}
