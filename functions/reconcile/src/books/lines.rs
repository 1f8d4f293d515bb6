//! One wallet by itself: its lines one by one, and its payouts.

use super::statements::{Lines, Payouts};
use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::Wallet;
use escrow_store::lists::ListError;
use escrow_store::owners;
use escrow_store::{Store, StoreError};

/// Lines, or payouts, of one read.
const PAGE: u8 = 100;
/// A wallet that moves while its payouts are read is read anew, so often.
const MOST_ROUNDS: u8 = 5;

/// Reads a wallet with its lines and payouts: the sum of what its lines from before the cutoff tell, and what does not hold. `None` if the
/// wallet cannot be read: that was told of where it stands, and its lines cannot be judged without it.
pub(super) async fn read(
    store: &Store,
    owner: &UserId,
    currency: Currency,
    cutoff: Option<Timestamp>,
) -> Result<Option<(u128, Vec<String>)>, StoreError> {
    let mut broken = Vec::new();
    let wallet = match store.wallet(owner, currency).await {
        Ok(wallet) => wallet,
        Err(StoreError::Unreadable(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    if wallet.version == 0 {
        broken.push("it is not there".to_owned());
    }
    if !wallet.available.is_zero() && !wallet.debt.is_zero() {
        broken.push("money is available while there is debt".to_owned());
    }
    let told = lines(store, &wallet, cutoff, &mut broken).await?;
    if let Some(what) = payouts(store, wallet).await? {
        broken.push(what);
    }
    Ok(Some((told, broken)))
}

/// From what stands in the wallet back to nothing.
async fn lines(
    store: &Store,
    wallet: &Wallet,
    cutoff: Option<Timestamp>,
    broken: &mut Vec<String>,
) -> Result<u128, StoreError> {
    let (mut balance, mut left) = (wallet.balance(), wallet.lines);
    let mut sums = Lines::default();
    let mut cursor: Option<String> = None;
    loop {
        let page = match store.statement_of(wallet, 0..wallet.lines, PAGE, cursor.as_deref()).await {
            Ok(page) => page,
            Err(ListError::Store(error)) => return Err(error),
            Err(ListError::Cursor(error)) => {
                broken.push(error.to_string());
                break;
            }
        };
        for line in page.items {
            let line = match line {
                Ok(line) => line,
                Err(unreadable) => {
                    broken.push(unreadable.to_string());
                    left = left.saturating_sub(1);
                    continue;
                }
            };
            left = left.saturating_sub(1);
            if line.number != left {
                broken.push(format!("line {left} is missing"));
                left = line.number;
            }
            if line.after != balance || line.before.checked_add(line.units) != Some(line.after) {
                broken.push(format!("line {} does not lead to what follows it", line.number));
            }
            balance = line.before;
            sums.take(&line, cutoff.is_none_or(|cutoff| line.at < cutoff));
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if left != 0 {
        broken.push(format!("line {} is missing", left.saturating_sub(1)));
    } else if balance != 0 {
        broken.push("its first line does not begin with nothing".to_owned());
    }
    if wallet.earned.units() != sums.earned {
        broken.push("what was earned is not what its lines sum up to".to_owned());
    }
    Ok(sums.told)
}

/// What it has reserved and paid out is what its payouts say, as long as neither moves in between.
async fn payouts(store: &Store, mut wallet: Wallet) -> Result<Option<String>, StoreError> {
    for _round in 0..MOST_ROUNDS {
        let mut sums = Payouts::default();
        let mut cursor: Option<String> = None;
        loop {
            let list = owners::Payouts::Of(wallet.owner.clone());
            let page = match store.payouts(&list, PAGE, cursor.as_deref()).await {
                Ok(page) => page,
                Err(ListError::Store(error)) => return Err(error),
                Err(ListError::Cursor(error)) => return Ok(Some(error.to_string())),
            };
            let readable = page.items.iter().filter_map(|payout| payout.escrow.as_ref().ok());
            readable.filter(|payout| payout.money.currency == wallet.currency).for_each(|payout| sums.take(payout));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let stands = store.wallet(&wallet.owner, wallet.currency).await?;
        if stands.version == wallet.version {
            let has = Payouts::of(&wallet);
            return Ok(match (has.reserved == sums.reserved, has.gone == sums.gone) {
                (true, true) => None,
                (false, _) => Some("what it has reserved is not what its payouts reserve".to_owned()),
                (true, false) => Some("what was withdrawn is not what its payouts have paid out".to_owned()),
            });
        }
        wallet = stands;
    }
    // It never stands still: what it has is told by a later run.
    Ok(None)
}
