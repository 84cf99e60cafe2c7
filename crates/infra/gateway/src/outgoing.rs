//! TLS of connections that this process opens: to upstreams, to issuers of tokens, to webhooks.

use hyper_rustls::ConfigBuilderExt as _;

/// TLS with the one provider of cryptography and the authorities that browsers trust; no client certificate.
///
/// # Errors
/// The provider supports none of the default protocol versions.
pub fn outgoing_tls() -> Result<rustls::ClientConfig, rustls::Error> {
    Ok(rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_webpki_roots()
        .with_no_client_auth())
}
