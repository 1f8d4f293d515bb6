//! Reading JSON bodies: every error has a pointer to where it is, in words that show nothing of our own types; card data is refused.

use crate::problem::{Answer, Code, Problem};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// The longest sentence about a value that the caller sent, in characters: it may repeat a part of that value.
const LONGEST_COMPLAINT: usize = 200;

/// Reads the whole body as `T`.
///
/// # Errors
/// 400 `unknown_field` or `body_invalid`, with a pointer.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    // serde would also read a struct from a list of its fields' values: a body without names is never what a caller means.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::input(Code::BodyInvalid, "", "The body must be a JSON object."));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| explain(error.path(), error.inner()))?;
    reader.end().map_err(|_| Problem::input(Code::BodyInvalid, "", "There is something after the end of the JSON."))?;
    Ok(value)
}

/// One sentence and a pointer for what serde found.
fn explain(path: &Path, error: &serde_json::Error) -> Problem {
    let message = without_place(&error.to_string());
    let here = pointer(path);
    if error.is_syntax() || error.is_eof() {
        let (line, column) = (error.line(), error.column());
        return Problem::input(
            Code::BodyInvalid,
            here,
            format!("This is not JSON: {message}, line {line}, column {column}."),
        );
    }
    if let Some(name) = quoted_after(&message, "unknown field ") {
        let known = message.split_once(", ").map(|(_, known)| known).unwrap_or("there are no fields");
        let there = with_last(&here, name);
        return Problem::input(Code::UnknownField, there, bounded(&format!("This call has no such field; {known}.")));
    }
    if let Some(name) = quoted_after(&message, "missing field ") {
        return Problem::input(Code::BodyInvalid, with_last(&here, name), "This field is needed.");
    }
    if let Some(name) = quoted_after(&message, "duplicate field ") {
        return Problem::input(Code::BodyInvalid, with_last(&here, name), "This field is given twice.");
    }
    Problem::input(Code::BodyInvalid, here, bounded(&format!("{}.", in_our_words(&message))))
}

/// serde_json ends its sentences with the place, which the pointer says better.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(sentence, _)| sentence).to_owned()
}

fn quoted_after<'a>(message: &'a str, beginning: &str) -> Option<&'a str> {
    message.strip_prefix(beginning)?.strip_prefix('`')?.split('`').next()
}

/// The names of our structs and enums are nobody's business.
fn in_our_words(message: &str) -> String {
    for (beginning, ours) in
        [("expected struct ", "expected an object"), ("expected enum ", "expected one of the known words")]
    {
        if let Some((before, _)) = message.split_once(beginning) {
            return format!("{before}{ours}");
        }
    }
    message.to_owned()
}

fn bounded(sentence: &str) -> String {
    sentence.chars().take(LONGEST_COMPLAINT).collect()
}

/// RFC 6901.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn escaped(key: &str) -> String {
    bounded(key).replace('~', "~0").replace('/', "~1")
}

fn with_last(pointer: &str, name: &str) -> String {
    let last = format!("/{}", escaped(name));
    if pointer.ends_with(&last) { pointer.to_owned() } else { format!("{pointer}{last}") }
}

/// Names under which card numbers and security codes are sent, in small letters without separators.
const CARD_FIELDS: &[&str] = &[
    "cardnumber",
    "cardno",
    "cardnum",
    "ccnumber",
    "ccnum",
    "creditcard",
    "creditcardnumber",
    "primaryaccountnumber",
    "cvc",
    "cvc2",
    "cvv",
    "cvv2",
    "cvccode",
    "cvvcode",
    "cardcvc",
    "cardcvv",
    "cardcode",
    "cardsecuritycode",
    "trackdata",
    "track2",
];
/// A name that means a card number only if the value could be one: elsewhere it is a tax number.
const MAYBE_CARD_FIELD: &str = "pan";

/// Refuses a body that carries a card's number or security code, before anything of it is kept, logged or sent on.
/// Payment pages are the gateways'; a number that reaches us would make this whole system handle card data.
///
/// Found by the name of a field, or by a value that as a whole is a number of a card scheme's form: its length, its first
/// digits and its check digit (Luhn). All three, because one in ten of the ids that platforms count up would pass the check
/// digit alone.
///
/// # Errors
/// 400 `card_data_refused`, with a pointer and without the value.
pub(super) fn refuse_card_data(body: &[u8]) -> Answer<()> {
    // What is no JSON is refused by the parser that comes after.
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
    match card_data_in(&value, String::new()) {
        Some(pointer) => Err(Problem::input(
            Code::CardDataRefused,
            pointer,
            "This looks like a card's number or security code. Cards are entered on the gateway's own page; nothing of this request was kept.",
        )),
        None => Ok(()),
    }
}

fn card_data_in(value: &Value, pointer: String) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let here = format!("{pointer}/{}", escaped(name));
            let plain: String =
                name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
            let named = CARD_FIELDS.contains(&plain.as_str()) && !value.is_null();
            let maybe = plain == MAYBE_CARD_FIELD && digits_of(value).is_some_and(|digits| passes_luhn(&digits));
            if named || maybe { Some(here) } else { card_data_in(value, here) }
        }),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| card_data_in(item, format!("{pointer}/{index}")))
        }
        Value::String(_) | Value::Number(_) => {
            digits_of(value).filter(|digits| is_card_number(digits)).map(|_| pointer)
        }
        Value::Null | Value::Bool(_) => None,
    }
}

/// The digits, if the whole value is 13 to 19 of them, perhaps in groups.
fn digits_of(value: &Value) -> Option<Vec<u8>> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    // Longer texts cannot be nineteen digits in groups; they need not be looked at letter by letter.
    if text.len() > 40 {
        return None;
    }
    let mut digits = Vec::with_capacity(19);
    for letter in text.trim().bytes() {
        match letter {
            b'0'..=b'9' => digits.push(letter.wrapping_sub(b'0')),
            b' ' | b'-' => {}
            _ => return None,
        }
    }
    (13..=19).contains(&digits.len()).then_some(digits)
}

/// Whether some card scheme issues numbers of this length that begin so, and the check digit fits.
/// Source: ISO/IEC 7812-1 and the ranges that the schemes publish; mada cards lie within Visa's and Mastercard's.
fn is_card_number(digits: &[u8]) -> bool {
    let first = |count: usize| {
        digits.iter().take(count).fold(0_u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(*digit)))
    };
    let (two, four, length) = (first(2), first(4), digits.len());
    let issued = match two {
        34 | 37 => length == 15,
        30 | 36 | 38 | 39 => (14..=19).contains(&length),
        35 | 62 | 64 | 65 | 81 => (16..=19).contains(&length),
        40..=49 => length == 13 || length == 16 || length == 19,
        50..=55 => length == 16,
        56..=61 | 63 | 66..=69 => (16..=19).contains(&length),
        22..=27 => length == 16 && (2_221..=2_720).contains(&four),
        _ => false,
    };
    issued && passes_luhn(digits)
}

/// ISO/IEC 7812-1, annex B.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (position, digit)| {
        let digit = u32::from(*digit);
        let counted = if position % 2 == 0 { digit } else { digit.saturating_mul(2) };
        sum.saturating_add(if counted > 9 { counted.saturating_sub(9) } else { counted })
    });
    sum % 10 == 0
}
