//! Cursors: where a list goes on. Opaque to clients, checked strictly: what this store did not write is refused, and so is a
//! cursor of another list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use escrow_domain::id::EscrowId;
use serde::{Deserialize, Serialize};

/// The longest cursor that is looked at, in characters.
const LONGEST: usize = 1_024;

/// A cursor that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorInvalid {
    /// Nobody was given this cursor.
    #[error("not a cursor of this API")]
    Malformed,
    /// It belongs to another list.
    #[error("a cursor of another list")]
    OtherList,
}

/// The last entry of an index that has been shown: its sort key, in milliseconds, and its aggregate's id without the prefix. The ids of
/// all aggregates that are listed have 26 characters of one alphabet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) sort: i64,
    pub(crate) body: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// The list's name.
    l: String,
    /// Whose list.
    k: String,
    /// For each index that the list is made of: how far it has been shown, by sort key and id. Nothing of it, if there is no
    /// position.
    p: Vec<Option<(i64, String)>>,
}

/// Writes a cursor of a list of aggregates.
pub(crate) fn write(list: &str, whose: &str, positions: &[Option<Position>]) -> String {
    let text = |position: &Position| (position.sort, position.body.clone());
    let positions = positions.iter().map(|position| position.as_ref().map(text)).collect();
    encode(&Cursor { l: list.to_owned(), k: whose.to_owned(), p: positions })
}

/// Reads a cursor of this list of aggregates, which is made of so many indexes.
pub(crate) fn read(
    text: &str,
    list: &str,
    whose: &str,
    indexes: usize,
) -> Result<Vec<Option<Position>>, CursorInvalid> {
    let position = |(sort, body): (i64, String)| match EscrowId::from_body(&body) {
        Ok(_) if sort >= 0 => Ok(Position { sort, body }),
        Ok(_) | Err(_) => Err(CursorInvalid::Malformed),
    };
    let places = decode(text, list, whose)?;
    let positions: Vec<Option<Position>> =
        places.into_iter().map(|place| place.map(position).transpose()).collect::<Result<_, _>>()?;
    // One that starts everywhere at the beginning is never given out.
    if positions.len() != indexes || positions.iter().all(Option::is_none) {
        return Err(CursorInvalid::Malformed);
    }
    Ok(positions)
}

/// Writes a cursor of a list whose entries are numbered.
pub(crate) fn write_number(list: &str, whose: &str, number: u64) -> String {
    let place = i64::try_from(number).ok().map(|number| (number, String::new()));
    encode(&Cursor { l: list.to_owned(), k: whose.to_owned(), p: vec![place] })
}

/// Reads what [`write_number`] wrote.
pub(crate) fn read_number(text: &str, list: &str, whose: &str) -> Result<u64, CursorInvalid> {
    match decode(text, list, whose)?.as_slice() {
        [Some((number, empty))] if empty.is_empty() => u64::try_from(*number).map_err(|_| CursorInvalid::Malformed),
        _ => Err(CursorInvalid::Malformed),
    }
}

fn encode(cursor: &Cursor) -> String {
    // Texts and numbers always become JSON.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).unwrap_or_default())
}

fn decode(text: &str, list: &str, whose: &str) -> Result<Vec<Option<(i64, String)>>, CursorInvalid> {
    if text.len() > LONGEST {
        return Err(CursorInvalid::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorInvalid::Malformed)?;
    let cursor: Cursor = serde_json::from_slice(&bytes).map_err(|_| CursorInvalid::Malformed)?;
    if cursor.l == list && cursor.k == whose { Ok(cursor.p) } else { Err(CursorInvalid::OtherList) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let position =
            Position { sort: 1_790_000_000_123, body: EscrowId::derive("r", "i", "s", "k").body().to_owned() };
        let text = write("buyer", "usr_a", &[Some(position.clone())]);
        assert_eq!(read(&text, "buyer", "usr_a", 1), Ok(vec![Some(position)]));
        assert_eq!(read(&text, "seller", "usr_a", 1), Err(CursorInvalid::OtherList));
        assert_eq!(read(&text, "buyer", "usr_b", 1), Err(CursorInvalid::OtherList));
        assert_eq!(read(&text, "buyer", "usr_a", 2), Err(CursorInvalid::Malformed));
        let numbered = write_number("statement", "usr_a#SAR", 7);
        assert_eq!(read_number(&numbered, "statement", "usr_a#SAR"), Ok(7));
        assert_eq!(read_number(&numbered, "statement", "usr_a#USD"), Err(CursorInvalid::OtherList));
        assert_eq!(read_number(&text, "buyer", "usr_a"), Err(CursorInvalid::Malformed));
    }

    #[test]
    fn whatever_was_not_given_out_is_refused() {
        let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let body = EscrowId::derive("r", "i", "s", "k").body().to_owned();
        for text in [
            String::new(),
            "%%%".into(),
            encode("{}"),
            encode(r#"{"l":"buyer","k":"a","p":[]}"#),
            encode(r#"{"l":"buyer","k":"a","p":[null]}"#),
            encode(r#"{"l":"buyer","k":"a","p":[[1,"short"]]}"#),
            encode(&format!(r#"{{"l":"buyer","k":"a","p":[[-1,"{body}"]]}}"#)),
            encode(&format!(r#"{{"l":"buyer","k":"a","p":[["1","{body}"]]}}"#)),
            encode(&format!(r#"{{"l":"buyer","k":"a","p":[[1,"{body}"]],"x":1}}"#)),
            format!("{}==", encode(&format!(r#"{{"l":"buyer","k":"a","p":[[1,"{body}"]]}}"#))),
            "A".repeat(2_000),
        ] {
            assert_eq!(read(&text, "buyer", "a", 1), Err(CursorInvalid::Malformed), "{text}");
        }
    }
}
