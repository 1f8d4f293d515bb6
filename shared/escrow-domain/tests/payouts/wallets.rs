//! Wallets: any moves in any order, and two that ask at once.

use super::purse::{LIMITS, code, money, named, new_payout, owner, wallet_of};
use crate::fixture::{START, actor, minor, sar};
use escrow_domain::decide::Moment;
use escrow_domain::id::{EscrowId, PayoutId};
use escrow_domain::lifecycle::Role;
use escrow_domain::payout::{self, NewPayout, Rail};
use escrow_domain::wallet::{LineKind, MovedBy, Wallet, WalletMove, WalletRefusal};
use proptest::prelude::*;

fn moved(kind: LineKind, units: i64, entry: u32) -> WalletMove {
    let of = MovedBy::Escrow(EscrowId::derive("r", "i", "s", "k"));
    WalletMove { owner: owner(), currency: sar(), amount: minor(units), kind, of, entry, at: START }
}

/// What a move is to the ledger: credits to the wallet less debits, in minor units.
const fn of_ledger(kind: LineKind, units: i64) -> i64 {
    match kind {
        LineKind::Release
        | LineKind::Refund
        | LineKind::TopUp
        | LineKind::ChargebackWon
        | LineKind::PayoutFailed
        | LineKind::PayoutReturned => units,
        LineKind::Funding | LineKind::Chargeback | LineKind::TopUpRefunded | LineKind::Payout => -units,
        LineKind::PayoutPaid => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_wallet_is_the_sum_of_its_lines_and_nothing_in_it_is_ever_below_zero(
        moves in proptest::collection::vec((0..LineKind::ALL.len(), 1_i64..5_000), 1..60)
    ) {
        let mut wallet = Wallet::empty(owner(), sar());
        let (mut ledger, mut earned, mut under_way, mut withdrawn) = (0, 0, 0, 0);
        let mut lines = Vec::new();
        for (entry, (kind, units)) in (0_u32..).zip(moves) {
            let kind = LineKind::ALL[kind];
            // Payouts end only as far as they were asked for; that is the payout's to know.
            let fits = match kind {
                LineKind::PayoutPaid | LineKind::PayoutFailed => units <= under_way,
                LineKind::PayoutReturned => units <= withdrawn,
                LineKind::Release | LineKind::Refund | LineKind::TopUp | LineKind::ChargebackWon | LineKind::Funding
                | LineKind::Chargeback | LineKind::TopUpRefunded | LineKind::Payout => true,
            };
            let spends = matches!(kind, LineKind::Funding | LineKind::Payout);
            match wallet.moved(&moved(kind, units, entry)) {
                Ok((after, line)) => {
                    prop_assert!(fits && (!spends || units <= wallet.available.units()), "{kind} of {units}: {wallet:?}");
                    prop_assert_eq!(after.version, wallet.version + 1);
                    prop_assert_eq!(line.is_none(), after.balance() == wallet.balance());
                    lines.extend(line);
                    ledger += of_ledger(kind, units);
                    match kind {
                        LineKind::Release => earned += units,
                        LineKind::Payout => under_way += units,
                        LineKind::PayoutFailed => under_way -= units,
                        LineKind::PayoutPaid => { under_way -= units; withdrawn += units; }
                        LineKind::PayoutReturned => withdrawn -= units,
                        LineKind::Refund | LineKind::TopUp | LineKind::ChargebackWon | LineKind::Funding
                        | LineKind::Chargeback | LineKind::TopUpRefunded => {}
                    }
                    wallet = after;
                }
                Err(WalletRefusal::Insufficient { available }) => {
                    prop_assert!(spends && units > available.units());
                }
                // A payout that ends without having been asked for is a bug, never a balance below zero.
                Err(WalletRefusal::Broken) => prop_assert!(!fits),
                Err(WalletRefusal::OnHold { .. }) => prop_assert!(false, "nobody held it"),
            }
            prop_assert_eq!(wallet.balance(), ledger);
            prop_assert_eq!((wallet.earned.units(), wallet.pending.units(), wallet.withdrawn.units()), (earned, under_way, withdrawn));
            prop_assert!(wallet.debt.is_zero() || wallet.available.is_zero(), "debt is paid before anything is available");
        }
        let mut balance = 0;
        for (number, line) in (0_u64..).zip(&lines) {
            prop_assert_eq!((line.number, line.before), (number, balance), "the lines are a chain");
            prop_assert_eq!(line.before + line.units, line.after);
            balance = line.after;
        }
        let count = u64::try_from(lines.len()).unwrap();
        prop_assert_eq!((balance, wallet.lines), (wallet.balance(), count));
    }
}

#[test]
fn of_two_that_ask_at_once_the_second_is_told_what_is_left() {
    let wallet = wallet_of(10_000);
    let ask = |key: &str, wallet: &Wallet| {
        let id = PayoutId::derive("POST /v1/wallets/usr_seller/payouts", "issuer", "usr_seller", key);
        let new = NewPayout { id, ..new_payout(8_000, Rail::ByHand) };
        payout::ask(&new, wallet, &LIMITS, actor(Role::Seller), named(key), Moment { at: START, epoch: 0 })
    };
    // Both have read the same wallet, and both may.
    let (first, second) = (ask("1", &wallet).unwrap(), ask("2", &wallet).unwrap());
    let (after, line) = wallet.moved(&first.moves[0]).unwrap();
    assert_eq!(line.unwrap().units, -8_000);
    // The second commits on the wallet that stands there then.
    let refused = after.moved(&second.moves[0]).unwrap_err();
    assert_eq!(refused, WalletRefusal::Insufficient { available: minor(2_000) });
    assert_eq!(code(&ask("2", &after)), "insufficient_funds");
    assert_eq!(money(2_000).to_string(), "20.00");
}

#[test]
fn a_hold_stops_what_the_owner_spends_and_no_fact() {
    let wallet = wallet_of(10_000).held(Some("a break")).unwrap();
    for kind in LineKind::ALL {
        let held = matches!(wallet.moved(&moved(*kind, 1, 0)), Err(WalletRefusal::OnHold { .. }));
        assert_eq!(held, matches!(kind, LineKind::Funding | LineKind::Payout), "{kind}");
    }
}
