//! Everything there is, page by page, for whoever verifies it.

use crate::error::{StoreError, Unreadable};
use crate::inbox::{self, Parked};
use crate::items;
use crate::keys::{Item, Key, KeyKind};
use crate::store::{Store, key_of};
use escrow_domain::dispute::NewEvidence;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::UserId;
use escrow_domain::journal::JournalPage;
use escrow_domain::payout::Payout;
use escrow_domain::seller::Seller;
use escrow_domain::top_up::TopUp;
use escrow_domain::wallet::{Wallet, WalletLine};

/// An item of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Scanned {
    /// Where it stands.
    pub key: Key,
    /// What it is, or why it cannot be read.
    pub stored: Result<Stored, Unreadable>,
    /// Its size by DynamoDB's rules, in bytes.
    pub size: usize,
}

/// What can stand in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// An escrow.
    Escrow(Box<Escrow>),
    /// A page of an escrow's journal.
    Page(JournalPage),
    /// A piece of evidence.
    Evidence(NewEvidence),
    /// A payout.
    Payout(Box<Payout>),
    /// A top-up.
    TopUp(Box<TopUp>),
    /// A seller's accounts.
    Seller(Seller),
    /// Whose an account at a gateway is.
    Account(UserId),
    /// A wallet.
    Wallet(Wallet),
    /// A line of a statement.
    Line(WalletLine),
    /// A parked event, of a large one the beginning; `None` if it is done.
    Parked(Option<Parked>),
    /// What carries no money: a further piece of a parked event, the figures of a day, how far the reconciler is.
    Beside,
}

/// Where a scan goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPosition(Key);

/// A page of everything.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanPage {
    /// Its items, in no order.
    pub items: Vec<Scanned>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<ScanPosition>,
}

impl Store {
    /// One page of everything, of at most `limit` items or as many as fit into a megabyte. Items that change while it runs are seen
    /// before or after; two readings of one aggregate agree if their versions do.
    ///
    /// # Errors
    /// If the store could not be asked. An item that cannot be read is no error of the whole.
    pub async fn scan(&self, limit: Option<u16>, after: Option<&ScanPosition>) -> Result<ScanPage, StoreError> {
        let start = after.map(|position| position.0.to_item());
        let page = self.table.scan(limit.map(|limit| i32::from(limit.max(1))), start).await?;
        let items = page.items.into_iter().map(scanned).collect::<Result<_, Unreadable>>()?;
        let next = page.next.as_ref().map(key_of).transpose()?.map(ScanPosition);
        Ok(ScanPage { items, next })
    }
}

fn scanned(item: Item) -> Result<Scanned, Unreadable> {
    let key = key_of(&item)?;
    let size = items::size::of(&item);
    let stored = match key.kind() {
        KeyKind::Escrow(id) => items::to_escrow(item, id).map(|escrow| Stored::Escrow(Box::new(escrow))),
        KeyKind::JournalPage(id, number) => items::to_page(item, id, number).map(Stored::Page),
        KeyKind::Evidence(id, dispute, number) => items::to_evidence(item, id, dispute, number).map(Stored::Evidence),
        KeyKind::Payout(id) => items::to_payout(item, id).map(|payout| Stored::Payout(Box::new(payout))),
        KeyKind::TopUp(id) => items::to_top_up(item, id).map(|top_up| Stored::TopUp(Box::new(top_up))),
        KeyKind::Seller => items::to_seller(item, &key).map(Stored::Seller),
        KeyKind::Account => items::to_account(item, &key).map(Stored::Account),
        KeyKind::Wallet => items::to_wallet(item, &key).map(Stored::Wallet),
        KeyKind::WalletLine => items::to_line(item, &key).map(Stored::Line),
        KeyKind::Inbox => inbox::read(item, &key).map(Stored::Parked),
        KeyKind::Beside => Ok(Stored::Beside),
        KeyKind::Other => {
            Err(Unreadable::Corrupt { key: key.clone(), why: "nothing that this release knows".to_owned() })
        }
    };
    Ok(Scanned { key, stored, size })
}
