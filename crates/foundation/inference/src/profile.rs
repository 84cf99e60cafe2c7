//! What a model's inputs normally look like: the reference that the watchers compare traffic with.

use serde::Deserialize;
use thiserror::Error;

/// The file is not a profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// Not the JSON that is expected.
    #[error("the profile is not valid: {0}; write it as models/digits/train.py does")]
    Invalid(String),
    /// Made by a newer Bartizan.
    #[error("the profile has version {0}, this Bartizan reads version 1; upgrade Bartizan")]
    Newer(u32),
}

/// `MODEL.profile.json`, beside `MODEL.onnx`: allowed range and reference rows of one input, taken
/// from training data by whoever trained the model.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    v: u32,
    /// The input that it describes.
    pub input: String,
    /// Smallest value that means anything.
    pub minimum: f32,
    /// Largest value that means anything.
    pub maximum: f32,
    /// Reference rows, all of the same length; at most 4,096.
    pub rows: Vec<Vec<f32>>,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// Not JSON of that shape, rows of unequal length, values that are not finite, or a newer version.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProfileError> {
        let profile: Self = serde_json::from_slice(bytes)
            .map_err(|error| ProfileError::Invalid(bartizan_core::printable(&error.to_string())))?;
        if profile.v != 1 {
            return Err(ProfileError::Newer(profile.v));
        }
        let width = profile.rows.first().map_or(0, Vec::len);
        let regular = width > 0
            && profile.rows.len() <= 4096
            && profile.rows.iter().all(|row| row.len() == width && row.iter().all(|value| value.is_finite()));
        if !regular {
            return Err(ProfileError::Invalid(
                "`rows` must be 1 to 4,096 rows of equal length and finite numbers".to_owned(),
            ));
        }
        Ok(profile)
    }
}
