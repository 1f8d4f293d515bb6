//! Looking at JSON: a proof names what matters of a document and leaves the rest open.

use serde_json::Value;

/// What can be asked of a JSON document.
pub trait Look {
    /// Stops unless the document has every field of `expected`, with these values. Lists must be as long as expected.
    fn shows(&self, expected: Value) -> &Self;
    /// The text at a pointer; stops where there is none.
    fn text(&self, pointer: &str) -> &str;
    /// The list at a pointer; stops where there is none.
    fn list(&self, pointer: &str) -> &[Value];
}

impl Look for Value {
    #[track_caller]
    fn shows(&self, expected: Value) -> &Self {
        let mut differences = Vec::new();
        compare(self, &expected, "", &mut differences);
        assert!(differences.is_empty(), "{}\nin {self:#}", differences.join("\n"));
        self
    }

    #[track_caller]
    fn text(&self, pointer: &str) -> &str {
        self.pointer(pointer).and_then(Self::as_str).unwrap_or_else(|| panic!("no text at {pointer} in {self:#}"))
    }

    #[track_caller]
    fn list(&self, pointer: &str) -> &[Value] {
        self.pointer(pointer).and_then(Self::as_array).unwrap_or_else(|| panic!("no list at {pointer} in {self:#}"))
    }
}

/// `base` with the fields of `changes` in place of its own; a field that is changed to `null` is left out.
#[must_use]
pub fn with(mut base: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { return base };
    if let Some(fields) = base.as_object_mut() {
        for (name, value) in changes {
            match value {
                Value::Null => drop(fields.remove(&name)),
                value => drop(fields.insert(name, value)),
            }
        }
    }
    base
}

fn compare(found: &Value, expected: &Value, at: &str, differences: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                let at = format!("{at}/{name}");
                match found.get(name) {
                    Some(found) => compare(found, expected, &at, differences),
                    None => differences.push(format!("{at}: expected {expected}, and it is not there")),
                }
            }
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                compare(found, expected, &format!("{at}/{index}"), differences);
            }
        }
        _ if found == expected => {}
        _ => differences.push(format!("{at}: expected {expected}, found {found}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_named_with_its_place() {
        let mut differences = Vec::new();
        let found = json!({"a": {"b": [1, 2]}, "c": "x", "d": 1});
        compare(&found, &json!({"a": {"b": [1, 3]}, "c": "x", "e": null}), "", &mut differences);
        assert_eq!(differences, ["/a/b/1: expected 3, found 2", "/e: expected null, and it is not there"]);
    }

    #[test]
    fn a_list_that_is_longer_than_expected_differs() {
        let mut differences = Vec::new();
        compare(&json!([1, 2]), &json!([1]), "", &mut differences);
        assert_eq!(differences.len(), 1);
    }
}
