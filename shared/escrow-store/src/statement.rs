//! Statements by time: which lines there were at a moment.
//!
//! Lines are numbered without a gap and never change, so a moment is found by halving: a wallet with a million lines takes twenty reads.
//! They are numbered in the order of their commits; where two functions' clocks differ, neighbours may tell their times the other way
//! round, so a moment is exact but for that.

use crate::cursor;
use crate::error::{StoreError, Unreadable};
use crate::items;
use crate::keys;
use crate::lists::{ListError, Listed, STATEMENT};
use crate::store::Store;
use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::{Wallet, WalletLine};
use std::ops::Range;

impl Store {
    /// One line of a statement.
    ///
    /// # Errors
    /// As for [`Store::escrow`].
    pub async fn line(
        &self,
        owner: &UserId,
        currency: Currency,
        number: u64,
    ) -> Result<Option<WalletLine>, StoreError> {
        let key = keys::wallet_line(owner, currency, number);
        let item = self.table.get(&key).await?;
        Ok(item.map(|item| items::to_line(item, &key)).transpose()?)
    }

    /// How many lines of a wallet's statement are older than this moment.
    ///
    /// # Errors
    /// As for [`Store::escrow`]; a line that is missing is [`StoreError::Unreadable`].
    pub async fn lines_before(&self, wallet: &Wallet, at: Timestamp) -> Result<u64, StoreError> {
        let (mut older, mut end) = (0, wallet.lines);
        while older < end {
            let middle = older.midpoint(end);
            if self.present_line(wallet, middle).await?.at < at {
                older = middle.saturating_add(1);
            } else {
                end = middle;
            }
        }
        Ok(older)
    }

    /// The last line up to and with this moment; its balance is what there was. `None` before the first.
    ///
    /// # Errors
    /// As for [`Store::lines_before`].
    pub async fn line_at(&self, wallet: &Wallet, at: Timestamp) -> Result<Option<WalletLine>, StoreError> {
        let after = Timestamp::from_millis(at.as_millis().saturating_add(1));
        match self.lines_before(wallet, after).await?.checked_sub(1) {
            Some(number) => self.present_line(wallet, number).await.map(Some),
            None => Ok(None),
        }
    }

    /// A page of the lines with these numbers, newest first.
    ///
    /// # Errors
    /// As for [`Store::statement`].
    pub async fn statement_of(
        &self,
        wallet: &Wallet,
        numbers: Range<u64>,
        limit: u8,
        cursor: Option<&str>,
    ) -> Result<Listed<Result<WalletLine, Unreadable>>, ListError> {
        if numbers.is_empty() {
            return Ok(Listed { items: Vec::new(), next: None });
        }
        let partition = keys::statement(&wallet.owner, wallet.currency);
        let begin = cursor.map_or_else(|| cursor::write_number(STATEMENT, &partition, numbers.end), str::to_owned);
        let mut page = self.statement(&wallet.owner, wallet.currency, limit, Some(&begin)).await?;
        let before = page.items.len();
        page.items.retain(|line| line.as_ref().map_or(true, |line| line.number >= numbers.start));
        if page.items.len() < before || matches!(page.items.last(), Some(Ok(line)) if line.number == numbers.start) {
            page.next = None;
        }
        Ok(page)
    }

    async fn present_line(&self, wallet: &Wallet, number: u64) -> Result<WalletLine, StoreError> {
        let missing = || Unreadable::Corrupt {
            key: keys::wallet_line(&wallet.owner, wallet.currency, number),
            why: "a line that its wallet counts is not there".to_owned(),
        };
        Ok(self.line(&wallet.owner, wallet.currency, number).await?.ok_or_else(missing)?)
    }
}
