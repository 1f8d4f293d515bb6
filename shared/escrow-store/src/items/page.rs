//! The stored page of a journal: entries that have left their escrow's item. It can be read without it.

use super::escrow::{read_unit, unit};
use super::journal::{Setting, StoredEntry};
use super::word;
use escrow_domain::escrow::Terms;
use escrow_domain::id::{EscrowId, UserId};
use escrow_domain::journal::JournalPage;
use serde::{Deserialize, Serialize};

/// A page. Escrow and number stand in the key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// The buyer of the escrow.
    y: String,
    /// Its seller.
    z: String,
    /// Its unit.
    u: String,
    /// The number of the first entry.
    g: u32,
    /// The entries.
    e: Vec<StoredEntry>,
}

impl Stored {
    pub(super) fn new(page: &JournalPage, terms: &Terms) -> Self {
        let JournalPage { escrow: _, number: _, first, entries } = page;
        let setting = Setting::of_terms(terms);
        Self {
            y: terms.buyer.as_str().to_owned(),
            z: terms.seller.as_str().to_owned(),
            u: unit(terms.currency),
            g: *first,
            e: entries.iter().map(|entry| StoredEntry::new(entry, setting)).collect(),
        }
    }

    pub(super) fn into_page(self, escrow: EscrowId, number: u16) -> Result<JournalPage, String> {
        let (buyer, seller): (UserId, UserId) = (word(&self.y)?, word(&self.z)?);
        let setting = Setting { buyer: Some(&buyer), seller: Some(&seller), currency: read_unit(&self.u)? };
        let entries = self.e.into_iter().map(|entry| entry.into_entry(setting)).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Err("a page without entries".to_owned());
        }
        entries.iter().try_for_each(|entry| entry.check_balanced()).map_err(|error| error.to_string())?;
        Ok(JournalPage { escrow, number, first: self.g, entries })
    }
}
