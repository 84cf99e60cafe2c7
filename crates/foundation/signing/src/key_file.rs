//! Private keys on disk: magic, version, kind, 32 bytes, CRC-32; readable for the owner only.

use std::io;
use std::path::Path;

use bartizan_core::Secret;
use bartizan_storage::{Storage, ensure_directory, header, replace, split_header};
use zeroize::{Zeroize, Zeroizing};

use crate::digest::digest;
use crate::error::SigningError;
use crate::symmetric::random_secret;

const MAGIC: &str = "bzkey";
const VERSION: u32 = 1;

/// What the 32 bytes are for; a key is never used for two things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// Seed of an Ed25519 signing key.
    Ed25519,
    /// Encrypts: sealed files, wrapped keys.
    Aes256,
    /// Authenticates: key hashes, commitments.
    Hmac,
}

impl KeyKind {
    const fn tag(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Aes256 => 2,
            Self::Hmac => 3,
        }
    }
}

/// Reads a key; `None` when there is no such file.
pub fn load_key(storage: &dyn Storage, path: &Path, kind: KeyKind) -> Result<Option<Secret<[u8; 32]>>, SigningError> {
    let bytes = match storage.read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SigningError::Io { action: "read", path: path.to_owned(), source }),
    };
    let refuse = |problem| SigningError::KeyFile { path: path.to_owned(), problem };
    let (version, body) = split_header(&bytes, MAGIC).ok_or_else(|| refuse("byte 0: not a key file"))?;
    if version > VERSION {
        return Err(refuse("was written by a newer bartizan; use that one"));
    }
    let Some((content, check)) = body.split_last_chunk::<4>() else { return Err(refuse("byte 16: is cut short")) };
    if content.len() != 33 || digest(content).as_bytes().first_chunk() != Some(check) {
        return Err(refuse("byte 16: is damaged"));
    }
    let (Some((tag, key)), true) = (content.split_first(), content.len() == 33) else {
        return Err(refuse("byte 16: is damaged"));
    };
    if *tag != kind.tag() {
        return Err(refuse("byte 16: is a key for another purpose"));
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key);
    let secret = Secret::new(bytes);
    bytes.zeroize();
    Ok(Some(secret))
}

/// Writes a key, durable on return, over whatever stood there.
pub fn store_key(
    storage: &dyn Storage,
    path: &Path,
    kind: KeyKind,
    key: &Secret<[u8; 32]>,
) -> Result<(), SigningError> {
    let mut content = Zeroizing::new(vec![kind.tag()]);
    content.extend_from_slice(key.expose());
    let check = digest(&content);
    let mut bytes = Zeroizing::new(header(MAGIC, VERSION).to_vec());
    bytes.extend_from_slice(&content);
    bytes.extend_from_slice(&check.as_bytes()[..4]);
    let failed = |source| SigningError::Io { action: "write", path: path.to_owned(), source };
    ensure_directory(storage, path.parent().unwrap_or(Path::new(""))).map_err(failed)?;
    replace(storage, path, &bytes).map_err(failed)
}

/// Reads the key, or makes a random one and stores it.
pub fn load_or_create_key(storage: &dyn Storage, path: &Path, kind: KeyKind) -> Result<Secret<[u8; 32]>, SigningError> {
    if let Some(key) = load_key(storage, path, kind)? {
        return Ok(key);
    }
    let key = random_secret()?;
    store_key(storage, path, kind, &key)?;
    Ok(key)
}
