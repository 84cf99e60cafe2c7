//! A small certificate authority, for doors and workloads without one: ECDSA P-256, X.509 v3 (RFC 5280).

use std::net::IpAddr;

use bartizan_core::Secret;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use thiserror::Error;

/// Seconds that a certificate is valid before now: clocks differ.
const BEFORE: i64 = 3600;
/// Most days that a certificate is valid.
const DAYS: u32 = 3650;

/// A certificate and its private key, both in PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: Secret<String>,
}

/// What a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A server shows it.
    Server,
    /// A client shows it.
    Client,
}

/// A name that a certificate is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubjectName {
    /// A host name.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A URI, such as a SPIFFE ID.
    Uri(String),
}

/// Why no certificate was made.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A name that can't stand in a certificate.
    #[error("`{0}` can't stand in a certificate; names are ASCII")]
    Name(String),
    /// No name at all: nobody could tell whose it is.
    #[error("a certificate needs a name; give `--dns`, `--ip` or `--uri`")]
    Nameless,
    /// Out of bounds.
    #[error("a certificate is valid for 1 to {DAYS} days")]
    Days,
    /// The library refused.
    #[error("no certificate could be made: {0}")]
    Library(#[from] rcgen::Error),
}

/// Makes an authority of that name.
///
/// # Errors
/// The name or the days can't be used.
pub fn make_authority(name: &str, days: u32, now: i64) -> Result<Issued, AuthorityError> {
    let key = KeyPair::generate()?;
    let mut parameters = parameters(name, days, now)?;
    // It signs certificates of servers and clients, and no further authority.
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = parameters.self_signed(&key)?;
    Ok(Issued { certificate: certificate.pem(), key: Secret::new(key.serialize_pem()) })
}

/// Issues a certificate for `names` under the authority whose certificate and key are given in PEM.
///
/// # Errors
/// The authority can't be read, or the names or days can't be used.
pub fn issue(
    authority: &Issued,
    names: &[SubjectName],
    purpose: Purpose,
    days: u32,
    now: i64,
) -> Result<Issued, AuthorityError> {
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(authority.key.expose())?)?;
    let key = KeyPair::generate()?;
    let first = match names.first().ok_or(AuthorityError::Nameless)? {
        SubjectName::Dns(name) | SubjectName::Uri(name) => name.clone(),
        SubjectName::Ip(address) => address.to_string(),
    };
    let mut parameters = parameters(&first, days, now)?;
    parameters.subject_alt_names = names.iter().map(alternative).collect::<Result<_, _>>()?;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![match purpose {
        Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    parameters.use_authority_key_identifier_extension = true;
    let certificate = parameters.signed_by(&key, &issuer)?;
    Ok(Issued { certificate: certificate.pem(), key: Secret::new(key.serialize_pem()) })
}

fn parameters(name: &str, days: u32, now: i64) -> Result<CertificateParams, AuthorityError> {
    if !(1..=DAYS).contains(&days) {
        return Err(AuthorityError::Days);
    }
    let time = |seconds: i64| time::OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| AuthorityError::Days);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    parameters.not_before = time(now - BEFORE)?;
    parameters.not_after = time(now + i64::from(days) * 86_400)?;
    Ok(parameters)
}

fn alternative(name: &SubjectName) -> Result<SanType, AuthorityError> {
    let ascii =
        |text: &str| Ia5String::try_from(text).map_err(|_| AuthorityError::Name(bartizan_core::printable(text)));
    Ok(match name {
        SubjectName::Dns(name) => SanType::DnsName(ascii(name)?),
        SubjectName::Uri(uri) => SanType::URI(ascii(uri)?),
        SubjectName::Ip(address) => SanType::IpAddress(*address),
    })
}
