//! Who is at the other end of a connection, before anybody is identified.

use std::net::IpAddr;
use std::sync::Arc;

use bartizan_access::PeerCertificate;

use crate::framing::Ambiguity;

/// The other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    /// Where it is.
    pub(crate) address: IpAddr,
    /// An opaque word for the network that it is in.
    pub(crate) network: Arc<str>,
    /// Whether what it sent can be read in two ways.
    pub(crate) ambiguity: Ambiguity,
    /// The certificate that it proved to have, in a TLS connection with one.
    pub(crate) certificate: Option<Arc<PeerCertificate>>,
}
