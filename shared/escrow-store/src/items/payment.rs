//! The stored payment with its captures, the stored refund.

use super::bytes::Bytes;
use super::escrow::{money, read_money};
use super::{minor, word};
use escrow_domain::payment::{Capture, CheckoutRequest, Mode, Payment, Refund, RefundOf, Source};
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An attempt to pay. Money in minor units, times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredPayment {
    /// Source: a gateway's name, or `wallet`.
    s: String,
    /// Method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<String>,
    /// Mode, where it is not the gateway's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<String>,
    /// Amount.
    a: i64,
    /// What the gateway charges, where that is another unit: amount, unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<(i64, String)>,
    /// Milestones: an index a byte.
    i: Bytes,
    /// Status.
    st: String,
    /// Request: description, success and cancel address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    q: Option<(String, String, String)>,
    /// Attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u8>,
    /// Reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<String>,
    /// Address of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<String>,
    /// What the marketplace's own page needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    z: Option<String>,
    /// Expires at.
    x: i64,
    /// Created at.
    c: i64,
    /// Captures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cp: Vec<StoredCapture>,
}

/// Money that arrived.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCapture {
    /// The gateway's id.
    i: String,
    /// Amount.
    a: i64,
    /// At.
    t: i64,
    /// Applied.
    p: bool,
    /// Given back unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<i64>,
}

const WALLET: &str = "wallet";

impl From<&Payment> for StoredPayment {
    fn from(payment: &Payment) -> Self {
        let Payment {
            source,
            method,
            mode,
            amount,
            pay_in,
            milestones,
            status,
            request,
            attempt,
            reference,
            url,
            client_secret,
            expires_at,
            created_at,
            captures,
        } = payment;
        Self {
            s: match source {
                Source::Gateway(name) => name.as_str().to_owned(),
                Source::Wallet => WALLET.to_owned(),
            },
            m: method.map(|method| method.as_str().to_owned()),
            o: match mode {
                Mode::Hosted => None,
                Mode::Elements => Some(mode.as_str().to_owned()),
            },
            a: amount.units(),
            g: pay_in.map(money),
            i: Bytes(milestones.clone()),
            st: status.as_str().to_owned(),
            q: request.as_ref().map(|CheckoutRequest { description, success_url, cancel_url }| {
                (description.clone(), success_url.clone(), cancel_url.clone())
            }),
            n: (*attempt > 0).then_some(*attempt),
            r: reference.clone(),
            u: url.clone(),
            z: client_secret.clone(),
            x: expires_at.as_millis(),
            c: created_at.as_millis(),
            cp: captures.iter().map(StoredCapture::from).collect(),
        }
    }
}

impl TryFrom<StoredPayment> for Payment {
    type Error = String;

    fn try_from(stored: StoredPayment) -> Result<Self, String> {
        let request = |(description, success_url, cancel_url)| CheckoutRequest { description, success_url, cancel_url };
        Ok(Self {
            source: if stored.s == WALLET { Source::Wallet } else { Source::Gateway(word(&stored.s)?) },
            method: stored.m.as_deref().map(word).transpose()?,
            mode: stored.o.as_deref().map(word).transpose()?.unwrap_or_default(),
            amount: minor(stored.a)?,
            pay_in: stored.g.map(read_money).transpose()?,
            milestones: stored.i.0,
            status: word(&stored.st)?,
            request: stored.q.map(request),
            attempt: stored.n.unwrap_or_default(),
            reference: stored.r,
            url: stored.u,
            client_secret: stored.z,
            expires_at: Timestamp::from_millis(stored.x),
            created_at: Timestamp::from_millis(stored.c),
            captures: stored.cp.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
        })
    }
}

impl From<&Capture> for StoredCapture {
    fn from(capture: &Capture) -> Self {
        let Capture { id, amount, at, applied, unasked } = capture;
        Self {
            i: id.clone(),
            a: amount.units(),
            t: at.as_millis(),
            p: *applied,
            u: (!unasked.is_zero()).then_some(unasked.units()),
        }
    }
}

impl TryFrom<StoredCapture> for Capture {
    type Error = String;

    fn try_from(stored: StoredCapture) -> Result<Self, String> {
        Ok(Self {
            id: stored.i,
            amount: minor(stored.a)?,
            at: Timestamp::from_millis(stored.t),
            applied: stored.p,
            unasked: minor(stored.u.unwrap_or_default())?,
        })
    }
}

/// Money on its way back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredRefund {
    /// Payment.
    p: u16,
    /// Capture.
    c: u8,
    /// Milestone; a payment that fitted nothing has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<u8>,
    /// Principal.
    b: i64,
    /// Amount.
    a: i64,
    /// Status.
    st: String,
    /// Reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<String>,
    /// Promised at.
    t: i64,
    /// Look up at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<i64>,
    /// Look-ups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u8>,
}

impl From<&Refund> for StoredRefund {
    fn from(refund: &Refund) -> Self {
        let Refund { payment, capture, of, principal, amount, status, reference, promised_at, look_up_at, look_ups } =
            refund;
        Self {
            p: *payment,
            c: *capture,
            m: match of {
                RefundOf::Milestone(index) => Some(*index),
                RefundOf::Unapplied => None,
            },
            b: principal.units(),
            a: amount.units(),
            st: status.as_str().to_owned(),
            r: reference.clone(),
            t: promised_at.as_millis(),
            l: look_up_at.map(Timestamp::as_millis),
            n: (*look_ups > 0).then_some(*look_ups),
        }
    }
}

impl TryFrom<StoredRefund> for Refund {
    type Error = String;

    fn try_from(stored: StoredRefund) -> Result<Self, String> {
        Ok(Self {
            payment: stored.p,
            capture: stored.c,
            of: stored.m.map_or(RefundOf::Unapplied, RefundOf::Milestone),
            principal: minor(stored.b)?,
            amount: minor(stored.a)?,
            status: word(&stored.st)?,
            reference: stored.r,
            promised_at: Timestamp::from_millis(stored.t),
            look_up_at: stored.l.map(Timestamp::from_millis),
            look_ups: stored.n.unwrap_or_default(),
        })
    }
}
