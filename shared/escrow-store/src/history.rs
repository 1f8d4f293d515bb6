//! What stands beside an escrow for ever and is only ever read to be shown: pages of its journal, evidence of its disputes.

use crate::error::{StoreError, Unreadable};
use crate::items;
use crate::keys::{self, Key, KeyKind};
use crate::store::{Store, key_of};
use escrow_domain::dispute::NewEvidence;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::EscrowId;
use escrow_domain::journal::{ENTRIES_OF_A_PAGE, Entry, JournalPage};

impl Store {
    /// A page of an escrow's journal; the escrow says how many there are.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] if it is not there, which the transaction that made it excludes; otherwise the store could not be asked.
    pub async fn journal_page(&self, escrow: EscrowId, number: u16) -> Result<JournalPage, StoreError> {
        let key = keys::journal_page(escrow, number);
        let item = self.table.get(&key).await?.ok_or_else(|| gone(key, "a page of the journal is not there"))?;
        Ok(items::to_page(item, escrow, number)?)
    }

    /// The entry of that number, counted from the first that ever happened, of which the escrow says that it stands in a page.
    ///
    /// # Errors
    /// As for [`Store::journal_page`].
    pub async fn paged_entry(&self, escrow: EscrowId, number: usize) -> Result<Entry, StoreError> {
        let page = number.checked_div(ENTRIES_OF_A_PAGE).and_then(|page| u16::try_from(page).ok()).unwrap_or(u16::MAX);
        let place = number.checked_rem(ENTRIES_OF_A_PAGE).unwrap_or(usize::MAX);
        let mut entries = self.journal_page(escrow, page).await?.entries;
        if place < entries.len() {
            return Ok(entries.swap_remove(place));
        }
        Err(gone(keys::journal_page(escrow, page), "a page of the journal is too short"))
    }

    /// Evidence of an escrow, in the order in which it was brought, dispute by dispute: from the piece `from` on, at most `most`.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] if a piece is missing that the escrow counts; otherwise the store could not be asked.
    pub async fn evidence(&self, escrow: &Escrow, from: usize, most: usize) -> Result<Vec<NewEvidence>, StoreError> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, dispute) in (0_u16..).zip(&escrow.disputes) {
            let brought = u16::from(dispute.evidence_of_buyer).saturating_add(u16::from(dispute.evidence_of_seller));
            keys.extend((0..brought).map(|piece| keys::evidence(escrow.id, number, piece)));
        }
        let keys: Vec<Key> = keys.into_iter().skip(from).take(most).collect();
        let mut found = Vec::with_capacity(keys.len());
        for item in self.table.batch_get(&keys).await? {
            let key = key_of(&item)?;
            match key.kind() {
                KeyKind::Evidence(id, dispute, number) => found.push(items::to_evidence(item, id, dispute, number)?),
                _ => return Err(gone(key, "it is no evidence")),
            }
        }
        found.sort_unstable_by_key(|piece: &NewEvidence| (piece.dispute, piece.number));
        let missing = keys
            .iter()
            .zip(&found)
            .find(|(key, piece)| **key != keys::evidence(piece.escrow, piece.dispute, piece.number));
        match missing.map(|(key, _)| key).or_else(|| keys.get(found.len())) {
            Some(key) => Err(gone(key.clone(), "a piece of evidence is not there")),
            None => Ok(found),
        }
    }
}

fn gone(key: Key, why: &str) -> StoreError {
    Unreadable::Corrupt { key, why: why.to_owned() }.into()
}
