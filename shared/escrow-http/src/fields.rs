//! Fields of bodies, from text to what they mean. Each has a pointer, so that what is wrong can be named; below this nothing is
//! text that means an id, a milestone or an amount.

use crate::amount::AmountField;
use crate::problem::{Answer, Code, Problem};
use crate::views::milestone_index;
use escrow_domain::currency::Currency;
use escrow_domain::escrow::{LONGEST_NOTE, MOST_MILESTONES};
use escrow_domain::money::Minor;
use escrow_domain::time::Timestamp;
use std::str::FromStr;

/// A field that cannot be what it must be: `expected` says what that is.
#[must_use]
pub fn invalid(pointer: &str, expected: &str) -> Problem {
    Problem::input(Code::BodyInvalid, pointer, format!("This must be {expected}."))
}

/// A word, an id, a duration: whatever can be parsed. `expected` says what it must be.
///
/// # Errors
/// 400 `body_invalid` with the pointer.
pub fn word<T: FromStr>(text: &str, pointer: &str, expected: &str) -> Answer<T> {
    text.parse().map_err(|_| invalid(pointer, expected))
}

/// A reason or a note: 1 to 500 characters. Line breaks are allowed, other control characters are not.
///
/// # Errors
/// 400 `body_invalid` with the pointer.
pub fn note(text: Option<String>, pointer: &str) -> Answer<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    words(text, LONGEST_NOTE, pointer).map(Some)
}

/// Words of at most `longest` characters.
///
/// # Errors
/// 400 `body_invalid` with the pointer.
pub fn words(text: String, longest: usize, pointer: &str) -> Answer<String> {
    let plain = text.chars().all(|letter| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t'));
    if (1..=longest).contains(&text.chars().count()) && plain && !text.trim().is_empty() {
        Ok(text)
    } else {
        Err(invalid(pointer, &format!("1 to {longest} characters, without control characters")))
    }
}

/// The milestone that a field names (`m1`), as an index.
///
/// # Errors
/// 400 `body_invalid` if it is no name of a milestone; whether the escrow has it, the rules say.
pub fn milestone(name: Option<&str>, pointer: &str) -> Answer<Option<u8>> {
    let Some(name) = name else { return Ok(None) };
    milestone_index(name).map(Some).ok_or_else(|| invalid(pointer, "a milestone such as \"m1\""))
}

/// The milestones that a field names, each once.
///
/// # Errors
/// 400 `body_invalid` with the place of the first that is no name of a milestone, or comes twice; also for an empty list.
pub fn milestones(names: &[String], pointer: &str) -> Answer<Vec<u8>> {
    if names.is_empty() || names.len() > MOST_MILESTONES {
        return Err(invalid(pointer, &format!("1 to {MOST_MILESTONES} milestones")));
    }
    let mut indexes: Vec<u8> = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let here = format!("{pointer}/{place}");
        let index = milestone_index(name).ok_or_else(|| invalid(&here, "a milestone such as \"m1\""))?;
        if indexes.contains(&index) {
            return Err(invalid(&here, "a milestone that is not named before"));
        }
        indexes.push(index);
    }
    Ok(indexes)
}

/// A part of what there is: all of it if the field is left out. More than there is the rules refuse.
///
/// # Errors
/// 400 `amount_invalid`.
pub fn part(field: Option<&AmountField>, currency: Currency, pointer: &str) -> Answer<Option<Minor>> {
    field.map(|field| Ok(field.read(pointer, currency)?.amount)).transpose()
}

/// A moment.
///
/// # Errors
/// 400 `body_invalid` if it is not RFC 3339 in UTC.
pub fn moment(text: Option<&str>, pointer: &str) -> Answer<Option<Timestamp>> {
    let expected = "a moment in UTC such as \"2026-03-01T09:30:00Z\"";
    let read =
        |text: &str| if text.ends_with('Z') { word(text, pointer, expected) } else { Err(invalid(pointer, expected)) };
    text.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::currency::Currencies;
    use serde_json::json;

    fn code<T>(answer: Answer<T>) -> Result<T, &'static str> {
        answer.map_err(|problem| problem.code().as_str())
    }

    #[test]
    fn a_note_has_up_to_five_hundred_characters_and_no_control_characters() {
        assert_eq!(code(note(None, "/note")), Ok(None));
        let arabic = "ش".repeat(500);
        for good in ["a", "two\nlines", &arabic] {
            assert_eq!(code(note(Some(good.to_owned()), "/note")), Ok(Some(good.to_owned())));
        }
        for bad in ["", "  ", "a\0b", "a\u{1b}[31m", &"a".repeat(501)] {
            assert_eq!(code(note(Some(bad.to_owned()), "/note")), Err("body_invalid"), "{bad:?}");
        }
    }

    #[test]
    fn a_part_is_an_amount_of_the_escrows_currency() {
        let sar = Currencies::default().find("SAR").unwrap();
        let read = |value: serde_json::Value| {
            let field: AmountField = serde_json::from_value(value).unwrap();
            code(part(Some(&field), sar, "/amount")).map(|units| units.map(escrow_domain::money::Minor::units))
        };
        assert_eq!(code(part(None, sar, "/amount")), Ok(None));
        assert_eq!(read(json!("149.9")), Ok(Some(14_990)));
        for bad in [json!("0"), json!(150), json!("1.001"), json!("-1")] {
            assert_eq!(read(bad.clone()), Err("amount_invalid"), "{bad}");
        }
    }

    #[test]
    fn milestones_are_named_once_each() {
        let read = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            code(milestones(&names, "/fund"))
        };
        assert_eq!(read(&["m2", "m1"]), Ok(vec![1, 0]));
        for bad in [&[][..], &["m1", "m1"], &["1"], &["m0"], &["m1", ""], &["m1"; 51]] {
            assert_eq!(read(bad), Err("body_invalid"), "{bad:?}");
        }
    }

    #[test]
    fn a_moment_is_in_utc() {
        let read = |text| code(moment(Some(text), "/until")).map(|at| at.map(|at| at.to_string()));
        assert_eq!(read("2026-03-01T09:30:00Z"), Ok(Some("2026-03-01T09:30:00Z".to_owned())));
        for bad in ["2026-03-01", "2026-03-01T09:30:00+03:00", "tomorrow", ""] {
            assert_eq!(read(bad), Err("body_invalid"), "{bad}");
        }
    }
}
