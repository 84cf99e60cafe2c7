//! The model that is guarded: where it comes from, and whether it may be loaded at all.

use std::path::{Path, PathBuf};

use bartizan_core::{Asset, AssetKind, Severity, Tenant};
use bartizan_gateway::Embedded;
use bartizan_inference::{Budget, Model, Profile};

use crate::config::ModelSettings;
use crate::error::ServeError;

/// The model that ships with Bartizan.
const DIGITS: &[u8] = include_bytes!("../../../../models/digits/digits.onnx");
const DIGITS_PROFILE: &[u8] = include_bytes!("../../../../models/digits/digits.profile.json");

/// Which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The digits classifier that ships with Bartizan.
    Shipped,
    /// A file of the user's; `NAME.profile.json` beside it is its profile.
    File(PathBuf),
}

/// Reads, scans and loads a model.
///
/// # Errors
/// It can't be read, is found hostile or incomplete, is over budget, or can't be run.
pub fn load_model(source: &ModelSource, settings: &ModelSettings) -> Result<(Embedded, Option<Profile>), ServeError> {
    let (name, bytes, profile) = match source {
        ModelSource::Shipped => (
            "digits".to_owned(),
            DIGITS.to_vec(),
            Some((PathBuf::from("digits.profile.json"), DIGITS_PROFILE.to_vec())),
        ),
        ModelSource::File(path) => read(path)?,
    };
    let digest = bartizan_signing::digest(&bytes);
    let budget = Budget { file_bytes: settings.file_bytes, parameters: settings.parameters };
    let model = Model::load(bytes, budget)?;
    let mut signature = model.signature().clone();
    let profile = profile
        .map(|(path, bytes)| Profile::parse(&bytes).map_err(|source| ServeError::Profile { path, source }))
        .transpose()?;
    if let Some(profile) = &profile {
        for input in signature.inputs.iter_mut().filter(|input| input.name == profile.input) {
            input.range = Some((profile.minimum, profile.maximum));
        }
    }
    let asset = Asset::new(Tenant::default(), AssetKind::Model, &name).with_digest(digest);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let parallel = if settings.parallel == 0 { processors } else { settings.parallel };
    Ok((Embedded::new(asset, digest, signature, model, parallel), profile))
}

type Read = (String, Vec<u8>, Option<(PathBuf, Vec<u8>)>);

fn read(path: &Path) -> Result<Read, ServeError> {
    let file =
        |path: &Path| std::fs::read(path).map_err(|source| ServeError::ModelFile { path: path.to_owned(), source });
    let bytes = file(path)?;
    admit(path, &bytes)?;
    let beside = path.with_extension("profile.json");
    let profile = if beside.exists() { Some((beside.clone(), file(&beside)?)) } else { None };
    let name = path.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned());
    Ok((name, bytes, profile))
}

/// The admission check, on the very bytes that are loaded: nothing hostile, nothing left unlooked at.
fn admit(path: &Path, bytes: &[u8]) -> Result<(), ServeError> {
    let refused = |reason: String| Err(ServeError::ModelRefused { path: path.to_owned(), reason });
    let report = bartizan_engine::scan::scan_bytes(&path.display().to_string(), bytes.to_vec());
    let hostile = report.findings().iter().filter(|finding| finding.severity >= Severity::High);
    if let Some(worst) = hostile.max_by_key(|finding| finding.severity) {
        return refused(format!("{}: {}", worst.rule.id, worst.message));
    }
    if !report.is_complete() {
        return refused("it could not be inspected to its end".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_loads_with_the_range_of_its_profile() {
        let (model, profile) = load_model(&ModelSource::Shipped, &ModelSettings::default()).unwrap();
        assert_eq!(model.asset.name(), "digits");
        assert_eq!(model.signature.inputs[0].range, Some((0.0, 16.0)));
        assert_eq!(profile.unwrap().rows.len(), 256);
    }

    #[test]
    fn a_pickle_under_the_name_of_a_model_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, b"cos\nsystem\n(S'id'\ntR.").unwrap();
        let error = load_model(&ModelSource::File(path), &ModelSettings::default()).err().unwrap().to_string();
        assert!(error.contains("not served"), "{error}");
    }
}
