//! Names of things: escrows and their parts, users, gateways, operations. Below the edge no text is an id.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Crockford's alphabet in small letters: no i, l, o, u, so an id read aloud is not mistaken.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in base 32.
const BODY: usize = 26;

/// A text is not an id of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct IdInvalid;

/// Hashes parts so that no two lists of parts collide: every part goes in behind its length.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

macro_rules! aggregate_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $seed:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; BODY]);

        impl $name {
            /// The id that this request's aggregate has, however often the request is sent: a hash of who asked, for what, under
            /// which key.
            #[must_use]
            pub fn derive(route: &str, issuer: &str, sub: &str, key: &str) -> Self {
                Self(body_of(&digest(&[$seed, route.as_bytes(), issuer.as_bytes(), sub.as_bytes(), key.as_bytes()])))
            }

            /// The id without its prefix, as it stands in keys and in the ids of its parts.
            #[must_use]
            pub fn body(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default()
            }

            /// Reads the 26 characters that `body` gives.
            ///
            /// # Errors
            /// [`IdInvalid`] if they are not 26 of the alphabet.
            pub fn from_body(body: &str) -> Result<Self, IdInvalid> {
                let bytes: [u8; BODY] = body.as_bytes().try_into().map_err(|_| IdInvalid)?;
                if bytes.iter().all(|byte| ALPHABET.contains(byte)) { Ok(Self(bytes)) } else { Err(IdInvalid) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.body())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdInvalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::from_body(text.strip_prefix($prefix).ok_or(IdInvalid)?)
            }
        }
    };
}

/// 128 bits of a hash in base 32.
fn body_of(hash: &[u8; 32]) -> [u8; BODY] {
    let mut number = 0_u128;
    for byte in hash.iter().take(16) {
        number = (number << 8) | u128::from(*byte);
    }
    let mut body = [b'0'; BODY];
    for place in body.iter_mut().rev() {
        let digit = usize::try_from(number & 31).unwrap_or_default();
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        number >>= 5;
    }
    body
}

aggregate_id!(
    /// An escrow. Its 26 characters begin the id of every part of it.
    EscrowId, "esc_", b"escrow"
);
aggregate_id!(
    /// A payout from a wallet.
    PayoutId, "pyt_", b"payout"
);
aggregate_id!(
    /// A payment into a wallet.
    TopUpId, "top_", b"top-up"
);

/// The highest number of a payment, refund, dispute or offer: two characters hold no more. Only journal entries are counted further.
pub const HIGHEST_NUMBER: u16 = 1_023;

/// The number of a part inside its escrow: two characters at the end of its id up to [`HIGHEST_NUMBER`], four above.
fn number_text(number: u16) -> String {
    let place = |shift: u32| {
        let digit = number.checked_shr(shift).unwrap_or_default() & 31;
        ALPHABET.get(usize::from(digit)).copied().map_or('0', char::from)
    };
    let places: &[u32] = if number <= HIGHEST_NUMBER { &[5, 0] } else { &[15, 10, 5, 0] };
    places.iter().map(|shift| place(*shift)).collect()
}

fn number_from(text: &str) -> Result<u16, IdInvalid> {
    let digit = |byte: u8| ALPHABET.iter().position(|letter| *letter == byte).and_then(|at| u16::try_from(at).ok());
    let mut number = 0_u16;
    for byte in text.bytes() {
        number = number.checked_mul(32).and_then(|so_far| so_far.checked_add(digit(byte)?)).ok_or(IdInvalid)?;
    }
    // One number has one text.
    if number_text(number) == text { Ok(number) } else { Err(IdInvalid) }
}

macro_rules! part_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            /// The escrow that it is a part of: whatever a gateway sends back leads to the item.
            pub escrow: EscrowId,
            /// Which one of the escrow's, from 0; at most 1023.
            pub number: u16,
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}{}"), self.escrow.body(), number_text(self.number))
            }
        }

        impl FromStr for $name {
            type Err = IdInvalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let rest = text.strip_prefix($prefix).ok_or(IdInvalid)?;
                let (body, number) = rest.split_at_checked(BODY).ok_or(IdInvalid)?;
                Ok(Self { escrow: EscrowId::from_body(body)?, number: number_from(number)? })
            }
        }
    };
}

part_id!(
    /// One attempt to pay, at a gateway or from a wallet.
    PaymentId, "pay_"
);
part_id!(
    /// One refund, promised by a commit and carried out at a gateway.
    RefundId, "ref_"
);
part_id!(
    /// One dispute.
    DisputeId, "dsp_"
);
part_id!(
    /// One offer in a dispute.
    ProposalId, "prp_"
);
part_id!(
    /// One journal entry, as clients name it.
    EventId, "evt_"
);

/// A user of the marketplace, as its tokens name them: 1 to 128 of `A-Za-z0-9._:@|-`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(String);

impl UserId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = IdInvalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@|-".contains(&byte);
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdInvalid)
        }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The payment gateways that Holdfast speaks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the company of that name")]
