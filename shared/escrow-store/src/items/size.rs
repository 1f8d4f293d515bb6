//! How large an item is by DynamoDB's rules: it decides what a write costs (one unit for each KB begun) and whether it fits
//! (400 KB). Source: Amazon DynamoDB Developer Guide, *Item sizes and formats*.

use crate::keys::Item;
use aws_sdk_dynamodb::types::AttributeValue;

/// What a happy life's escrow may take at every step, in bytes: two write units.
pub const HAPPY: usize = 2_048;

/// The size of an item in bytes.
#[must_use]
pub fn of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len().saturating_add(value_size(value))).sum()
}

fn value_size(value: &AttributeValue) -> usize {
    /// A list or map itself, and each of its elements.
    const CONTAINER: usize = 3;
    const ELEMENT: usize = 1;
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_size(number),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(list) => {
            list.iter().fold(CONTAINER, |sum, value| sum.saturating_add(ELEMENT).saturating_add(value_size(value)))
        }
        AttributeValue::M(map) => map.iter().fold(CONTAINER, |sum, (name, value)| {
            sum.saturating_add(ELEMENT).saturating_add(name.len()).saturating_add(value_size(value))
        }),
        AttributeValue::Ss(set) => set.iter().map(String::len).sum(),
        AttributeValue::Ns(set) => set.iter().map(|number| number_size(number)).sum(),
        AttributeValue::Bs(set) => set.iter().map(|bytes| bytes.as_ref().len()).sum(),
        // A type that this SDK does not know: as large as an item can be, so that nobody takes it for small.
        _ => 400 * 1_024,
    }
}

/// About one byte for two significant digits, and one; one more below zero. Zeros at either end do not count.
fn number_size(number: &str) -> usize {
    let negative = usize::from(number.starts_with('-'));
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_start_matches('0').trim_end_matches('0').len();
    significant.div_ceil(2).saturating_add(1).saturating_add(negative)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn sizes_follow_dynamodbs_rules() {
        let n = |text: &str| AttributeValue::N(text.into());
        for (value, size) in [
            (AttributeValue::S("äb".into()), 3),
            (n("0"), 1),
            (n("7"), 2),
            (n("604800000"), 3),
            (n("1790000000123"), 8),
            (n("-15000"), 3),
            (AttributeValue::L(vec![n("1"), n("2")]), 9),
            (AttributeValue::M(HashMap::from([("a".into(), n("1"))])), 7),
            (AttributeValue::Bool(true), 1),
        ] {
            assert_eq!(value_size(&value), size, "{value:?}");
        }
        assert_eq!(of(&HashMap::from([("pk".to_owned(), AttributeValue::S("E#1".into()))])), 5);
    }
}
