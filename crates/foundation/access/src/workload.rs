//! Workloads that come with a certificate of their own (mutual TLS): who they are follows from a subject alternative name,
//! a SPIFFE ID (SPIFFE X.509-SVID, section 2) or a DNS name.
//!
//! The TLS library has verified the chain; here a name becomes a principal, and what is held against it counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_core::{Tenant, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::authenticate::{Caller, Denied};
use crate::directory::Directory;
use crate::principal::{Principal, Role};
use crate::token::Pseudonyms;

/// What ids of workloads begin with, as those of principals that come with tokens begin with their issuer's name.
pub const WORKLOAD: &str = "workload";
/// Most names of a certificate that are looked at.
const NAMES: usize = 64;
/// Longest name in bytes (SPIFFE ID, section 2.3).
const NAME_BYTES: usize = 2048;

/// `[[access.workloads]]` of `bartizan.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSettings {
    /// `spiffe://example.org/ns/ml/sa/trainer`, `spiffe://example.org/ns/ml/*` for all below, or `dns:trainer.example.org`.
    pub identity: String,
    /// What they are there for.
    pub roles: BTreeSet<Role>,
    /// Whose they are.
    #[serde(default)]
    pub tenant: Tenant,
}

/// What a client certificate says, once its chain has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    identities: Vec<String>,
    is_ambiguous: bool,
    fingerprint: String,
    not_before: i64,
    not_after: i64,
}

/// Why a certificate can't be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CertificateFault {
    /// Not a certificate.
    #[error("the certificate can't be read")]
    Malformed,
}

/// Whose certificates open the door.
pub struct Workloads {
    settings: Vec<WorkloadSettings>,
    pseudonyms: Pseudonyms,
}

impl WorkloadSettings {
    /// What can't be used of it.
    pub fn fault(&self) -> Option<&'static str> {
        let name = self.identity.strip_prefix("spiffe://").or_else(|| self.identity.strip_prefix("dns:"));
        let Some(name) = name.filter(|name| !name.is_empty() && self.identity.len() <= NAME_BYTES) else {
            return Some("has an `identity` that is neither `spiffe://…` nor `dns:…`");
        };
        let starless = name.strip_suffix("/*").unwrap_or(name);
        if starless.contains('*') || starless.is_empty() || (self.identity.starts_with("dns:") && starless != name) {
            return Some("has a `*` elsewhere than behind the last `/` of a SPIFFE ID");
        }
        if self.roles.is_empty() {
            return Some("has no `roles`");
        }
        None
    }

    fn is(&self, identity: &str) -> bool {
        match self.identity.strip_suffix('*') {
            Some(beginning) => identity.len() > beginning.len() && identity.starts_with(beginning),
            None => self.identity == identity,
        }
    }
}

