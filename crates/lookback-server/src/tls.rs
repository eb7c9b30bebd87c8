//! The certificate of a server.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate with its key, by which a server speaks TLS 1.2 and 1.3.
#[derive(Clone)]
pub struct Tls(pub(crate) Arc<ServerConfig>);

/// The error of a certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

impl Tls {
    /// Reads a certificate, followed by those that signed it, and its key (PKCS#8, PKCS#1 or SEC 1),
    /// both as PEM.
    ///
    /// # Errors
    ///
    /// There is none, or the key is that of another certificate.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError(format!("the certificate is no PEM: {error}")))?;
        if chain.is_empty() {
            return Err(TlsError(
                "expected a certificate as PEM (-----BEGIN CERTIFICATE-----), got none".to_owned(),
            ));
        }
        // The error may have parts of it, which is a secret.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            TlsError("expected a private key as PEM (-----BEGIN PRIVATE KEY-----)".to_owned())
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| {
            TlsError(format!("cannot use the certificate and its key: {error}"))
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}
