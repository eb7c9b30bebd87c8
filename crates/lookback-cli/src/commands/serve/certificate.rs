//! The certificate of the server, read again when its files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lookback_server::Tls;

use crate::failure::Failure;

/// How often the files are looked at, without a signal.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The files of a certificate and its key.
pub(super) struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl CertificateFiles {
    pub(super) fn new(certificate: &Path, key: &Path) -> Self {
        Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        }
    }

    /// Reads both files.
    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        let read = |option: &str, path: &Path| {
            fs::read(path)
                .map_err(|error| format!("{option}: cannot read {}: {error}", path.display()))
        };
        Ok((
            read("--tls-cert", &self.certificate)?,
            read("--tls-key", &self.key)?,
        ))
    }

    pub(super) fn tls(&self) -> Result<Tls, Failure> {
        let (certificate, key) = self.read().map_err(Failure::usage)?;
        let tls = Tls::from_pem(&certificate, &key);
        tls.map_err(|error| Failure::usage(format!("TLS: {error}")))
    }

    /// Takes the certificate of the files whenever they have changed: each minute, and at once after
    /// a hangup signal. One that cannot be used is reported, and the one before stays.
    /// From the call on, the signal does not end the program.
    pub(super) fn follow(self, tls: Tls, say: impl Fn(&str)) -> impl Future<Output = ()> {
        let mut hangups = Hangups::new();
        let mut known = self.read();
        let mut reported = None;
        async move {
            loop {
                let is_asked = hangups.within(LOOK_EVERY).await;
                let read = self.read();
                if !is_asked && read == known {
                    continue;
                }
                let taken = match &read {
                    Ok((certificate, key)) => tls
                        .replace(certificate, key)
                        .map_err(|error| format!("TLS: {error}")),
                    Err(error) => Err(error.clone()),
                };
                match taken {
                    Ok(()) => {
                        say("the certificate was read again");
                        reported = None;
                    }
                    Err(error) => {
                        // A file that is half written is whole at the next look.
                        if is_asked || reported.as_ref() != Some(&error) {
                            tracing::error!("{error}; the certificate before it is still in use");
                        }
                        reported = Some(error);
                    }
                }
                known = read;
            }
        }
    }
}

/// The signals that ask to read the files again.
struct Hangups {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    #[cfg(unix)]
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            signals: signal(SignalKind::hangup()).ok(),
        }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }

    /// Waits for a signal for some time, and says whether there was one.
    async fn within(&mut self, time: Duration) -> bool {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals {
            return tokio::time::timeout(time, signals.recv()).await.is_ok();
        }
        tokio::time::sleep(time).await;
        false
    }
}
