//! Stripe's webhook signatures: is this body from Stripe, for us, and fresh?
//!
//! Source: docs.stripe.com/webhooks, "Verify webhook signatures manually", and the official SDKs' treatment of odd headers:
//! unknown schemes and unreadable hex are passed over, a pair without exactly one `=` is an error.

use super::events;
use crate::facts::Notice;
use crate::gateway::WebhookRefused;
use crate::secret::Secret;
use crate::signature::hmac_sha256_fits;
use escrow_domain::time::{Period, Timestamp};
use http::HeaderMap;

/// The header's name.
pub(super) const SIGNATURE: &str = "stripe-signature";
/// How far the signature's time may be from ours, in both directions; the official SDKs' default, which they apply to the past only.
const TOLERANCE: Period = Period::seconds(300);

/// Verifies and reads what is posted to the webhook.
pub(super) struct Verifier {
    secrets: Vec<Secret>,
    live: bool,
}

/// A signature header, taken apart.
struct Header<'a> {
    /// The time as it stands there: these characters are signed.
    time: &'a str,
    at: Timestamp,
    /// Every `v1` that is readable hex.
    codes: Vec<Vec<u8>>,
}

impl Verifier {
    /// Accepts what is signed with any of these secrets (several while one is rotated), of the live or the test mode.
    pub(super) fn new(secrets: Vec<Secret>, live: bool) -> Self {
        Self { secrets, live }
    }

    /// The notice in a posted body.
    pub(super) fn read(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Notice, WebhookRefused> {
        if body.len() > WebhookRefused::LARGEST_BODY {
            return Err(WebhookRefused::TooLarge);
        }
        let header = Header::find(headers)?;
        header.check_time(now)?;
        self.check_codes(&header, body)?;
        events::read(body, self.live, header.at)
    }

    /// The notice in a body that was verified before.
    pub(super) fn read_again(&self, body: &[u8], received_at: Timestamp) -> Result<Notice, WebhookRefused> {
        events::read(body, self.live, received_at)
    }

    fn check_codes(&self, header: &Header<'_>, body: &[u8]) -> Result<(), WebhookRefused> {
        let signed = [header.time.as_bytes(), b".", body];
        let fits = |code: &Vec<u8>| self.secrets.iter().any(|secret| hmac_sha256_fits(secret, &signed, code));
        if header.codes.iter().any(fits) { Ok(()) } else { Err(WebhookRefused::SignatureMismatch) }
    }
}

impl<'a> Header<'a> {
    fn find(headers: &'a HeaderMap) -> Result<Self, WebhookRefused> {
        let mut all = headers.get_all(SIGNATURE).iter();
        let only = all.next().ok_or(WebhookRefused::HeaderMissing)?;
        if all.next().is_some() {
            return Err(WebhookRefused::HeaderMalformed("it is there more than once"));
        }
        Self::parse(only.to_str().map_err(|_| WebhookRefused::HeaderMalformed("it is not ASCII"))?)
    }

    fn parse(text: &'a str) -> Result<Self, WebhookRefused> {
        let malformed = WebhookRefused::HeaderMalformed;
        let mut time = None;
        let mut signed = false;
        let mut codes = Vec::new();
        for pair in text.split(',') {
            let (name, value) = pair.trim().split_once('=').ok_or(malformed("a pair has no `=`"))?;
            if value.contains('=') {
                return Err(malformed("a pair has more than one `=`"));
            }
            match name {
                "t" if time.is_some() => return Err(malformed("there is more than one time")),
                "t" => time = Some(value),
                "v1" => {
                    signed = true;
                    codes.extend(hex::decode(value));
                }
                // `v0` is Stripe's scheme for test clocks, others may come: neither proves anything here.
                _ => {}
            }
        }
        let time = time.ok_or(malformed("there is no time"))?;
        // Digits only: `parse` alone would also read a sign, and what is signed must have one spelling.
        let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = time.parse::<i64>().ok().filter(|_| digits).ok_or(malformed("the time is not a number"))?;
        if !signed {
            return Err(malformed("there is no v1 signature"));
        }
        Ok(Self { time, at: Timestamp::from_seconds(seconds), codes })
    }

    fn check_time(&self, now: Timestamp) -> Result<(), WebhookRefused> {
        if now > self.at.after(TOLERANCE) {
            Err(WebhookRefused::Stale)
        } else if now < self.at.before(TOLERANCE) {
            Err(WebhookRefused::Early)
        } else {
            Ok(())
        }
    }
}
