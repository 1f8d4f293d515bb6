//! Tokens that must not be believed. The system's own key signs those that are wrong in what they say.

use super::Table;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use holdfast::Options;
use holdfast_tests::json::with;
use holdfast_tests::on;
use serde_json::{Value, json};
use sha2::Sha256;

/// A token with that header and these claims, signed (HS256) with that key.
fn token(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn tokens_that_are_wrong_in_any_way() {
    let folder = tempfile::tempdir().unwrap();
    on(Options::in_folder(folder.path()), async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let key = hex::decode(std::fs::read_to_string(folder.path().join("token.key")).unwrap().trim()).unwrap();
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        let claims = json!({
            "iss": "holdfast-development", "aud": "holdfast-development", "sub": "usr_buyer", "exp": 4_000_000_000_u64,
        });
        let good = token(&header, &claims, &key);
        holdfast.api.bearer(&good).get("/v1/escrows").send().await.is(200);

        let claiming = |changes| token(&header, &with(claims.clone(), changes), &key);
        let under = |changes| token(&with(header.clone(), changes), &claims, &key);
        let unsigned = |alg: &str| {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", part(&json!({ "alg": alg, "typ": "JWT" })), part(&claims))
        };
        let parts: Vec<&str> = good.split('.').collect();
        let raised = with(claims.clone(), json!({ "scope": "operator" }));
        let raised = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(raised.to_string()), parts[2]);
        let rows = [
            ("expired", claiming(json!({ "exp": 1_600_000_000 })), "token_expired"),
            ("alg none", unsigned("none"), "token_invalid"),
            ("alg NONE", unsigned("NONE"), "token_invalid"),
            ("alg none, signed", under(json!({ "alg": "none" })), "token_invalid"),
            ("no alg", under(json!({ "alg": null })), "token_invalid"),
            ("RS256 with this key", under(json!({ "alg": "RS256" })), "token_invalid"),
            ("HS512", under(json!({ "alg": "HS512" })), "token_invalid"),
            ("an extension", under(json!({ "crit": ["b64"] })), "token_invalid"),
            ("another key", token(&header, &claims, b"another key of thirty-two bytes!"), "token_invalid"),
            ("an empty key", token(&header, &claims, b""), "token_invalid"),
            ("no signature", format!("{}.{}.", parts[0], parts[1]), "token_invalid"),
            ("two parts", format!("{}.{}", parts[0], parts[1]), "token_invalid"),
            ("four parts", format!("{good}.{}", parts[2]), "token_invalid"),
            ("cut off", good[..good.len() - 2].to_owned(), "token_invalid"),
            ("another scope under the same signature", raised, "token_invalid"),
            ("no end", claiming(json!({ "exp": null })), "token_invalid"),
            ("an end in words", claiming(json!({ "exp": "4000000000" })), "token_invalid"),
            ("an end beyond time", claiming(json!({ "exp": 1e300 })), "token_invalid"),
            ("not yet", claiming(json!({ "nbf": 3_999_999_999_u64 })), "token_invalid"),
            ("a beginning in words", claiming(json!({ "nbf": "now" })), "token_invalid"),
            ("for somebody else", claiming(json!({ "aud": "another-api" })), "token_invalid"),
            ("for nobody", claiming(json!({ "aud": null })), "token_invalid"),
            ("for a number", claiming(json!({ "aud": 1 })), "token_invalid"),
            ("another issuer", claiming(json!({ "iss": "https://evil.example" })), "token_invalid"),
            ("no issuer", claiming(json!({ "iss": null })), "token_invalid"),
            ("nobody", claiming(json!({ "sub": null })), "token_invalid"),
            ("an empty name", claiming(json!({ "sub": "" })), "token_invalid"),
            ("a name with a hash", claiming(json!({ "sub": "usr#E" })), "token_invalid"),
            ("a name that is a number", claiming(json!({ "sub": 1 })), "token_invalid"),
            ("a scope that is a number", claiming(json!({ "scope": 7 })), "token_invalid"),
            ("a word", "token".to_owned(), "token_invalid"),
            ("nine kilobytes", "x".repeat(9_000), "token_invalid"),
        ];
        let mut table = Table::on(holdfast);
        for (what, token, code) in rows {
            let bearer = holdfast.api.bearer(&token);
            table.row(&format!("read: {what}"), bearer.get("/v1/escrows"), 401, code).await;
            table.row(&format!("release: {what}"), bearer.post(&deal.path("release")).once(), 401, code).await;
        }
        for (what, value, code) in [
            ("basic", format!("Basic {good}"), "token_invalid"),
            ("no scheme", good.clone(), "token_invalid"),
            ("nothing after it", "Bearer ".to_owned(), "token_invalid"),
        ] {
            let call = holdfast.api.get("/v1/escrows").header("authorization", &value);
            table.row(what, call, 401, code).await;
        }
        table.row("none", holdfast.api.get("/v1/escrows"), 401, "unauthenticated").await;
        let twice = holdfast.buyer.get("/v1/escrows").header("authorization", &format!("Bearer {good}"));
        table.row("two", twice, 401, "token_invalid").await;
        table.end();
    })
    .await;
}

#[tokio::test]
async fn a_token_ends_by_the_one_clock() {
    holdfast_tests::on_holdfast(async |holdfast| {
        let asked = json!({ "sub": "usr_buyer", "expires_in": "PT1H" });
        let minted = holdfast.api.post("/_local/tokens").json(&asked).send().await.is(200);
        let bearer = holdfast.api.bearer(minted["token"].as_str().unwrap());
        bearer.get("/v1/escrows").send().await.is(200);
        holdfast.advance("PT1H2M").await;
        bearer.get("/v1/escrows").send().await.refuses(401, "token_expired");
    })
    .await;
}