pub enum GatewayName {
    Stripe,
    PayPal,
    PayTabs,
    Moyasar,
    Fatora,
}

impl GatewayName {
    /// Every gateway.
    pub const ALL: [Self; 5] = [Self::Stripe, Self::PayPal, Self::PayTabs, Self::Moyasar, Self::Fatora];

    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::PayPal => "paypal",
            Self::PayTabs => "paytabs",
            Self::Moyasar => "moyasar",
            Self::Fatora => "fatora",
        }
    }
}

impl fmt::Display for GatewayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GatewayName {
    type Err = IdInvalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or(IdInvalid)
    }
}

/// What happened, named so that it can be recognised for ever: sixteen bytes that stay in the item.
///
/// `name` says which operation it is, `content` what it asked for: the same name with another content is a reused key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Which operation: a hash.
    pub name: [u8; 8],
    /// What it asked for: a hash.
    pub content: [u8; 8],
}

impl Operation {
    /// A person's request: who (issuer and subject), method and path, idempotency key; its content is the body as received.
    #[must_use]
    pub fn of_person(issuer: &str, sub: &str, method: &str, path: &str, key: &str, body: &[u8]) -> Self {
        let name: [&[u8]; 6] =
            [b"person", issuer.as_bytes(), sub.as_bytes(), method.as_bytes(), path.as_bytes(), key.as_bytes()];
        Self { name: short(&name), content: short(&[body]) }
    }

    /// What else happened in the same commit, as a second entry: its name follows from the first one's.
    #[must_use]
    pub fn and(&self, happening: &str) -> Self {
        let name = short(&[b"and", &self.name, happening.as_bytes()]);
        Self { name, content: name }
    }

    /// Whether a person asked for it: only a request has a content of its own.
    #[must_use]
    pub fn is_of_person(&self) -> bool {
        self.name != self.content
    }

    /// A gateway's fact: its object and what happened to it (`pi_1`, `paid`), never the event's id: one fact arrives under many.
    #[must_use]
    pub fn of_gateway(gateway: GatewayName, object: &str, happening: &str) -> Self {
        let name = short(&[b"gateway", gateway.as_str().as_bytes(), object.as_bytes(), happening.as_bytes()]);
        Self { name, content: name }
    }

    /// The clock's: what it does, to which part, and the deadline that it obeys (a second deadline is another operation).
    #[must_use]
    pub fn of_clock(transition: &str, part: u16, deadline: crate::time::Timestamp) -> Self {
        let name = short(&[b"clock", transition.as_bytes(), &part.to_be_bytes(), &deadline.as_millis().to_be_bytes()]);
        Self { name, content: name }
    }
}

fn short(parts: &[&[u8]]) -> [u8; 8] {
    let hash = digest(parts);
    let mut first = [0; 8];
    for (place, byte) in first.iter_mut().zip(hash) {
        *place = byte;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escrow() -> EscrowId {
        EscrowId::derive("POST /v1/checkouts", "https://issuer", "usr_buyer", "key-1")
    }

    #[test]
    fn an_escrows_id_comes_from_who_asked_under_which_key_and_nothing_else() {
        assert_eq!(escrow(), escrow());
        assert_ne!(escrow(), EscrowId::derive("POST /v1/checkouts", "https://issuer", "usr_buyer", "key-2"));
        // Parts are hashed behind their lengths: moving a character between them makes another id.
        assert_ne!(EscrowId::derive("a", "bc", "d", "e"), EscrowId::derive("a", "b", "cd", "e"));
    }

    #[test]
    fn the_id_of_a_part_leads_to_its_escrow() {
        let payment = PaymentId { escrow: escrow(), number: 33 };
        assert_eq!(payment.to_string(), format!("pay_{}11", escrow().body()));
        assert_eq!(payment.to_string().parse(), Ok(payment));
        assert_eq!(escrow().to_string().parse(), Ok(escrow()));
        for (number, text) in [(0, "00"), (1_023, "zz"), (1_024, "0100"), (65_535, "1zzz")] {
            let event = EventId { escrow: escrow(), number };
            assert_eq!(event.to_string(), format!("evt_{}{text}", escrow().body()));
            assert_eq!(event.to_string().parse(), Ok(event));
        }
        for not_the_shortest in ["0011", "2000", "001", "1", "zzzz", "00000"] {
            assert!(
                format!("evt_{}{not_the_shortest}", escrow().body()).parse::<EventId>().is_err(),
                "{not_the_shortest}"
            );
        }
        for bad in ["", "pay_", "esc_0", "pay_01", "ref_zzzzzzzzzzzzzzzzzzzzzzzzzzz"] {
            assert!(bad.parse::<PaymentId>().is_err(), "{bad}");
        }
        assert!("esc_UPPERCASEISNOTTHEALPHABET00".parse::<EscrowId>().is_err());
    }

    #[test]
    fn user_ids_are_bounded() {
        assert!("auth0|user@example.com".parse::<UserId>().is_ok());
        for bad in ["", "a b", "a#b", "a/b", "ü", &"a".repeat(129)] {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
    }
}
