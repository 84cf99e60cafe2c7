//! TLS at the door: version 1.3 only, hybrid post-quantum key exchange first (X25519MLKEM768), certificates that are
//! reloaded without dropping a connection, client certificates where they are wanted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `[gateway.tls]` of `bartizan.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// PEM file with the door's certificate, and the intermediate ones behind it; empty for no TLS.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
    /// PEM file with the authorities whose client certificates are accepted; empty for none.
    pub client_ca: PathBuf,
    /// Whether a client must have a certificate: `optional` beside keys and tokens, or `required` of every connection.
    pub client_certificates: ClientCertificates,
}

/// Whether a client must have a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificates {
    /// A key or a token will do as well.
    #[default]
    Optional,
    /// No connection without one.
    Required,
}

/// Why TLS can't be served.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file that can't be read as PEM.
    #[error("gateway.tls.{key}: can't read {path}: {reason}")]
    File {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("gateway.tls: {0}; see that `key` is the one that `certificate` was issued for")]
    Unusable(#[from] rustls::Error),
    /// The authorities can't be used.
    #[error("gateway.tls.client_ca: {0}")]
    Authorities(String),
}

/// TLS as it is in force; a reload replaces it for connections that begin from then on.
pub struct Tls {
    config: ArcSwap<ServerConfig>,
}

/// TLS that can be taken into use.
pub struct PreparedTls(Arc<ServerConfig>);

impl TlsSettings {
    /// Whether TLS is wanted.
    pub fn is_wanted(&self) -> bool {
        !self.certificate.as_os_str().is_empty()
    }

    /// What can't be used of it: the key, and why.
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let is_set = |path: &Path| !path.as_os_str().is_empty();
        if is_set(&self.certificate) != is_set(&self.key) {
            return Some(("tls.key", "and `certificate` go together; name both files"));
        }
        if !self.is_wanted() && is_set(&self.client_ca) {
            return Some(("tls.client_ca", "needs `certificate` and `key`: client certificates come with TLS"));
        }
        if self.client_certificates == ClientCertificates::Required && !is_set(&self.client_ca) {
            return Some(("tls.client_certificates", "are required, but `client_ca` names no authority"));
        }
        None
    }
}

impl Tls {
    /// Reads the files and makes them ready for use.
    ///
    /// # Errors
    /// A file can't be read, or does not go with the others.
    pub fn prepare(settings: &TlsSettings) -> Result<PreparedTls, TlsError> {
        let chain = certificates("certificate", &settings.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|error| unread("key", &settings.key, error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&rustls::version::TLS13])?;
        let builder = if settings.client_ca.as_os_str().is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for authority in certificates("client_ca", &settings.client_ca)? {
                roots.add(authority)?;
            }
            let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            if settings.client_certificates == ClientCertificates::Optional {
                verifier = verifier.allow_unauthenticated();
            }
            builder
                .with_client_cert_verifier(verifier.build().map_err(|error| TlsError::Authorities(error.to_string()))?)
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(PreparedTls(Arc::new(config)))
    }

    /// Takes what was prepared into use.
    pub fn new(prepared: PreparedTls) -> Self {
        Self { config: ArcSwap::new(prepared.0) }
    }

    /// Takes other files into use, for connections that begin from now on.
    pub fn replace(&self, prepared: PreparedTls) {
        self.config.store(prepared.0);
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| unread(key, path, error))?;
    if found.is_empty() {
        let reason = "it holds no certificate in PEM".to_owned();
        return Err(TlsError::File { key, path: path.to_owned(), reason });
    }
    Ok(found)
}

fn unread(key: &'static str, path: &Path, error: impl std::fmt::Display) -> TlsError {
    TlsError::File { key, path: path.to_owned(), reason: error.to_string() }
}
