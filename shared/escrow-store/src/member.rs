//! One item of a commit, and what was found in its place.

use crate::error::{StoreError, Unreadable};
use crate::items::{self, Token};
use crate::keys::{self, Item, Key};
use crate::write::{Condition, Write};
use escrow_domain::dispute::NewEvidence;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{GatewayName, UserId};
use escrow_domain::journal::JournalPage;
use escrow_domain::payout::Payout;
use escrow_domain::seller::Seller;
use escrow_domain::top_up::TopUp;
use escrow_domain::wallet::{Wallet, WalletLine};

/// One item of a commit, with the version that it was decided on.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    /// The next state of an escrow.
    Escrow {
        /// The version that was read; 0 for one that must not exist yet.
        was: u64,
        /// What it becomes.
        now: &'a Escrow,
    },
    /// The next state of a payout.
    Payout {
        /// The version that was read; 0 for one that must not exist yet.
        was: u64,
        /// What it becomes.
        now: &'a Payout,
    },
    /// The next state of a top-up.
    TopUp {
        /// The version that was read; 0 for one that must not exist yet.
        was: u64,
        /// What it becomes.
        now: &'a TopUp,
    },
    /// The next state of a seller.
    Seller {
        /// The version that was read; 0 for one that must not exist yet.
        was: u64,
        /// What it becomes.
        now: &'a Seller,
    },
    /// The next state of a wallet.
    Wallet {
        /// The version that was read; 0 for one that must not exist yet.
        was: u64,
        /// What it becomes.
        now: &'a Wallet,
    },
    /// A new line of a statement.
    Line(&'a WalletLine),
    /// Entries that leave an escrow's item.
    Page {
        /// Whose.
        of: &'a Escrow,
        /// The new page.
        page: &'a JournalPage,
    },
    /// A new piece of evidence.
    Evidence(&'a NewEvidence),
    /// Whose an account at a gateway is, from now on.
    Account {
        /// Which gateway.
        gateway: GatewayName,
        /// The gateway's id of the account.
        account: &'a str,
        /// The seller.
        owner: &'a UserId,
    },
}

/// A member of a transaction that met something else than it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Which member, by its place in the commit.
    pub index: usize,
    /// What stands there.
    pub stands: Stands,
}

/// What stands at the key of a failed member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// This escrow.
    Escrow(Box<Escrow>),
    /// This payout.
    Payout(Box<Payout>),
    /// This top-up.
    TopUp(Box<TopUp>),
    /// This seller.
    Seller(Box<Seller>),
    /// This wallet.
    Wallet(Box<Wallet>),
    /// This line: the number is taken, because the wallet has moved.
    Line(Box<WalletLine>),
    /// A page, a piece of evidence, an account's owner: written before, because the aggregate has moved.
    Part,
    /// Nothing.
    Nothing,
    /// Something that cannot be understood.
    Unreadable(Unreadable),
}

impl Member<'_> {
    /// Where it stands.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Escrow { now, .. } => keys::escrow(now.id),
            Self::Payout { now, .. } => keys::payout(now.id),
            Self::TopUp { now, .. } => keys::top_up(now.id),
            Self::Seller { now, .. } => keys::seller(&now.owner),
            Self::Wallet { now, .. } => keys::wallet(&now.owner, now.currency),
            Self::Line(line) => keys::wallet_line(&line.owner, line.currency, line.number),
            Self::Page { page, .. } => keys::journal_page(page.escrow, page.number),
            Self::Evidence(new) => keys::evidence(new.escrow, new.dispute, new.number),
            Self::Account { gateway, account, .. } => keys::account(*gateway, account),
        }
    }

    /// As it is written.
    pub(crate) fn write(&self, token: &Token) -> Result<Write, StoreError> {
        let (condition, item) = match *self {
            Self::Escrow { was, now } => (follows(was, now.version)?, items::from_escrow(now, token)?),
            Self::Payout { was, now } => (follows(was, now.version)?, items::from_payout(now, token)?),
            Self::TopUp { was, now } => (follows(was, now.version)?, items::from_top_up(now, token)?),
            Self::Seller { was, now } => (follows(was, now.version)?, items::from_seller(now, token)?),
            Self::Wallet { was, now } => (follows(was, now.version)?, items::from_wallet(now, token)?),
            Self::Line(line) => (Condition::Absent, items::from_line(line, token)?),
            Self::Page { of, page } => (Condition::Absent, items::from_page(page, &of.terms, token)?),
            Self::Evidence(new) => (Condition::Absent, items::from_evidence(new, token)?),
            Self::Account { gateway, account, owner } => {
                (Condition::Absent, items::from_account(gateway, account, owner, token)?)
            }
        };
        Ok(Write { key: self.key(), item, condition })
    }

    /// What a failed write has found.
    pub(crate) fn stands(&self, key: &Key, item: Option<Item>) -> Stands {
        let Some(item) = item else { return Stands::Nothing };
        let read = match self {
            Self::Escrow { now, .. } => items::to_escrow(item, now.id).map(|escrow| Stands::Escrow(Box::new(escrow))),
            Self::Payout { now, .. } => items::to_payout(item, now.id).map(|payout| Stands::Payout(Box::new(payout))),
            Self::TopUp { now, .. } => items::to_top_up(item, now.id).map(|top_up| Stands::TopUp(Box::new(top_up))),
            Self::Seller { .. } => items::to_seller(item, key).map(|seller| Stands::Seller(Box::new(seller))),
            Self::Wallet { .. } => items::to_wallet(item, key).map(|wallet| Stands::Wallet(Box::new(wallet))),
            Self::Line(_) => items::to_line(item, key).map(|line| Stands::Line(Box::new(line))),
            Self::Page { .. } | Self::Evidence(_) | Self::Account { .. } => Ok(Stands::Part),
        };
        read.unwrap_or_else(Stands::Unreadable)
    }
}

/// What a new version demands of what it replaces.
fn follows(was: u64, now: u64) -> Result<Condition, StoreError> {
    match was {
        _ if now <= was => Err(StoreError::Unwritable(format!("version {now} after version {was}"))),
        0 => Ok(Condition::Absent),
        _ => Ok(Condition::Version(was)),
    }
}
