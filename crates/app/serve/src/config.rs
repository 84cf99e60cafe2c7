//! `bartizan.toml`: flag > `BARTIZAN_SECTION__KEY` > file > default.
//!
//! Each crate owns its section; this file owns only what is the daemon's own. Unknown keys are
//! refused with the nearest known one, and secrets stand in it by reference only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bartizan_access::WorkloadSettings;
use bartizan_access::token::{IssuerError, IssuerSettings};
use bartizan_core::Secret;
use bartizan_gateway::{KeyHeader, UpstreamSettings, UpstreamWithKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The guarded endpoint.
    pub gateway: bartizan_gateway::Settings,
    /// The server behind it, where it is not the embedded model and there is only one.
    pub upstream: Upstream,
    /// The servers behind it, where there are several.
    pub upstreams: Vec<UpstreamSettings>,
    /// What a model may cost.
    pub model: ModelSettings,
    /// Who may do what.
    pub access: AccessSettings,
    /// The tamper-evident log.
    pub ledger: LedgerSettings,
    /// What is watched for in traffic.
    pub monitor: bartizan_monitor::Settings,
    /// Rules over events.
    pub detect: DetectSettings,
    /// Incidents and playbooks.
    pub respond: bartizan_respond::Settings,
    /// The console and the admin API.
    pub console: ConsoleSettings,
    /// What goes to stderr.
    pub log: LogSettings,
}

/// `[upstream]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// Where the server is; empty for the embedded model.
    pub url: String,
    /// Reference to the credential that is sent to it; empty for none.
    pub key: String,
    /// How the credential is sent: `authorization`, `x-api-key` or `api-key`.
    pub key_header: KeyHeader,
}

/// `[model]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// Largest model file in bytes.
    pub file_bytes: usize,
    /// Largest number of parameters.
    pub parameters: usize,
    /// Inferences that run at the same time; 0 for one a processor.
    pub parallel: usize,
}

/// `[access]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSettings {
    /// Cedar files, or folders of them, that hold beside the default policies.
    pub policies: Vec<PathBuf>,
    /// Issuers whose access tokens open the door, by a name of your choice.
    pub issuers: BTreeMap<String, IssuerSettings>,
    /// Workloads whose client certificates open the door.
    pub workloads: Vec<WorkloadSettings>,
}

/// `[ledger]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerSettings {
    /// First part of the log's origin; the second is the installation's own name.
    pub project: String,
    /// Folder outside the state folder where the last checkpoint is kept; empty for the user's
    /// state folder (`$XDG_STATE_HOME/bartizan/anchors`).
    pub anchor: PathBuf,
}

/// `[detect]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectSettings {
    /// Folders of Sigma rules that hold beside the default pack.
    pub rules: Vec<PathBuf>,
}

