//! Who may do what: principals, keys, passwords, restrictions and Cedar decisions.
//!
//! [`Directory`] keeps who there is and what is held against them, durable before it has effect.
//! [`Directory::authenticate`] turns a presented key into a [`Caller`]; [`Policies::decide`] says
//! whether that caller may do an [`Operation`] on a [`Resource`]. Any doubt, of either, is a denial.
//! [`token`] does for access tokens of other identity providers what the directory does for keys.

mod authenticate;
mod directory;
mod error;
mod key;
mod password;
mod policy;
mod principal;
mod restriction;
pub mod token;
mod workload;

pub use authenticate::{Caller, Denied};
pub use directory::Directory;
pub use error::AccessError;
pub use key::{ApiKey, IssuedKey};
pub use password::{PasswordHash, one_time_password};
pub use policy::{Operation, Policies, PolicyError, Resource};
pub use principal::{Principal, Role};
pub use restriction::{Restriction, RestrictionKind};
pub use workload::{
    CertificateFault, PeerCertificate, WORKLOAD, WorkloadSettings, Workloads, fuzz_one as fuzz_certificate,
};
