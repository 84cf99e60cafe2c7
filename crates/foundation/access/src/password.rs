//! Passwords of people who use the console: Argon2id, in the form of a PHC string.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc};
use argon2::{Algorithm, Argon2, Params, Version};
use bartizan_core::Secret;
use serde::{Deserialize, Serialize};

use crate::error::AccessError;
use crate::key::{random, random_word};

/// 19 MiB, 2 passes, 1 lane: the first choice of the OWASP Password Storage Cheat Sheet.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// The stored form of a password.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password with a fresh salt. Takes some 20 ms by design.
    ///
    /// # Errors
    /// When the system gives no randomness or memory.
    pub fn new(password: &Secret<String>) -> Result<Self, AccessError> {
        let salt: [u8; 16] = random()?;
        let hash: phc::PasswordHash =
            hasher()?.hash_password_with_salt(password.expose().as_bytes(), &salt).map_err(|_| AccessError::Secret)?;
        Ok(Self(hash.to_string()))
    }

    /// Whether that is the password. Takes as long either way.
    pub fn verify(&self, password: &Secret<String>) -> bool {
        let Ok(hash) = phc::PasswordHash::new(&self.0) else { return false };
        let Ok(hasher) = hasher() else { return false };
        hasher.verify_password(password.expose().as_bytes(), &hash).is_ok()
    }
}

fn hasher() -> Result<Argon2<'static>, AccessError> {
    let parameters = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| AccessError::Secret)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

/// A password to be shown once: four groups of five characters, 100 bits.
///
/// # Errors
/// When the system gives no randomness.
pub fn one_time_password() -> Result<Secret<String>, AccessError> {
    let groups = (0..4).map(|_| random_word(5)).collect::<Result<Vec<_>, _>>()?;
    Ok(Secret::new(groups.join("-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_is_accepted() {
        let password = one_time_password().unwrap();
        let hash = PasswordHash::new(&password).unwrap();
        assert!(hash.verify(&password));
        assert!(!hash.verify(&Secret::new(format!("{}x", password.expose()))));
        assert!(!hash.0.contains(password.expose().as_str()));
    }
}
