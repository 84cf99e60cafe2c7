//! Files sealed with a key: AES-256-GCM in 64 KiB chunks, after the STREAM construction (Hoang,
//! Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance", 2015).
//!
//! A sealed file is a header (magic, version, 32 random bytes, 32 bytes that commit to the key)
//! and chunks of ciphertext, each with a 16-byte tag. HKDF-SHA-256 over the caller's key and the
//! random bytes gives each file its own key, nonce prefix and commitment. A chunk's nonce is
//! prefix (7 bytes), number (4) and whether it is the last (1); the header is authenticated with
//! every chunk. So nothing can be cut, swapped, repeated, spliced or changed unnoticed.

use std::io::{self, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use bartizan_core::Secret;
use bartizan_storage::{HEADER_LENGTH, header, split_header};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::symmetric::{constant_time_equal, random_bytes};

const MAGIC: &str = "bzseal";
const VERSION: u32 = 1;
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const SALT: usize = 32;
const COMMITMENT: usize = 32;
const PREFIX: usize = 7;
const SEALED_HEADER: usize = HEADER_LENGTH + SALT + COMMITMENT;

/// Why a file could not be sealed or opened.
#[derive(Debug, Error)]
pub enum SealError {
    /// Reading or writing failed.
    #[error("read or write: {0}")]
    Io(#[from] io::Error),
    /// Not a sealed file, or cut inside its header.
    #[error("byte 0: not a sealed file")]
    NotSealed,
    /// Sealed by a newer Bartizan.
    #[error("sealed with format version {0}, this program knows up to {VERSION}; use a newer bartizan")]
    Newer(u32),
    /// The file was sealed with another key.
    #[error("the key does not open this file")]
    WrongKey,
    /// The file was changed, cut or put together from parts.
    #[error("byte {0}: the sealed file was changed or cut")]
    Tampered(u64),
    /// More than 2^32 chunks.
    #[error("the file is longer than 256 TiB")]
    TooLong,
    /// The provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// Seals everything from `reader` into `writer`.
pub fn seal(mut reader: impl Read, mut writer: impl Write, key: &Secret<[u8; 32]>) -> Result<(), SealError> {
    let salt = random_bytes::<SALT>().map_err(|_| SealError::Provider)?;
    let derived = derive(key, &salt)?;
    let mut head = header(MAGIC, VERSION).to_vec();
    head.extend_from_slice(&salt);
    head.extend_from_slice(&derived.commitment);
    writer.write_all(&head)?;
    let mut chunk = Zeroizing::new(fill(&mut reader, CHUNK)?);
    let mut number = 0u32;
    loop {
        let next = Zeroizing::new(if chunk.len() == CHUNK { fill(&mut reader, CHUNK)? } else { Vec::new() });
        let last = next.is_empty();
        let nonce = derived.nonce(number, last);
        let tag = derived
            .cipher
            .seal_in_place_separate_tag(nonce, Aad::from(&head), chunk.as_mut_slice())
            .map_err(|_| SealError::Provider)?;
        writer.write_all(&chunk)?;
        writer.write_all(tag.as_ref())?;
        if last {
            return Ok(writer.flush()?);
        }
        number = number.checked_add(1).ok_or(SealError::TooLong)?;
        chunk = next;
    }
}

/// Opens a sealed file. Each chunk is written only after it was authenticated; that the file was
/// not cut is known only at the end, so discard what was written when this returns an error.
pub fn open(mut reader: impl Read, mut writer: impl Write, key: &Secret<[u8; 32]>) -> Result<(), SealError> {
    let head = fill(&mut reader, SEALED_HEADER)?;
    let (version, rest) = split_header(&head, MAGIC).ok_or(SealError::NotSealed)?;
    if version > VERSION {
        return Err(SealError::Newer(version));
    }
    let (salt, commitment) = rest.split_first_chunk::<SALT>().ok_or(SealError::NotSealed)?;
    if commitment.len() != COMMITMENT {
        return Err(SealError::NotSealed);
    }
    let derived = derive(key, salt)?;
    if !constant_time_equal(&derived.commitment, commitment) {
        return Err(SealError::WrongKey);
    }
    let mut at = SEALED_HEADER as u64;
    let mut chunk = Zeroizing::new(fill(&mut reader, CHUNK + TAG)?);
    let mut number = 0u32;
    loop {
        let next =
            Zeroizing::new(if chunk.len() == CHUNK + TAG { fill(&mut reader, CHUNK + TAG)? } else { Vec::new() });
        let last = next.is_empty();
        let length = chunk.len() as u64;
        let nonce = derived.nonce(number, last);
        let plain = derived
            .cipher
            .open_in_place(nonce, Aad::from(&head), chunk.as_mut_slice())
            .map_err(|_| SealError::Tampered(at))?;
        writer.write_all(plain)?;
        if last {
            return Ok(writer.flush()?);
        }
        at += length;
        number = number.checked_add(1).ok_or(SealError::Tampered(at))?;
        chunk = next;
    }
}

struct Derived {
    cipher: LessSafeKey,
    prefix: [u8; PREFIX],
    commitment: [u8; COMMITMENT],
}

impl Derived {
    fn nonce(&self, number: u32, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..PREFIX].copy_from_slice(&self.prefix);
        nonce[PREFIX..11].copy_from_slice(&number.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(key: &Secret<[u8; 32]>, salt: &[u8; SALT]) -> Result<Derived, SealError> {
    let secret = Salt::new(HKDF_SHA256, salt).extract(key.expose());
    let expand = |purpose: &[u8], out: &mut [u8]| {
        secret
            .expand(&[purpose], Length(out.len()))
            .and_then(|material| material.fill(out))
            .map_err(|_| SealError::Provider)
    };
    let mut file_key = Zeroizing::new([0; 32]);
    let (mut prefix, mut commitment) = ([0; PREFIX], [0; COMMITMENT]);
    expand(b"bartizan seal v1 key", file_key.as_mut_slice())?;
    expand(b"bartizan seal v1 nonce prefix", &mut prefix)?;
    expand(b"bartizan seal v1 commitment", &mut commitment)?;
    let key = UnboundKey::new(&AES_256_GCM, file_key.as_slice()).map_err(|_| SealError::Provider)?;
    Ok(Derived { cipher: LessSafeKey::new(key), prefix, commitment })
}

/// Up to `length` bytes; fewer only at the end.
fn fill(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    reader.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
