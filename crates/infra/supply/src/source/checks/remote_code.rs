//! Code and models that are fetched while loading.

use bartizan_core::Severity;

use super::super::call::Call;
use super::super::rules::{REMOTE_CODE, UNPINNED_MODEL};
use super::Verdict;

/// Functions that fetch a repository from a model hub; the name of the repository comes first.
const FETCHES: &[&str] =
    &["from_pretrained", "hf_hub_download", "snapshot_download", "load_dataset", "load_dataset_builder"];

/// `trust_remote_code=True`, in any call: the keyword means the same wherever it stands.
pub(super) fn trusted_remote_code(call: &Call) -> Option<Verdict> {
    call.keyword("trust_remote_code").filter(|value| value.is(true))?;
    let verdict = Verdict::new(&REMOTE_CODE, format!("`{}` with `trust_remote_code=True`", call.shown()));
    let pins = ["revision", "code_revision"];
    if pins.iter().any(|name| call.keyword(name).and_then(|value| value.as_text()).is_some_and(is_commit)) {
        let message = format!("{}, pinned to a commit", verdict.message);
        return Some(Verdict { message, ..verdict }.with_severity(Severity::Low));
    }
    Some(verdict)
}

/// `torch.hub.load` runs `hubconf.py` of a repository.
pub(super) fn hub_entry_point(call: &Call) -> Option<Verdict> {
    if !matches!(call.path.as_str(), "torch.hub.load" | "torch.hub.help" | "torch.hub.list") {
        return None;
    }
    if call.keyword("source").and_then(|value| value.as_text()) == Some("local") {
        return None;
    }
    let repository = call.argument(0, "repo_or_dir").and_then(|value| value.as_text());
    let pinned = repository.and_then(|name| name.rsplit_once(':')).is_some_and(|(_, commit)| is_commit(commit));
    let name = repository.map_or(String::new(), |name| format!(" of `{name}`"));
    let severity = if pinned { Severity::Low } else { Severity::Medium };
    Some(Verdict::new(&REMOTE_CODE, format!("`{}` runs `hubconf.py`{name}", call.path)).with_severity(severity))
}

/// A repository by name without a commit.
pub(super) fn unpinned_model(call: &Call) -> Option<Verdict> {
    if !FETCHES.contains(&call.method()) || call.is_open || call.keyword("revision").is_some() {
        return None;
    }
    let names = ["repo_id", "pretrained_model_name_or_path", "path"];
    let name = names.iter().find_map(|name| call.keyword(name)).or_else(|| call.arguments.first())?.as_text()?;
    is_repository(name)
        .then(|| Verdict::new(&UNPINNED_MODEL, format!("`{}` of `{name}` without `revision=`", call.shown())))
}

/// `owner/name` as hubs write it, which no relative path of the project looks like.
fn is_repository(name: &str) -> bool {
    let Some((owner, name)) = name.split_once('/') else { return false };
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    part(owner) && part(name)
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}
