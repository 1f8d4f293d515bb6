//! Money that comes back after it had left, and what the owner is shown of the bank.

use super::purse::{Purse, STRIPE, code, money};
use crate::fixture::minor;
use escrow_domain::payout::{BankState, BankStatus, PayoutFact, PayoutStatus, TransferOutcome};
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::wallet::LineKind;

#[test]
fn a_transfer_comes_back_weeks_later_in_parts_and_each_part_once() {
    let mut purse = Purse::at(PayoutStatus::Paid);
    purse.wait(Period::days(40));
    assert!(purse.reversed("trr_1", 5_000));
    assert_eq!((purse.payout.status, purse.wallet.available), (PayoutStatus::Paid, minor(35_000)));
    assert!(!purse.reversed("trr_1", 5_000), "the same reversal again changes nothing");
    assert!(purse.reversed("trr_2", 20_000));
    assert_eq!((purse.payout.status, purse.wallet.available), (PayoutStatus::Returned, minor(50_000)));
    assert_eq!(purse.payout.reason.as_deref(), Some("the account was closed"));
    assert_eq!(purse.wallet.withdrawn, minor(0));
}

#[test]
fn reversals_in_any_order_come_to_the_same() {
    let mut purse = Purse::at(PayoutStatus::Paid);
    assert!(purse.reversed("trr_2", 12_000), "the second part is told first");
    assert!(!purse.reversed("trr_1", 5_000), "it is in that total");
    assert_eq!((purse.payout.returned, purse.wallet.available), (minor(12_000), minor(42_000)));
}

#[test]
fn a_transfer_that_came_back_before_we_heard_that_it_had_left_is_both() {
    for status in [PayoutStatus::Ready, PayoutStatus::Sending, PayoutStatus::Review] {
        let mut purse = Purse::at(status);
        assert!(purse.reversed("trr_1", 20_000), "{status}");
        assert_eq!((purse.payout.status, purse.wallet.available), (PayoutStatus::Returned, minor(50_000)), "{status}");
        assert!(!purse.sent(), "the answer comes late");
        assert_eq!(purse.payout.due_at(), None);
    }
}

#[test]
fn more_than_was_sent_or_of_a_payout_that_never_left_does_not_come_back() {
    assert_eq!(code(&Purse::at(PayoutStatus::Paid).reversal("trr_1", 20_001)), "misfit");
    for status in [PayoutStatus::Approval, PayoutStatus::Owed, PayoutStatus::Failed, PayoutStatus::Rejected] {
        assert_eq!(code(&Purse::at(status).reversal("trr_1", 20_000)), "misfit", "{status}");
    }
    let paid = Purse::at(PayoutStatus::Paid);
    let other = PayoutFact::Reversed {
        gateway: STRIPE,
        reference: "tr_2".to_owned(),
        money: money(20_000),
        total: money(20_000),
        reason: None,
    };
    assert_eq!(code(&paid.told("trr_1", "reversed", other)), "misfit", "that is another transfer");
}

#[test]
fn a_gateway_that_says_after_success_that_it_failed_brings_all_of_it_back() {
    let mut purse = Purse::at(PayoutStatus::Paid);
    assert!(purse.reversed("trr_1", 5_000));
    assert!(purse.failed("the bank did not take it"));
    assert_eq!((purse.payout.status, purse.wallet.available), (PayoutStatus::Returned, minor(50_000)));
    // The late refusal of another request says nothing about the one that paid.
    let purse = Purse::at(PayoutStatus::Paid);
    let refusal = purse.transfer("tr_0", TransferOutcome::Failed("no".to_owned()));
    assert!(matches!(refusal, Ok(escrow_domain::decide::Outcome::AlreadyDone)));
}

#[test]
fn what_comes_back_pays_debt_first() {
    let mut purse = Purse::at(PayoutStatus::Paid);
    let chargeback = escrow_domain::wallet::WalletMove {
        owner: purse.wallet.owner.clone(),
        currency: purse.wallet.currency,
        amount: minor(40_000),
        kind: LineKind::Chargeback,
        of: escrow_domain::wallet::MovedBy::Escrow(escrow_domain::id::EscrowId::derive("r", "i", "s", "k")),
        entry: 1,
        at: purse.now,
    };
    purse.wallet = purse.wallet.moved(&chargeback).unwrap().0;
    assert_eq!((purse.wallet.available, purse.wallet.debt), (minor(0), minor(10_000)));
    let Ok(escrow_domain::decide::Outcome::Changed(change)) = purse.reversal("trr_1", 15_000) else { panic!() };
    let after = purse.wallet.moved(&change.moves[0]).unwrap().0;
    assert_eq!((after.available, after.debt), (minor(5_000), minor(0)));
}

#[test]
fn what_a_bank_does_is_shown_and_moves_no_money() {
    let mut purse = Purse::at(PayoutStatus::Paid);
    let entries = purse.payout.journal.len();
    let bank = |status, second| BankState {
        status,
        reference: "po_1".to_owned(),
        reason: Some("no_account".to_owned()),
        told_at: Timestamp::from_seconds(second),
    };
    let tell = |purse: &mut Purse, status, second| {
        let told = purse.told("po_1", &format!("{status} {second}"), PayoutFact::Bank(bank(status, second)));
        purse.commit(told)
    };
    assert!(tell(&mut purse, BankStatus::Paid, 10));
    assert!(!tell(&mut purse, BankStatus::Pending, 10), "of one second, the later in its life counts");
    assert!(!tell(&mut purse, BankStatus::Failed, 9), "older news");
    assert!(tell(&mut purse, BankStatus::Failed, 11), "a bank may send it back after all");
    assert_eq!(purse.payout.bank, Some(bank(BankStatus::Failed, 11)));
    assert_eq!((purse.payout.status, purse.payout.journal.len()), (PayoutStatus::Paid, entries));
}
