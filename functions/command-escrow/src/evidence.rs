//! Evidence as it is sent: a pointer and a hash, never the thing itself.

use escrow_domain::dispute::{Evidence, MOST_EVIDENCE};
use escrow_domain::lifecycle::Role;
use escrow_domain::time::Timestamp;
use escrow_http::fields::{invalid, note};
use escrow_http::problem::{Answer, Code, Problem};
use serde::Deserialize;

/// The longest name of a kind of evidence, in characters.
const LONGEST_KIND: usize = 32;
/// The longest address of evidence, in bytes.
const LONGEST_URI: usize = 1_000;

/// One piece of evidence, as it is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvidenceField {
    r#type: String,
    uri: String,
    sha256: Option<String>,
    note: Option<String>,
}

/// What proves a side's words. Whose it is, the rules say: whoever brings it.
///
/// # Errors
/// 400 with the pointer of the first piece that cannot be accepted.
pub(crate) fn evidence(given: Vec<EvidenceField>, at: Timestamp) -> Answer<Vec<Evidence>> {
    if given.len() > MOST_EVIDENCE {
        return Err(invalid("/evidence", &format!("at most {MOST_EVIDENCE} pieces at once")));
    }
    given.into_iter().enumerate().map(|(index, field)| piece(index, field, at)).collect()
}

fn piece(index: usize, field: EvidenceField, at: Timestamp) -> Answer<Evidence> {
    let wrong = |name: &str, detail: &str| {
        Problem::input(Code::BodyInvalid, format!("/evidence/{index}/{name}"), detail.to_owned())
    };
    let kind_fits =
        (1..=LONGEST_KIND).contains(&field.r#type.chars().count()) && !field.r#type.chars().any(char::is_control);
    if !kind_fits {
        return Err(wrong("type", "1 to 32 characters, such as \"screenshot\""));
    }
    let uri_fits = field.uri.len() <= LONGEST_URI
        && field.uri.bytes().all(|byte| byte.is_ascii_graphic())
        && field.uri.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
    if !uri_fits {
        return Err(wrong("uri", "an https address of at most 1000 characters"));
    }
    let hex = |text: &String| {
        text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if field.sha256.as_ref().is_some_and(|hash| !hex(hash)) {
        return Err(wrong("sha256", "64 hexadecimal digits in small letters"));
    }
    let note = note(field.note, &format!("/evidence/{index}/note"))?;
    Ok(Evidence { kind: field.r#type, uri: field.uri, sha256: field.sha256, note, by: Role::Buyer, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(pieces: serde_json::Value) -> Result<usize, String> {
        let given: Vec<EvidenceField> = serde_json::from_value(pieces).unwrap();
        let read = evidence(given, Timestamp::from_seconds(0));
        read.map(|pieces| pieces.len()).map_err(|problem| problem.into_reply("r").body().to_owned())
    }

    #[test]
    fn evidence_is_an_https_address_with_a_hash_and_a_note() {
        let good = json!({ "type": "photo", "uri": "https://a.example/1", "sha256": "0f".repeat(32), "note": "صورة" });
        assert_eq!(read(json!([good])), Ok(1));
        assert_eq!(read(json!([])), Ok(0));
        for (field, value) in [
            ("type", json!("")),
            ("type", json!("x".repeat(33))),
            ("type", json!("a\u{7}")),
            ("uri", json!("http://a.example/1")),
            ("uri", json!("https://")),
            ("uri", json!("https://a.example/ 1")),
            ("uri", json!(format!("https://{}", "a".repeat(1_000)))),
            ("sha256", json!("0F".repeat(32))),
            ("sha256", json!("0f")),
            ("note", json!("x".repeat(501))),
            ("note", json!(" ")),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            let refused = read(json!([good, bad])).unwrap_err();
            assert!(refused.contains(&format!("/evidence/1/{field}")), "{field}: {refused}");
        }
        assert!(read(json!(vec![good; 11])).is_err());
    }
}
