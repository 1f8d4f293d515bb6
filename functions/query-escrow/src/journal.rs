//! The journal as a whole: the newest entries stand in the escrow, the older ones in pages beside it.

use escrow_domain::escrow::Escrow;
use escrow_domain::journal::{ENTRIES_OF_A_PAGE, Entry};
use escrow_http::app::App;
use escrow_http::problem::{Answer, Problem};
use escrow_http::views::{self, EventView};

/// At most `most` entries before the number `before`, newest first, each with its number. Pages are read only as far as they are needed.
pub(crate) async fn newest_first(
    app: &App,
    escrow: &Escrow,
    before: u32,
    most: usize,
) -> Answer<Vec<(u32, EventView)>> {
    let journal = &escrow.journal;
    let wanted = |(number, _): &(u32, EventView)| *number < before;
    let mut shown: Vec<_> =
        views::events(escrow, journal.paged, &journal.entries).into_iter().filter(wanted).take(most).collect();
    let mut older = journal.paged.min(before);
    while shown.len() < most && older > 0 {
        let page = app.store.journal_page(escrow.id, page_of(older.saturating_sub(1))?).await?;
        let left = most.saturating_sub(shown.len());
        shown.extend(views::events(escrow, page.first, &page.entries).into_iter().filter(wanted).take(left));
        older = page.first;
    }
    Ok(shown)
}

/// Every entry that ever happened, oldest first.
pub(crate) async fn whole(app: &App, escrow: &Escrow) -> Answer<Vec<Entry>> {
    let mut entries = Vec::with_capacity(escrow.journal.len());
    while entries.len() < usize::try_from(escrow.journal.paged).map_err(Problem::internal)? {
        let next = u32::try_from(entries.len()).map_err(Problem::internal)?;
        let page = app.store.journal_page(escrow.id, page_of(next)?).await?;
        if page.entries.is_empty() {
            return Err(Problem::internal("a page of a journal is empty"));
        }
        entries.extend(page.entries);
    }
    entries.extend(escrow.journal.entries.iter().cloned());
    Ok(entries)
}

/// The page in which the entry of that number stands.
fn page_of(number: u32) -> Answer<u16> {
    let place = usize::try_from(number).map_err(Problem::internal)?;
    u16::try_from(place.checked_div(ENTRIES_OF_A_PAGE).unwrap_or_default()).map_err(Problem::internal)
}
