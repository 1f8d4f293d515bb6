//! Fields of bodies, from text to what they mean. Each has a pointer, so that what is wrong can be named; below this nothing is
//! text that means an id, a milestone or an amount.

use crate::amount::AmountField;
use crate::problem::{Answer, Code, Problem};
use crate::views::milestone_index;
use escrow_domain::escrow::LONGEST_NOTE;
use escrow_domain::money::{Minor, Money};
use std::str::FromStr;

/// A field that cannot be what it must be: `expected` says what that is.
#[must_use]
pub fn invalid(pointer: &str, expected: &str) -> Problem {
    Problem::input(Code::BodyInvalid, pointer, format!("This must be {expected}."))
}

/// Part of the contract, but not built yet: refused, never ignored.
#[must_use]
pub fn not_yet(pointer: &str, what: &str) -> Problem {
    Problem::input(Code::NotSupportedYet, pointer, format!("{what} is part of the contract, but not built yet."))
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

/// An amount out of `whole`: all of it if the field is left out.
///
/// # Errors
/// 400 `amount_invalid`; 422 `not_supported_yet` for a part of it. More than there is the rules refuse.
pub fn all_of(field: Option<&AmountField>, whole: Money, pointer: &str) -> Answer<Option<Minor>> {
    let Some(field) = field else { return Ok(None) };
    let amount = field.read(pointer, whole.currency)?.amount;
    if amount < whole.amount { Err(not_yet(pointer, "A part of the amount")) } else { Ok(Some(amount)) }
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
    fn an_amount_is_all_of_it_for_now() {
        let whole = Money::parse("150.00", Currencies::default().find("SAR").unwrap()).unwrap();
        let read = |value: serde_json::Value| {
            let field: AmountField = serde_json::from_value(value).unwrap();
            code(all_of(Some(&field), whole, "/amount"))
        };
        assert_eq!(code(all_of(None, whole, "/amount")), Ok(None));
        assert_eq!(read(json!("150")), Ok(Some(whole.amount)));
        assert_eq!(read(json!("149.99")), Err("not_supported_yet"));
        assert!(read(json!("150.01")).is_ok(), "the rules refuse it, with what there is");
        assert_eq!(read(json!(150)), Err("amount_invalid"));
    }
}
