//! Who may reach the server, and how: the settings of `lookback serve` for it.

use std::path::Path;

use lookback::capture::TrustedProxies;
use lookback_server::{Settings, Tls};

use crate::args::ServeArgs;
use crate::failure::Failure;

pub(super) fn apply(args: &ServeArgs, settings: &mut Settings) -> Result<(), Failure> {
    settings.is_open = args.open;
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let pem = Tls::from_pem(&read("--tls-cert", certificate)?, &read("--tls-key", key)?);
        settings.tls = Some(pem.map_err(|error| Failure::usage(format!("TLS: {error}")))?);
    }
    for range in &args.trusted_proxy {
        let proxies = std::mem::replace(&mut settings.trusted_proxies, TrustedProxies::none());
        settings.trusted_proxies = proxies
            .and(range)
            .map_err(|error| Failure::usage(format!("--trusted-proxy: {error}")))?;
    }
    settings.cors_origins.clone_from(&args.cors_origin);
    Ok(())
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::usage(format!("{option}: cannot read {}: {error}", path.display()))
    })
}
