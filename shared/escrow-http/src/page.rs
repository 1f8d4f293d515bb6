//! Pages of lists: `?limit=` and `?cursor=`.
//!
//! A cursor is the store's own mark of where to go on, wrapped so that it is opaque, bounded, and good only for the list that gave
//! it: it carries a hash of the caller and the filters. That is a guard against mixing cursors up, not a secret: whoever forges
//! one gets another place in the same list, since the partition always comes from the verified caller and never from a cursor.

use crate::problem::{Answer, Code, Problem};
use crate::request::Query;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// How many a page has where the caller does not say.
const DEFAULT_LIMIT: u8 = 25;
/// The most that a page has.
const LARGEST_LIMIT: u8 = 100;
/// The longest cursor, in characters.
const LONGEST_CURSOR: usize = 2_048;
/// Bytes of the hash that say which list a cursor belongs to.
const BINDING: usize = 8;

/// Which page of which list.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many at most: 1 to 100.
    pub limit: u8,
    /// The store's mark after which the page begins; the first page has none.
    pub after: Option<String>,
    binding: [u8; BINDING],
}

/// A page of a list, as it is answered.
#[derive(Debug, Serialize)]
pub struct Listed<T> {
    /// Newest first.
    pub data: Vec<T>,
    /// For the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

impl Page {
    /// Reads `limit` and `cursor`. `list` names the list with everything that chooses what is in it and who asks.
    ///
    /// # Errors
    /// 400 `query_invalid` for a limit out of bounds, 400 `cursor_invalid` for a cursor that this list did not give.
    pub fn read(query: &Query, list: &[&str]) -> Answer<Self> {
        let limit = query.read::<u8>("limit", "a number from 1 to 100")?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=LARGEST_LIMIT).contains(&limit) {
            return Err(Problem::input(Code::QueryInvalid, "?limit", "This must be a number from 1 to 100."));
        }
        let mut page = Self { limit, after: None, binding: binding(list) };
        if let Some(cursor) = query.get("cursor") {
            let wrong =
                || Problem::input(Code::CursorInvalid, "?cursor", "Send next_cursor of the same list, unchanged.");
            page.after = Some(page.unsealed(cursor).ok_or_else(wrong)?);
        }
        Ok(page)
    }

    /// The problem of a cursor that this list did give, but that the store does not know.
    #[must_use]
    pub fn cursor_unknown() -> Problem {
        Problem::input(Code::CursorInvalid, "?cursor", "Send next_cursor of the same list, unchanged.")
    }

    /// The page's answer; `next` is the store's mark of where the next page begins.
    #[must_use]
    pub fn listed<T>(&self, data: Vec<T>, next: Option<&str>) -> Listed<T> {
        Listed { data, next_cursor: next.map(|mark| self.sealed(mark)) }
    }

    fn sealed(&self, mark: &str) -> String {
        let mut bytes = self.seal(mark).to_vec();
        bytes.extend_from_slice(mark.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn unsealed(&self, cursor: &str) -> Option<String> {
        if cursor.len() > LONGEST_CURSOR {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (seal, mark) = bytes.split_at_checked(BINDING)?;
        let mark = std::str::from_utf8(mark).ok()?;
        (seal == self.seal(mark) && !mark.is_empty()).then(|| mark.to_owned())
    }

    fn seal(&self, mark: &str) -> [u8; BINDING] {
        first(Sha256::new().chain_update(self.binding).chain_update(mark.as_bytes()))
    }
}

fn binding(list: &[&str]) -> [u8; BINDING] {
    let mut hasher = Sha256::new();
    for part in list {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    first(hasher)
}

fn first(hasher: Sha256) -> [u8; BINDING] {
    let mut bytes = [0; BINDING];
    for (place, byte) in bytes.iter_mut().zip(hasher.finalize()) {
        *place = byte;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[&str] = &["escrows", "usr_buyer", "role=buyer"];

    fn page(query: &str, list: &[&str]) -> Result<Page, Code> {
        let query = Query::parse(query, &["limit", "cursor"]).map_err(|problem| problem.code())?;
        Page::read(&query, list).map_err(|problem| problem.code())
    }

    fn cursor() -> String {
        page("", LIST).unwrap().listed(vec![1], Some("2026#esc_1")).next_cursor.unwrap()
    }

    #[test]
    fn a_page_has_from_one_to_a_hundred() {
        assert_eq!(page("", LIST).map(|page| page.limit), Ok(25));
        assert_eq!(page("limit=100", LIST).map(|page| page.limit), Ok(100));
        for bad in ["0", "101", "-1", "1.5", "x", "99999999999", "", "300"] {
            assert_eq!(page(&format!("limit={bad}"), LIST).map(|page| page.limit), Err(Code::QueryInvalid), "{bad}");
        }
    }

    #[test]
    fn a_cursor_leads_on_in_the_list_that_gave_it() {
        let next = page(&format!("cursor={}", cursor()), LIST).unwrap();
        assert_eq!(next.after.as_deref(), Some("2026#esc_1"));
        assert!(next.listed(Vec::<u8>::new(), None).next_cursor.is_none());
    }

    #[test]
    fn a_cursor_of_another_list_or_a_changed_one_is_refused() {
        let good = cursor();
        for list in [
            ["escrows", "usr_other", "role=buyer"],
            ["escrows", "usr_buyer", "role=seller"],
            ["escrow", "susr_buyer", "role=buyer"],
        ] {
            assert_eq!(page(&format!("cursor={good}"), &list).map(|page| page.limit), Err(Code::CursorInvalid));
        }
        for position in 0..good.len() {
            let mut changed = good.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                page(&format!("cursor={changed}"), LIST).map(|page| page.limit),
                Err(Code::CursorInvalid),
                "{changed}"
            );
        }
        let huge = "A".repeat(LONGEST_CURSOR + 1);
        for bad in ["", "A", "!!!!", &good[..good.len() - 3], &format!("{good}AAAA"), &huge, "AAAAAAAAAAA"] {
            assert_eq!(page(&format!("cursor={bad}"), LIST).map(|page| page.limit), Err(Code::CursorInvalid), "{bad}");
        }
    }
}