/// `[console]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleSettings {
    /// Address of console and admin API.
    pub listen: String,
    /// Minutes after which a person must log in again.
    pub session_minutes: u32,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// `text` or `json`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, or a filter such as `info,bartizan_gateway=debug`.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for ModelSettings {
    fn default() -> Self {
        let budget = bartizan_inference::Budget::default();
        Self { file_bytes: budget.file_bytes, parameters: budget.parameters, parallel: 0 }
    }
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self { project: "bartizan.local".to_owned(), anchor: PathBuf::new() }
    }
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8471".to_owned(), session_minutes: 60 }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// Why a configuration can't be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not TOML, or has keys or values that are not known.
    #[error("{place}: {reason}")]
    Invalid {
        /// File with line, or environment variable.
        place: String,
        /// What is wrong and what was meant, perhaps.
        reason: String,
    },
    /// A value that types can't refuse.
    #[error(transparent)]
    Gateway(#[from] bartizan_gateway::SettingsError),
    /// An issuer of tokens that can't be used.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// A value that types can't refuse.
    #[error("{key}: {reason}")]
    Value {
        /// Section and key.
        key: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A reference to a secret that leads nowhere.
    #[error("the secret `{reference}` can't be read: {reason}")]
    Secret {
        /// The reference, which is no secret.
        reference: String,
        /// Why.
        reason: String,
    },
}

impl Config {
    /// Reads the file, where there is one, and lays the environment over it.
    ///
    /// # Errors
    /// The file or a variable is not understood, or a value can't be used.
    pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut table = match file {
            None => toml::Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
                // Read once as the real thing, so that an error names its line in the file.
                toml::from_str::<Self>(&text).map_err(|error| invalid(&path.display().to_string(), &text, &error))?;
                text.parse().map_err(|error| invalid(&path.display().to_string(), &text, &error))?
            }
        };
        let mut variables: Vec<_> =
            environment.filter(|(name, _)| name.starts_with("BARTIZAN_") && name.contains("__")).collect();
        variables.sort();
        for (name, value) in variables {
            lay_over(&mut table, &name, &value)?;
        }
        let config: Self = table.try_into().map_err(|error: toml::de::Error| ConfigError::Invalid {
            place: "configuration".to_owned(),
            reason: with_hint(error.message()),
        })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what types can't.
    ///
    /// # Errors
    /// The first value that can't be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.gateway.check()?;
        bartizan_gateway::check_upstreams(&self.upstreams)?;
        if !self.upstreams.is_empty() && !self.upstream.url.is_empty() {
            return Err(ConfigError::Value {
                key: "upstream",
                reason: "stands beside `[[upstreams]]`; name each server there, and leave this one out".to_owned(),
            });
        }
        bartizan_gateway::Tokens::check(&self.access.issuers)?;
        let wrong = |key, reason: &str| Err(ConfigError::Value { key, reason: reason.to_owned() });
        let Ok(console) = self.console.listen.parse::<std::net::SocketAddr>() else {
            return wrong("console.listen", "is not an address; write it as `127.0.0.1:8471`");
        };
        let gateway = self.gateway.listen.parse::<std::net::SocketAddr>();
        if gateway.is_ok_and(|address| !address.ip().is_loopback()) && !self.gateway.tls.is_wanted() {
            return wrong(
                "gateway.listen",
                "is not a loopback address, and there is no TLS; set `gateway.tls` (`bartizan access ca` makes certificates), or listen on 127.0.0.1",
            );
        }
        if let Some((place, fault)) =
            self.access.workloads.iter().enumerate().find_map(|(at, workload)| Some((at, workload.fault()?)))
        {
            return wrong("access.workloads", &format!("number {} {fault}", place + 1));
        }
        if self.access.issuers.contains_key(bartizan_access::WORKLOAD) {
            return wrong(
                "access.issuers",
                "name one `workload`, which is what ids of workloads begin with; choose another name",
            );
        }
        if !self.access.workloads.is_empty() && self.gateway.tls.client_ca.as_os_str().is_empty() {
            return wrong("access.workloads", "need `gateway.tls.client_ca`: they are known by their certificates");
        }
        if !console.ip().is_loopback() {
            return wrong(
                "console.listen",
                "is not a loopback address, and this version serves no TLS; listen on 127.0.0.1 behind a TLS proxy",
            );
        }
        if self.console.session_minutes == 0 {
            return wrong("console.session_minutes", "must be at least 1");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        if self.ledger.project.is_empty() || !self.ledger.project.chars().all(plain) {
            return wrong("ledger.project", "must be letters, digits and `.-_/`, such as `example.org/vision`");
        }
        Ok(())
    }
}

impl Config {
    /// The servers behind the door with their credentials; none for the embedded model.
    ///
    /// # Errors
    /// A reference to a credential that leads nowhere.
    pub fn upstreams(&self) -> Result<Vec<UpstreamWithKey>, ConfigError> {
        let only = (!self.upstream.url.is_empty()).then(|| UpstreamSettings {
            name: "upstream".to_owned(),
            url: self.upstream.url.clone(),
            key: self.upstream.key.clone(),
            key_header: self.upstream.key_header,
            ..UpstreamSettings::default()
        });
        let with_key = |settings: UpstreamSettings| {
            let key = (!settings.key.is_empty()).then(|| resolve_secret(&settings.key)).transpose()?;
            Ok(UpstreamWithKey { settings, key })
        };
        only.into_iter().chain(self.upstreams.iter().cloned()).map(with_key).collect()
    }
}

