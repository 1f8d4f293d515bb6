//! A corpus of tokens. Every one is signed for real; the table says what became of it.

use super::jwks::{FetchFailed, SetInvalid};
use super::*;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header as JwtHeader};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const RSA: &[u8] = include_bytes!("fixtures/rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("fixtures/rsa.public.pem");
const P256: &[u8] = include_bytes!("fixtures/p256.pem");
const ISSUER: &str = "https://issuer.example";

fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA).unwrap()
}

fn p256() -> EncodingKey {
    EncodingKey::from_ec_pem(P256).unwrap()
}

fn jwk(key: &EncodingKey, algorithm: Algorithm, kid: &str) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    jwk["kid"] = json!(kid);
    jwk["use"] = json!("sig");
    jwk
}

fn set() -> Value {
    json!({"keys": [
        jwk(&rsa(), Algorithm::RS256, "rsa"),
        jwk(&p256(), Algorithm::ES256, "ec"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"},
        {"kty": "future", "kid": "unknown"},
    ]})
}

fn issuer(algorithms: &[Algorithm], keys: Keys) -> Issuer {
    Issuer { name: ISSUER.to_owned(), audience: vec!["holdfast".to_owned()], algorithms: algorithms.to_vec(), keys }
}

fn authenticator(algorithms: &[Algorithm]) -> Authenticator {
    let keys = Keys::inline(&set().to_string()).unwrap();
    Authenticator::new(vec![issuer(algorithms, keys)], Some(dev_key()))
}

fn dev_key() -> DevKey {
    DevKey::from_bytes(&[7; 32]).unwrap()
}

fn good_claims() -> Value {
    json!({"iss": ISSUER, "aud": "holdfast", "sub": "usr_buyer", "exp": now().as_seconds() + 600, "iat": now().as_seconds(), "scope": "platform other"})
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = good_claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good_claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn header(algorithm: Algorithm, kid: &str) -> JwtHeader {
    JwtHeader { kid: Some(kid.to_owned()), ..JwtHeader::new(algorithm) }
}

fn signed(claims: &Value) -> String {
    jsonwebtoken::encode(&header(Algorithm::RS256, "rsa"), claims, &rsa()).unwrap()
}

/// A token with whatever stands in its header and claims, signed with HS256 by `secret`, or not at all.
fn raw(header: &str, claims: &str, secret: Option<&[u8]>) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = secret
        .map(|secret| {
            jsonwebtoken::crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap()
        })
        .unwrap_or_default();
    format!("{signed}.{signature}")
}

/// The same with an RSA signature that is right.
fn raw_rsa(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &rsa(), Algorithm::RS256).unwrap();
    format!("{signed}.{signature}")
}

async fn verdict(authenticator: &Authenticator, token: &str) -> String {
    match authenticator.verify(token, now()).await {
        Ok(caller) => format!("ok {} of {} {:?}", caller.sub, caller.issuer, words_of(caller.scopes)),
        Err(problem) => format!("{} {}: {}", problem.status().as_u16(), problem.code().as_str(), problem.detail()),
    }
}

