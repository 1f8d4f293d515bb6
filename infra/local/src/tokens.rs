//! The key of development tokens: it lives in the data folder, so that tokens survive a restart.

use std::io;

use escrow_domain::time::Period;
use escrow_http::auth::DevKey;

use crate::folder::Folder;

/// How long a token holds unless it is asked for otherwise.
pub(crate) const DEFAULT_LIFE: Period = Period::days(3_650);

/// 64 hexadecimal digits.
const FILE: &str = "token.key";

/// The folder's key; a new one when it has none.
///
/// # Errors
/// When the folder cannot be read or written, or holds something else in the key's place.
pub(crate) fn key(folder: &Folder) -> io::Result<DevKey> {
    if let Some(kept) = folder.read(FILE)? {
        return parse(&kept)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "token.key is not 64 hexadecimal digits"));
    }
    let key = DevKey::generate();
    folder.save(FILE, hex::encode(key.as_bytes()).as_bytes())?;
    Ok(key)
}

fn parse(text: &[u8]) -> Option<DevKey> {
    DevKey::from_bytes(&hex::decode(text.trim_ascii()).ok()?).ok()
}
