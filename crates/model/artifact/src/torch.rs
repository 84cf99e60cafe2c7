//! What is particular to PyTorch's ZIP files: members that hold raw tensors.

use bartizan_core::Completeness;
use bartizan_inspect::{Findings, Format, Inspect, Source};

/// Whether the member is a tensor's bytes: `PREFIX/data/NUMBER` beside `PREFIX/data.pkl`. PyTorch
/// never unpickles it, and random bytes would look like anything.
pub(crate) fn is_storage(source: &Source) -> bool {
    let Some((folder, number)) = source.member().rsplit_once('/') else { return false };
    let Some(prefix) = folder.strip_suffix("data") else { return false };
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && (prefix.is_empty() || prefix.ends_with('/'))
        && source.has_sibling(&format!("{prefix}data.pkl"))
}

/// Whether the member is a pickle of a TorchScript archive, which PyTorch's own reader loads.
pub(crate) fn is_script(source: &Source) -> bool {
    let Some((prefix, name)) = source.member().rsplit_once('/') else { return false };
    matches!(name, "data.pkl" | "constants.pkl")
        && source.has_sibling(&format!("{prefix}/constants.pkl"))
        && source.has_sibling(&format!("{prefix}/version"))
}

/// Whether the member is one of the two of a PyTorch tar (before 0.2) in which pickles and raw tensors take
/// turns.
pub(crate) fn is_tar_part(source: &Source) -> bool {
    matches!(source.member(), "storages" | "tensors") && source.has_sibling("pickle") && source.has_sibling("sys_info")
}

/// Knows the raw tensors of a PyTorch file, about which there is nothing to find.
#[derive(Clone, Copy, Debug, Default)]
pub struct TensorStorage;

impl Inspect for TensorStorage {
    fn name(&self) -> &'static str {
        "tensor-storage"
    }

    fn claims(&self, source: &Source, _: Format) -> bool {
        is_storage(source)
    }

    fn inspect(&self, _: &Source, _: &mut Findings) -> Completeness {
        Completeness::Complete
    }
}
