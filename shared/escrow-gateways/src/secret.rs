//! Secrets that cannot be printed by accident.

use std::fmt;

/// A key or a signing secret. Its text leaves only through [`Secret::expose`]; debug output and logs show that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret. `None` if it is empty or only spaces: an empty signing secret would let everybody sign.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() { None } else { Some(Self(text.to_owned())) }
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed_and_never_empty() {
        let secret = Secret::new(" sk_test_1 ").unwrap();
        assert_eq!((secret.expose(), format!("{secret:?}").as_str()), ("sk_test_1", "Secret(…)"));
        assert_eq!(Secret::new(""), None);
        assert_eq!(Secret::new(" \t\n"), None);
    }
}