impl PeerCertificate {
    /// Reads a certificate in DER whose chain has been verified.
    ///
    /// # Errors
    /// It is no X.509 certificate.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateFault> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| CertificateFault::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateFault::Malformed);
        }
        let names = certificate.subject_alternative_name().map_err(|_| CertificateFault::Malformed)?;
        let (mut identities, mut uris) = (Vec::new(), 0);
        for name in names.iter().flat_map(|names| &names.value.general_names).take(NAMES) {
            match name {
                GeneralName::URI(uri) => {
                    uris += 1;
                    if uri.starts_with("spiffe://") && uri.len() <= NAME_BYTES {
                        identities.push((*uri).to_owned());
                    }
                }
                GeneralName::DNSName(name) if name.len() <= 253 => {
                    identities.push(format!("dns:{}", name.to_ascii_lowercase()));
                }
                _ => {}
            }
        }
        let is_spiffe = identities.iter().any(|identity| identity.starts_with("spiffe://"));
        let validity = certificate.validity();
        Ok(Self {
            identities,
            // An X.509-SVID has exactly one URI (SPIFFE X.509-SVID, section 2).
            is_ambiguous: is_spiffe && uris != 1,
            fingerprint: bartizan_signing::digest(der).hex().chars().take(16).collect(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
}

impl Workloads {
    /// Those that the configuration names.
    pub fn new(settings: Vec<WorkloadSettings>, pseudonyms: Pseudonyms) -> Self {
        Self { settings, pseudonyms }
    }

    /// The id under which a workload stands in ledger and restrictions.
    pub fn principal(&self, identity: &str) -> String {
        self.pseudonyms.principal(WORKLOAD, "x509", "san", identity)
    }

    /// Who comes with `certificate`.
    ///
    /// # Errors
    /// Why it opens no door.
    pub fn authenticate(
        &self,
        certificate: &PeerCertificate,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Caller, Denied> {
        if certificate.is_ambiguous {
            return Err(Denied::nobody("certificate-ambiguous"));
        }
        let known = certificate
            .identities
            .iter()
            .find_map(|identity| Some((identity, self.settings.iter().find(|settings| settings.is(identity))?)));
        let Some((identity, settings)) = known else { return Err(Denied::nobody("certificate-unknown")) };
        let (id, key) = (self.principal(identity), format!("crt_{}", certificate.fingerprint));
        // The handshake saw it valid; a connection may last longer than that.
        if !(certificate.not_before..=certificate.not_after).contains(&now.seconds()) {
            return Err(Denied { reason: "certificate-expired", principal: id, key, drill: false });
        }
        let principal = Arc::new(Principal {
            id,
            tenant: settings.tenant.clone(),
            name: identity.clone(),
            roles: settings.roles.clone(),
            created: now,
            expires: None,
            drill: false,
            canary: false,
            protected: false,
        });
        let issued = Timestamp::from_seconds(certificate.not_before);
        directory.admit_token(&principal, &Arc::from(key), Some(issued), now)
    }
}

/// Reads arbitrary bytes as a certificate; for fuzzing.
pub fn fuzz_one(bytes: &[u8]) {
    let _ = PeerCertificate::parse(bytes);
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn der(uris: &[&str], names: &[&str]) -> Vec<u8> {
        let mut parameters =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        parameters.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn names_of_workloads_are_read_and_more_than_one_uri_is_ambiguous() {
        let read = |uris: &[&str], names: &[&str]| PeerCertificate::parse(&der(uris, names)).unwrap();
        let one = read(&["spiffe://example.org/a"], &["A.example.org"]);
        assert_eq!(one.identities, ["dns:a.example.org", "spiffe://example.org/a"]);
        assert!(!one.is_ambiguous);
        assert!(read(&["spiffe://example.org/a", "spiffe://example.org/b"], &[]).is_ambiguous);
        assert!(read(&["spiffe://example.org/a", "https://example.org/"], &[]).is_ambiguous);
        assert!(!read(&["https://example.org/"], &["a"]).is_ambiguous);
    }

    #[test]
    fn a_star_stands_for_what_is_below_and_nothing_else() {
        let workload = |identity: &str| WorkloadSettings {
            identity: identity.to_owned(),
            roles: BTreeSet::from([Role::Client]),
            tenant: Tenant::default(),
        };
        let below = workload("spiffe://example.org/ml/*");
        assert!(below.is("spiffe://example.org/ml/a") && below.is("spiffe://example.org/ml/a/b"));
        assert!(!below.is("spiffe://example.org/ml/") && !below.is("spiffe://example.org/mlx/a"));
        assert!(!workload("spiffe://example.org/ml").is("spiffe://example.org/ml/a"));
        for wrong in [
            "example.org",
            "spiffe://",
            "dns:",
            "dns:*",
            "dns:*.example.org",
            "spiffe://*",
            "spiffe://a*",
            "spiffe://a/*/b",
        ] {
            assert!(workload(wrong).fault().is_some(), "{wrong}");
        }
        assert_eq!(workload("spiffe://example.org/*").fault(), None);
        assert_eq!(workload("dns:a.example.org").fault(), None);
    }

    #[test]
    fn damaged_certificates_are_refused_or_read_and_never_panic() {
        let good = der(&["spiffe://example.org/a"], &["a"]);
        for place in 0..good.len() {
            for bit in [1_u8, 0x80] {
                let mut damaged = good.clone();
                damaged[place] ^= bit;
                fuzz_one(&damaged);
                fuzz_one(&damaged[..place]);
            }
        }
    }
}
