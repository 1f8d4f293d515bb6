//! Pages of keys from the indexes, whatever aggregates they are of.

use crate::cursor::{self, Position};
use crate::error::{StoreError, Unreadable};
use crate::items::{number, read_number};
use crate::keys::{Item, Key};
use crate::lists::{LONGEST_PAGE, ListError};
use crate::read::{Ask, Page};
use crate::schema::Index;
use crate::store::{Store, key_of};
use aws_sdk_dynamodb::types::AttributeValue;

/// What a list is made of.
pub(crate) struct Shape {
    /// Its name, as it stands in its cursors.
    pub(crate) name: &'static str,
    /// Whose it is, as it stands in its cursors.
    pub(crate) whose: String,
    /// The letter of its aggregates' keys.
    pub(crate) kind: &'static str,
    /// The indexes that it is made of, each with the partition. No two have an entry in common.
    pub(crate) sources: Vec<(Index, String)>,
    /// Whether the oldest come first.
    pub(crate) ascending: bool,
}

impl Shape {
    fn key(&self, position: &Position) -> Key {
        Key { pk: format!("{}#{}", self.kind, position.body), sk: self.kind.to_owned() }
    }

    fn start_key(&self, index: Index, partition: &str, position: &Position) -> Item {
        let mut start = self.key(position).to_item();
        start.insert(index.partition.to_owned(), AttributeValue::S(partition.to_owned()));
        start.insert(index.sort.to_owned(), number(position.sort));
        start
    }

    fn read_position(&self, item: &Item, index: Index) -> Result<Position, Unreadable> {
        let key = key_of(item)?;
        let body = key.pk.split_once('#').filter(|(kind, _)| *kind == self.kind && *kind == key.sk);
        match (body, read_number(item, index.sort)) {
            (Some((_, body)), Some(sort)) => Ok(Position { sort, body: body.to_owned() }),
            (_, _) => {
                Err(Unreadable::Corrupt { key, why: format!("an entry of the index {} without its key", index.name) })
            }
        }
    }
}

impl Store {
    /// The keys of a page of a list: at most `limit` (1 to [`LONGEST_PAGE`]), after the cursor that the page before gave; and the
    /// cursor of the next.
    pub(crate) async fn page(
        &self,
        shape: &Shape,
        limit: u8,
        cursor: Option<&str>,
    ) -> Result<(Vec<Key>, Option<String>), ListError> {
        let limit = usize::from(limit.clamp(1, LONGEST_PAGE));
        let Shape { name, whose, sources, .. } = shape;
        let mut positions = match cursor {
            Some(cursor) => cursor::read(cursor, name, whose, sources.len())?,
            None => vec![None; sources.len()],
        };
        // A source of which nothing has been shown yet goes on from where the list as a whole stands.
        let shown_to = positions.iter().flatten().map(|position| position.sort).min();
        let mut entries: Vec<(usize, Position)> = Vec::new();
        let mut more = false;
        for (source, (index, partition)) in sources.iter().enumerate() {
            let position = positions.get(source).and_then(Option::as_ref);
            let start = position.map(|position| shape.start_key(*index, partition, position));
            let up_to = shown_to.filter(|_| position.is_none()).map(|sort| (index.sort, sort));
            // One more than is wanted, so that the last page knows that it is the last.
            let page = self.index_page(shape, *index, partition, up_to, limit.saturating_add(1), start).await?;
            more |= page.next.is_some() && page.items.len() <= limit;
            for item in page.items {
                entries.push((source, shape.read_position(&item, *index).map_err(StoreError::from)?));
            }
        }
        if shape.ascending {
            entries.sort_by_key(|(_, position)| position.sort);
        } else {
            entries.sort_by_key(|(_, position)| std::cmp::Reverse(position.sort));
        }
        more |= entries.len() > limit;
        entries.truncate(limit);
        let keys = entries.iter().map(|(_, position)| shape.key(position)).collect();
        let any = !entries.is_empty();
        for (source, position) in entries {
            if let Some(place) = positions.get_mut(source) {
                *place = Some(position);
            }
        }
        Ok((keys, (more && any).then(|| cursor::write(name, whose, &positions))))
    }

    async fn index_page(
        &self,
        shape: &Shape,
        index: Index,
        partition: &str,
        up_to: Option<(&str, i64)>,
        limit: usize,
        start: Option<Item>,
    ) -> Result<Page, StoreError> {
        let ask = Ask {
            index: Some(index.name),
            partition: (index.partition, AttributeValue::S(partition.to_owned())),
            up_to,
            ascending: shape.ascending,
            limit: i32::try_from(limit).unwrap_or(i32::MAX),
            start,
        };
        self.table.query(&ask).await
    }
}
