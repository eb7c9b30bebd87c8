//! The certificate of a server.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A certificate with its key, by which a server speaks TLS 1.2 and 1.3.
///
/// A clone is of the same certificate: one that [replaces](Self::replace) it is for all of them.
#[derive(Clone)]
pub struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    current: Arc<Current>,
}

/// The certificate that the next connection gets.
struct Current(RwLock<Arc<CertifiedKey>>);

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
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = certified_key(&provider, certificates, key)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(cannot_use)?;
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            current,
        })
    }

    /// Takes another certificate for the connections that come from now on.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem). The certificate stays the one that it was then.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let certified = certified_key(self.config.crypto_provider(), certificates, key)?;
        let mut current = self
            .current
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(certified);
        Ok(())
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

fn certified_key(
    provider: &CryptoProvider,
    certificates: &[u8],
    key: &[u8],
) -> Result<CertifiedKey, TlsError> {
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
    CertifiedKey::from_der(chain, key, provider).map_err(cannot_use)
}

fn cannot_use(error: rustls::Error) -> TlsError {
    TlsError(format!("cannot use the certificate and its key: {error}"))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current(…)")
    }
}