/// The value that a reference such as `env:NAME` or `file:PATH` leads to.
///
/// # Errors
/// The reference has another form, or leads nowhere.
pub fn resolve_secret(reference: &str) -> Result<Secret<String>, ConfigError> {
    let wrong = |reason: String| ConfigError::Secret { reference: bartizan_core::printable(reference), reason };
    match reference.split_once(':') {
        Some(("env", name)) => {
            std::env::var(name).map(Secret::new).map_err(|_| wrong("there is no such variable".to_owned()))
        }
        Some(("file", path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
            Ok(Secret::new(text.trim_end().to_owned()))
        }
        Some(("keyring" | "openbao", _)) => Err(wrong("this version reads `env:NAME` and `file:PATH` only".to_owned())),
        _ => Err(ConfigError::Secret {
            reference: "…".to_owned(),
            reason: "secrets are named, not written down: use `env:NAME` or `file:PATH`".to_owned(),
        }),
    }
}

fn lay_over(table: &mut toml::Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let path: Vec<String> = name.trim_start_matches("BARTIZAN_").split("__").map(str::to_lowercase).collect();
    let (Some(key), sections) = (path.last(), path.get(..path.len().saturating_sub(1)).unwrap_or_default()) else {
        return Ok(());
    };
    let mut place = table;
    for section in sections {
        let entry = place.entry(section.clone()).or_insert_with(|| toml::Table::new().into());
        place = entry.as_table_mut().ok_or_else(|| ConfigError::Invalid {
            place: name.to_owned(),
            reason: format!("`{section}` is not a section"),
        })?;
    }
    // A value that reads as TOML is that (8, true, ["a"]); anything else is text.
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    place.insert(key.clone(), parsed.unwrap_or_else(|| value.into()));
    Ok(())
}

fn invalid(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let place = error.span().map_or_else(
        || file.to_owned(),
        |span| {
            let before = text.get(..span.start).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, str::len) + 1;
            format!("{file}:{line}:{column}")
        },
    );
    ConfigError::Invalid { place, reason: with_hint(error.message()) }
}

/// Adds `did you mean …` to serde's list of what it expected.
fn with_hint(message: &str) -> String {
    let message = bartizan_core::printable(&message.replace('\n', " "));
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let hint = names
        .split_first()
        .filter(|_| message.starts_with("unknown"))
        .and_then(|(wrong, known)| known.iter().min_by_key(|name| strsim::damerau_levenshtein(wrong, name)));
    match hint {
        Some(hint) => format!("{message}; did you mean `{hint}`?"),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bartizan.toml");
        std::fs::write(&path, text).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(&path), environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
        let text = "[gateway]\nburst = 7\nbody_bytes = 1000\n";
        let config = load(
            text,
            &[("BARTIZAN_GATEWAY__BURST", "9"), ("BARTIZAN_GATEWAY__MODE", "enforce"), ("BARTIZAN_LONG", "1")],
        )
        .unwrap();
        assert_eq!((config.gateway.burst, config.gateway.body_bytes), (9, 1000));
        assert_eq!(config.gateway.mode, bartizan_gateway::Mode::Enforce);
        assert_eq!(config.gateway.requests_per_second, bartizan_gateway::Settings::default().requests_per_second);
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line_and_the_nearest_one() {
        let error = load("[gateway]\n\nburts = 7\n", &[]).unwrap_err();
        assert!(error.contains("bartizan.toml:3:1") && error.contains("did you mean `burst`?"), "{error}");
        let error = load("", &[("BARTIZAN_GATEWAY__BURTS", "7")]).unwrap_err();
        assert!(error.contains("did you mean `burst`?"), "{error}");
    }

    #[test]
    fn a_public_address_without_tls_is_refused() {
        let error = load("[gateway]\nlisten = \"0.0.0.0:8470\"\n", &[]).unwrap_err();
        assert!(error.contains("gateway.listen") && error.contains("TLS"), "{error}");
    }

    #[test]
    fn a_secret_that_is_written_down_is_refused_and_not_repeated() {
        let error = resolve_secret("sk-12345").err().unwrap().to_string();
        assert!(error.contains("env:NAME") && !error.contains("12345"), "{error}");
    }
}
