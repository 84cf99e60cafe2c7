//! All playbooks: the default ones, and the user's over them.

use std::path::{Path, PathBuf};

use bartizan_core::{Severity, printable};

use super::document::Playbook;
use crate::error::RespondError;
use crate::pack;
use crate::settings::{Settings, Webhook};

/// Largest playbook.
const FILE_BYTES: u64 = 1 << 20;

/// Playbooks that can be run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Library(Vec<Playbook>);

impl Library {
    /// Those that an alert starts.
    pub(crate) fn for_alert(&self, rule: &str, severity: Severity) -> impl Iterator<Item = &Playbook> {
        self.0.iter().filter(move |playbook| playbook.reacts_to(rule, severity))
    }
}

/// Checks settings and playbooks without taking them into use.
///
/// # Errors
/// The first thing that can't be used.
pub fn check(settings: &Settings) -> Result<(), RespondError> {
    load(settings).map(|_| ())
}

/// Loads what the settings name.
pub(crate) fn load(settings: &Settings) -> Result<Library, RespondError> {
    let refuse = |key, reason: String| Err(RespondError::Setting { key, reason });
    for (place, webhook) in settings.webhooks.iter().enumerate() {
        if webhook.name.is_empty() || !webhook.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return refuse(
                "webhooks",
                format!("`{}` is not a name; use letters, digits, `-` and `_`", printable(&webhook.name)),
            );
        }
        if settings.webhooks.iter().skip(place + 1).any(|other| other.name == webhook.name) {
            return refuse("webhooks", format!("two webhooks have the name `{}`", webhook.name));
        }
        if !webhook.url.starts_with("https://") && !webhook.url.starts_with("http://") {
            return refuse("webhooks", format!("the url of `{}` must start with https:// or http://", webhook.name));
        }
    }
    if settings.blast_radius.principals_percent > 100 {
        return refuse("blast_radius.principals_percent", "is a share in percent, from 0 to 100".to_owned());
    }
    if settings.expiry_seconds == 0 {
        return refuse("expiry_seconds", "must be above 0: every action ends".to_owned());
    }
    let mut playbooks = Vec::new();
    for (name, text) in pack::defaults() {
        add(&mut playbooks, Path::new(name), text, &settings.webhooks)?;
    }
    let mut files = Vec::new();
    settings.playbooks.iter().try_for_each(|path| collect(path, &mut files))?;
    for path in &files {
        let text = std::fs::read_to_string(path).map_err(|source| RespondError::Read { path: path.clone(), source })?;
        add(&mut playbooks, path, &text, &settings.webhooks)?;
    }
    Ok(Library(playbooks))
}

fn add(playbooks: &mut Vec<Playbook>, path: &Path, text: &str, webhooks: &[Webhook]) -> Result<(), RespondError> {
    let invalid = |reason: &str| RespondError::Playbook { path: path.to_owned(), reason: printable(reason) };
    let playbook = Playbook::parse(text).map_err(|reason| invalid(&reason))?;
    if let Some(name) = playbook.webhooks().find(|name| !webhooks.iter().any(|webhook| webhook.name == **name)) {
        return Err(invalid(&format!("names the webhook `{name}`, which is not in `respond.webhooks`")));
    }
    playbooks.retain(|other| other.id != playbook.id);
    playbooks.push(playbook);
    Ok(())
}

/// The `*.json` in a folder, or the file.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), RespondError> {
    let read = |source| RespondError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(read)?.is_file() {
        let bytes = std::fs::metadata(path).map_err(read)?.len();
        if bytes > FILE_BYTES {
            let reason = format!("is larger than {FILE_BYTES} bytes; split it");
            return Err(RespondError::Playbook { path: path.to_owned(), reason });
        }
        files.push(path.to_owned());
        return Ok(());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(read)? {
        let entry = entry.map_err(read)?.path();
        if entry.extension().is_some_and(|extension| extension == "json") {
            found.push(entry);
        }
    }
    found.sort();
    found.iter().try_for_each(|file| collect(file, files))
}
