//! Message authentication codes that gateways put on their notices.

use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether `given` is the HMAC-SHA256 of these parts, one behind the other, under this secret's text. Takes the same time
/// wherever the first wrong byte stands, so that a forger learns nothing from trying.
#[must_use]
pub fn hmac_sha256_fits(secret: &Secret, parts: &[&[u8]], given: &[u8]) -> bool {
    // HMAC takes keys of every length; were that ever untrue, no signature would fit.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return false };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(given).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_code_of_the_whole_message_fits() {
        // PayTabs signs with plain HMAC-SHA256; this pair of key, message and code is published in its support pages.
        let secret = Secret::new("SGJNZ96JLG-JDMKHGRWT9-RWRK2KJNRJ").unwrap();
        let (head, tail) = (
            "cartId=cart_11111&customerEmail=email%40domain.com&respCode=G84718",
            "&respMessage=Authorised&respStatus=A&tranRef=TST2215201242166",
        );
        let code = hex::decode("7a181a32c768621eb6966107752ee70205a01f1c4403a3d13c0ff604f591f988").unwrap();
        assert!(hmac_sha256_fits(&secret, &[head.as_bytes(), tail.as_bytes()], &code));
        assert!(!hmac_sha256_fits(&secret, &[head.as_bytes()], &code));
        assert!(!hmac_sha256_fits(&secret, &[head.as_bytes(), tail.as_bytes()], code.get(..31).unwrap()));
        assert!(!hmac_sha256_fits(&Secret::new("other").unwrap(), &[head.as_bytes(), tail.as_bytes()], &code));
        assert!(!hmac_sha256_fits(&secret, &[head.as_bytes(), tail.as_bytes()], &[]));
    }
}