#[tokio::test]
async fn the_corpus_of_tokens() {
    let both = authenticator(&[Algorithm::RS256, Algorithm::ES256]);
    let good = signed(&good_claims());
    let claims = good_claims().to_string();
    let (start, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = start.split_once('.').unwrap();
    let other_claims = URL_SAFE_NO_PAD.encode(changed("sub", json!("usr_other")).to_string());
    let es = jsonwebtoken::encode(&header(Algorithm::ES256, "ec"), &good_claims(), &p256()).unwrap();
    let secs = now().as_seconds();
    let rs = r#"{"alg":"RS256","kid":"rsa"}"#;

    let corpus: Vec<(&str, String)> = vec![
        ("good, RS256", good.clone()),
        ("good, ES256", es.clone()),
        ("expired within the leeway", signed(&changed("exp", json!(secs - 59)))),
        ("expired at the leeway", signed(&changed("exp", json!(secs - 60)))),
        ("expired long ago", signed(&changed("exp", json!(1)))),
        ("no exp", signed(&without("exp"))),
        ("exp as text", signed(&changed("exp", json!((secs + 600).to_string())))),
        ("exp null", signed(&changed("exp", json!(null)))),
        ("exp in a list", signed(&changed("exp", json!([secs + 600])))),
        ("exp negative", signed(&changed("exp", json!(-1)))),
        ("exp beyond all time", signed(&changed("exp", json!(u64::MAX)))),
        ("exp with a fraction", raw_rsa(rs, &claims.replace(&(secs + 600).to_string(), &format!("{}.75", secs + 600)))),
        ("exp with an exponent", raw_rsa(rs, &claims.replace(&(secs + 600).to_string(), "1e300"))),
        ("nbf within the leeway", signed(&changed("nbf", json!(secs + 60)))),
        ("nbf in the future", signed(&changed("nbf", json!(secs + 61)))),
        ("nbf as text", signed(&changed("nbf", json!("0")))),
        ("nbf null", signed(&changed("nbf", json!(null)))),
        ("iat as text", signed(&changed("iat", json!("now")))),
        ("another issuer", signed(&changed("iss", json!("https://evil.example")))),
        ("the issuer with a slash", signed(&changed("iss", json!(format!("{ISSUER}/"))))),
        ("issuers in a list", signed(&changed("iss", json!([ISSUER])))),
        ("no issuer", signed(&without("iss"))),
        ("for somebody else", signed(&changed("aud", json!("other")))),
        ("for many, us too", signed(&changed("aud", json!(["other", "holdfast"])))),
        ("for many, not us", signed(&changed("aud", json!(["other"])))),
        ("for nobody", signed(&without("aud"))),
        ("aud a number", signed(&changed("aud", json!(1)))),
        ("aud null", signed(&changed("aud", json!(null)))),
        ("aud a list with a number", signed(&changed("aud", json!(["holdfast", 1])))),
        ("aud empty, client_id ours", {
            let mut claims = changed("aud", json!([]));
            claims["client_id"] = json!("holdfast");
            signed(&claims)
        }),
        ("client_id for aud", {
            let mut claims = without("aud");
            claims["client_id"] = json!("holdfast");
            signed(&claims)
        }),
        ("another's client_id for aud", {
            let mut claims = without("aud");
            claims["client_id"] = json!("other");
            signed(&claims)
        }),
        ("client_id a number", signed(&changed("client_id", json!(7)))),
        ("scope as a list", signed(&changed("scope", json!(["operator", "arbiter"])))),
        ("scope within another word", signed(&changed("scope", json!("platform:read Operator")))),
        ("scope a number", signed(&changed("scope", json!(1)))),
        ("scope null", signed(&changed("scope", json!(null)))),
        ("scope an object", signed(&changed("scope", json!({"operator": true})))),
        ("no scope", signed(&without("scope"))),
        ("sub not a user id", signed(&changed("sub", json!("a b")))),
        ("sub with a key's separator", signed(&changed("sub", json!("usr#1")))),
        ("sub empty", signed(&changed("sub", json!("")))),
        ("sub a number", signed(&changed("sub", json!(42)))),
        ("sub too long", signed(&changed("sub", json!("u".repeat(129))))),
        ("sub twice", raw_rsa(rs, &claims.replace("\"sub\"", "\"sub\":\"usr_a\",\"sub\""))),
        ("claims a list", raw_rsa(rs, "[]")),
        ("claims no JSON", raw_rsa(rs, "{")),
        ("alg none", raw(r#"{"alg":"none","kid":"rsa"}"#, &claims, None)),
        ("alg None", raw(r#"{"alg":"None","kid":"rsa"}"#, &claims, None)),
        ("alg missing", raw(r#"{"kid":"rsa"}"#, &claims, None)),
        ("alg a list", raw(r#"{"alg":["RS256"],"kid":"rsa"}"#, &claims, None)),
        ("RS256 without a signature", raw(rs, &claims, None)),
        ("HS256 by the RSA public key in PEM", raw(r#"{"alg":"HS256","kid":"rsa"}"#, &claims, Some(RSA_PUBLIC))),
        ("HS256 by the RSA modulus", {
            let modulus = URL_SAFE_NO_PAD.decode(jwk(&rsa(), Algorithm::RS256, "rsa")["n"].as_str().unwrap()).unwrap();
            raw(r#"{"alg":"HS256","kid":"rsa"}"#, &claims, Some(&modulus))
        }),
        (
            "HS256 by an oct key of the set",
            raw(r#"{"alg":"HS256","kid":"secret"}"#, &claims, Some(b"secret-secret-secret-secret-1234")),
        ),
        (
            "HS256 by the development key for another issuer",
            raw(r#"{"alg":"HS256","kid":"rsa"}"#, &claims, Some(dev_key().as_bytes())),
        ),
        ("RS256 in the name of the development issuer", signed(&changed("iss", json!(DEVELOPMENT_ISSUER)))),
        ("RS512", jsonwebtoken::encode(&header(Algorithm::RS512, "rsa"), &good_claims(), &rsa()).unwrap()),
        (
            "ES256 said, RSA key named",
            jsonwebtoken::encode(&header(Algorithm::ES256, "rsa"), &good_claims(), &p256()).unwrap(),
        ),
        ("other claims under a good signature", format!("{head}.{other_claims}.{signature}")),
        ("another's signature", format!("{start}.{}", es.rsplit_once('.').unwrap().1)),
        ("signature cut", good[..good.len() - 4].to_owned()),
        ("no kid", jsonwebtoken::encode(&JwtHeader::new(Algorithm::RS256), &good_claims(), &rsa()).unwrap()),
        ("kid null", raw_rsa(r#"{"alg":"RS256","kid":null}"#, &claims)),
        ("kid a path", raw_rsa(r#"{"alg":"RS256","kid":"../../dev/null"}"#, &claims)),
        ("unknown kid", jsonwebtoken::encode(&header(Algorithm::RS256, "none"), &good_claims(), &rsa()).unwrap()),
        ("a key of its own in the header", {
            let own = json!({"alg": "RS256", "kid": "own", "jwk": jwk(&rsa(), Algorithm::RS256, "own"), "jku": "https://evil.example"});
            raw_rsa(&own.to_string(), &claims)
        }),
        ("a demanded extension", raw_rsa(r#"{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}"#, &claims)),
        ("two parts", start.to_owned()),
        ("four parts", format!("{good}.x")),
        ("five parts, encrypted", format!("{good}.x.y")),
        ("empty parts", "..".to_owned()),
        ("one word", "token".to_owned()),
        ("padded", format!("{start}.{signature}==")),
        ("blanks inside", good.replace('.', ". ")),
        ("huge", signed(&changed("padding", json!("x".repeat(LONGEST_TOKEN))))),
        ("the development key's", dev_key().mint(&"usr_dev".parse().unwrap(), scopes_of(["operator"]), now()).unwrap()),
        ("another development key's", {
            DevKey::from_bytes(&[8; 32]).unwrap().mint(&"usr_dev".parse().unwrap(), Scopes::default(), now()).unwrap()
        }),
    ];
    let mut table = String::new();
    for (name, token) in corpus {
        table.push_str(&format!("{name}: {}\n", verdict(&both, &token).await));
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn an_issuer_is_pinned_to_its_algorithms() {
    let es = jsonwebtoken::encode(&header(Algorithm::ES256, "ec"), &good_claims(), &p256()).unwrap();
    assert!(authenticator(&[Algorithm::ES256]).verify(&es, now()).await.is_ok());
    assert_eq!(authenticator(&[Algorithm::RS256]).verify(&es, now()).await.unwrap_err().code(), Code::TokenInvalid);
}

#[tokio::test]
async fn a_deployment_without_a_development_key_has_no_development_issuer() {
    let token = dev_key().mint(&"usr_dev".parse().unwrap(), Scopes::default(), now()).unwrap();
    assert!(Authenticator::new(vec![], Some(dev_key())).verify(&token, now()).await.is_ok());
    assert_eq!(Authenticator::new(vec![], None).verify(&token, now()).await.unwrap_err().code(), Code::TokenInvalid);
}

#[test]
fn a_set_without_a_usable_key_is_no_set() {
    let weak = json!({"kty": "RSA", "kid": "weak", "e": "AQAB", "n": "A".repeat(171)});
    let for_encryption = {
        let mut key = jwk(&rsa(), Algorithm::RS256, "enc");
        key["use"] = json!("enc");
        key
    };
    let for_another = {
        let mut key = jwk(&rsa(), Algorithm::RS256, "other");
        key["alg"] = json!("RS512");
        key
    };
    let nameless = {
        let mut key = jwk(&rsa(), Algorithm::RS256, "");
        key.as_object_mut().unwrap().remove("kid");
        key
    };
    for keys in [
        json!([]),
        json!([weak]),
        json!([for_encryption]),
        json!([for_another]),
        json!([nameless]),
        json!([1, "a", null]),
    ] {
        let text = json!({"keys": keys}).to_string();
        assert_eq!(Keys::inline(&text).err(), Some(SetInvalid::NoKey), "{text}");
    }
    for text in ["", "[]", "{}", "<html>", &format!("{{\"keys\": []}}{}", " ".repeat(jwks::LARGEST_SET))] {
        assert_eq!(Keys::inline(text).err(), Some(SetInvalid::NotASet));
    }
}

/// An issuer's server: how often it was asked, and what it answers now.
#[derive(Clone)]
struct Server {
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<Result<Vec<u8>, FetchFailed>>>,
}

impl Server {
    fn new(answer: Result<Value, &str>) -> Self {
        let server = Self { asked: Arc::default(), answer: Arc::new(Mutex::new(Ok(Vec::new()))) };
        server.answers(answer);
        server
    }

    fn answers(&self, answer: Result<Value, &str>) {
        *self.answer.lock().unwrap() =
            answer.map(|set| set.to_string().into_bytes()).map_err(|why| FetchFailed(why.to_owned()));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn authenticator(&self) -> Authenticator {
        let server = self.clone();
        let fetch: jwks::Fetch = Arc::new(move |url| {
            assert_eq!(url, "https://issuer.example/jwks.json");
            server.asked.fetch_add(1, Ordering::SeqCst);
            let answer = server.answer.lock().unwrap().clone();
            Box::pin(async move { answer })
        });
        let keys = Keys::at("https://issuer.example/jwks.json".to_owned(), fetch);
        Authenticator::new(vec![issuer(&[Algorithm::RS256], keys)], None)
    }
}

fn for_a_day(kid: &str) -> String {
    let claims = changed("exp", json!(now().as_seconds() + 1_000_000));
    jsonwebtoken::encode(&header(Algorithm::RS256, kid), &claims, &rsa()).unwrap()
}

#[tokio::test]
async fn invented_key_names_ask_the_issuer_once_a_minute() {
    let server = Server::new(Ok(set()));
    let authenticator = server.authenticator();
    for number in 0..50 {
        let problem = authenticator.verify(&for_a_day(&format!("invented-{number}")), now()).await.unwrap_err();
        assert_eq!(problem.code(), Code::TokenInvalid);
    }
    assert_eq!(server.asked(), 1);
    assert!(authenticator.verify(&for_a_day("rsa"), now()).await.is_ok());
    assert_eq!(server.asked(), 1, "a known key asks nobody");

    let later = now().after(Period::seconds(59));
    let _ = authenticator.verify(&for_a_day("invented"), later).await;
    assert_eq!(server.asked(), 1);
    let _ = authenticator.verify(&for_a_day("invented"), later.after(Period::seconds(1))).await;
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn keys_fetched_at_the_start_are_not_fetched_for_the_first_caller() {
    let server = Server::new(Ok(set()));
    let authenticator = server.authenticator();
    authenticator.fetch_keys(now()).await;
    authenticator.fetch_keys(now()).await;
    assert!(authenticator.verify(&for_a_day("rsa"), now()).await.is_ok());
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_found_and_an_old_one_forgotten() {
    let server = Server::new(Ok(set()));
    let authenticator = server.authenticator();
    assert!(authenticator.verify(&for_a_day("rsa"), now()).await.is_ok());
    server.answers(Ok(json!({"keys": [jwk(&rsa(), Algorithm::RS256, "rotated")]})));
    let later = now().after(Period::minutes(2));
    assert!(authenticator.verify(&for_a_day("rsa"), later).await.is_ok(), "nobody has asked again yet");
    assert!(authenticator.verify(&for_a_day("rotated"), later).await.is_ok());
    assert_eq!(authenticator.verify(&for_a_day("rsa"), later).await.unwrap_err().code(), Code::TokenInvalid);
}

#[tokio::test]
async fn a_key_taken_back_stops_working_within_the_hour() {
    let server = Server::new(Ok(set()));
    let authenticator = server.authenticator();
    assert!(authenticator.verify(&for_a_day("rsa"), now()).await.is_ok());
    server.answers(Ok(json!({"keys": [jwk(&rsa(), Algorithm::RS256, "rotated")]})));
    let in_an_hour = now().after(Period::hours(1));
    assert_eq!(authenticator.verify(&for_a_day("rsa"), in_an_hour).await.unwrap_err().code(), Code::TokenInvalid);
}

#[tokio::test]
async fn without_the_issuers_answer_nobody_is_called_a_liar() {
    let server = Server::new(Err("connection refused"));
    let authenticator = server.authenticator();
    for _ in 0..3 {
        assert_eq!(authenticator.verify(&for_a_day("rsa"), now()).await.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(server.asked(), 1, "not even then more than once in ten seconds");
    server.answers(Ok(json!({"keys": "<html>"})));
    let later = now().after(Period::seconds(10));
    assert_eq!(authenticator.verify(&for_a_day("rsa"), later).await.unwrap_err().code(), Code::Unavailable);
    server.answers(Ok(set()));
    assert!(authenticator.verify(&for_a_day("rsa"), later.after(Period::seconds(10))).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_was_down_at_the_start_is_asked_by_the_first_caller() {
    let server = Server::new(Err("timeout"));
    let authenticator = server.authenticator();
    authenticator.fetch_keys(now()).await;
    server.answers(Ok(set()));
    assert!(authenticator.verify(&for_a_day("rsa"), now()).await.is_ok());
}

#[tokio::test]
async fn kept_keys_outlast_an_issuer_that_is_down_by_a_day_and_no_longer() {
    let server = Server::new(Ok(set()));
    let authenticator = server.authenticator();
    assert!(authenticator.verify(&for_a_day("rsa"), now()).await.is_ok());
    server.answers(Err("timeout"));
    assert!(authenticator.verify(&for_a_day("rsa"), now().after(Period::hours(23))).await.is_ok());
    let next_day = now().after(Period::hours(24));
    assert_eq!(authenticator.verify(&for_a_day("rsa"), next_day).await.unwrap_err().code(), Code::Unavailable);
}

#[test]
fn a_development_key_survives_its_bytes_and_is_never_shown() {
    let key = DevKey::generate();
    assert_eq!(DevKey::from_bytes(key.as_bytes()).unwrap().as_bytes(), key.as_bytes());
    assert_ne!(DevKey::generate().as_bytes(), key.as_bytes());
    assert_eq!(DevKey::from_bytes(b"short").err(), Some(DevKeyTooShort));
    assert_eq!(format!("{key:?}"), "DevKey(hidden)");
}
