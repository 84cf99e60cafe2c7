//! Looking into one model file, and writing its weights in a format without code.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use bartizan_artifact::weights::{Weights, WeightsError, Written};
use bartizan_core::{Completeness, Component, ComponentKind, Digest};
pub use bartizan_inspect::Tensor;
use bartizan_inspect::{Contents, Limits, Source, examine_contents};
use thiserror::Error;

use crate::output::refuse_special_file;
use crate::scan::{Area, inspectors, sha256};

/// A model can't be looked into or converted.
#[derive(Debug, Error)]
pub enum ModelError {
    /// It can't be opened.
    #[error("`{path}` can't be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// It changed or broke off while it was read.
    #[error("`{path}` {reason}")]
    Changed {
        /// The file.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// Its weights can't be taken out.
    #[error("`{path}` is not converted: {cause}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: WeightsError,
    },
    /// The result is there already.
    #[error("`{0}` exists; give another --output, or --force to replace it")]
    Exists(PathBuf),
    /// The result would take the place of what is converted.
    #[error("`{0}` can't be converted onto itself; give another --output")]
    Itself(PathBuf),
    /// The result can't be written.
    #[error("`{path}` can't be written: {cause}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
}

/// What is in a model file.
pub struct Inside {
    /// What the bytes are.
    pub format: &'static str,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of all bytes.
    pub digest: Digest,
    /// How much could be followed.
    pub completeness: Completeness,
    /// The worst findings of a scan, by rule, with how often.
    pub findings: Vec<(String, &'static str, bartizan_core::Severity)>,
    /// The models in it, with what is derived and what is claimed.
    pub models: Vec<Component>,
    /// Tensors, operators, metadata.
    pub contents: Contents,
}

/// What is in the file at `path`, which is not loaded.
///
/// # Errors
/// The file can't be opened or read to its end.
pub fn look(path: &Path) -> Result<Inside, ModelError> {
    let name =
        path.file_name().map_or_else(|| "model".to_owned(), |name| bartizan_core::printable(&name.to_string_lossy()));
    let unreadable = |cause| ModelError::Unreadable { path: path.to_owned(), cause };
    let source = Source::open(&name, path, Limits::default()).map_err(unreadable)?;
    let source = source.within(path, path.parent().unwrap_or(Path::new(".")));
    let (examination, contents) = examine_contents(&source, &inspectors(&[Area::Models]));
    let digest =
        sha256(path, source.length()).map_err(|reason| ModelError::Changed { path: path.to_owned(), reason })?;
    let mut findings: Vec<_> = examination
        .findings
        .iter()
        .map(|finding| (finding.message.clone(), finding.rule.id, finding.severity))
        .collect();
    findings.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(b.1)).then_with(|| a.0.cmp(&b.0)));
    findings.dedup();
    let models = examination.components.into_iter().filter(|part| part.kind == ComponentKind::Model);
    Ok(Inside {
        format: examination.format.as_str(),
        bytes: source.length(),
        digest,
        completeness: examination.completeness,
        findings,
        models: models.collect(),
        contents,
    })
}

/// What to convert, and into what.
pub struct Conversion<'a> {
    /// A file of `torch.save`.
    pub input: &'a Path,
    /// The file to write.
    pub output: &'a Path,
    /// The part of a checkpoint to take, such as `state_dict`; all of it when absent.
    pub key: Option<&'a str>,
    /// Whether an existing file may be replaced.
    pub replace: bool,
}

/// What a conversion wrote.
pub struct Converted {
    /// Tensors and bytes.
    pub written: Written,
    /// Values that are no tensors and were left out, by name.
    pub left_out: Vec<String>,
    /// SHA-256 of the file that was read.
    pub input: Digest,
    /// SHA-256 of the file that was written.
    pub output: Digest,
}

/// Writes the tensors of a PyTorch file as safetensors, bit for bit, without running anything of it.
///
/// The result takes its place at once when it is complete; whatever fails leaves nothing behind.
///
/// # Errors
/// The file names anything but tensors and their containers, is damaged, or the result can't be written.
pub fn convert(conversion: &Conversion<'_>) -> Result<Converted, ModelError> {
    let Conversion { input, output, key, replace } = *conversion;
    // A link that leads nowhere is there too.
    if output.symlink_metadata().is_ok() && !replace {
        return Err(ModelError::Exists(output.to_owned()));
    }
    let unwritable = |cause| ModelError::Unwritable { path: output.to_owned(), cause };
    refuse_special_file(output).map_err(unwritable)?;
    let unreadable = |cause| ModelError::Unreadable { path: input.to_owned(), cause };
    if output.canonicalize().is_ok_and(|output| input.canonicalize().is_ok_and(|input| input == output)) {
        return Err(ModelError::Itself(input.to_owned()));
    }
    let refused = |cause| ModelError::Weights { path: input.to_owned(), cause };
    let length = input.metadata().map_err(unreadable)?.len();
    let limits = Limits { bytes: length.saturating_mul(32).max(Limits::default().bytes), ..Limits::default() };
    let limits = Limits { time: std::time::Duration::from_secs(24 * 3600), ..limits };
    let source = Source::open("model", input, limits).map_err(unreadable)?;
    let mut weights = Weights::read(&source).map_err(refused)?;
    if let Some(key) = key {
        weights = weights.below(key).map_err(refused)?;
    }
    let digest_of_input =
        sha256(input, source.length()).map_err(|reason| ModelError::Changed { path: input.to_owned(), reason })?;
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = output.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let file = File::create_new(&temporary).map_err(unwritable)?;
    let mut buffered = BufWriter::with_capacity(1 << 20, file);
    let outcome = weights.write_safetensors(&mut buffered).map_err(refused).and_then(|written| {
        buffered.flush().map_err(unwritable)?;
        buffered.get_ref().sync_all().map_err(unwritable)?;
        let digest = sha256(&temporary, written.bytes)
            .map_err(|reason| ModelError::Changed { path: temporary.clone(), reason })?;
        std::fs::rename(&temporary, output).map_err(unwritable)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
        Ok((written, digest))
    });
    let (written, digest) = match outcome {
        Ok(done) => done,
        Err(error) => {
            let _ = std::fs::remove_file(&temporary);
            return Err(error);
        }
    };
    let left_out = weights.others().iter().cloned().collect();
    Ok(Converted { written, left_out, input: digest_of_input, output: digest })
}
