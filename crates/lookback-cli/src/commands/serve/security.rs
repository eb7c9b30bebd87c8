//! Who may reach the server, and how: the settings of `lookback serve` for it.

use lookback::capture::TrustedProxies;
use lookback_server::Settings;

use crate::args::ServeArgs;
use crate::failure::Failure;

pub(super) fn apply(args: &ServeArgs, settings: &mut Settings) -> Result<(), Failure> {
    settings.is_open = args.open;
    for range in &args.trusted_proxy {
        let proxies = std::mem::replace(&mut settings.trusted_proxies, TrustedProxies::none());
        settings.trusted_proxies = proxies
            .and(range)
            .map_err(|error| Failure::usage(format!("--trusted-proxy: {error}")))?;
    }
    settings.cors_origins.clone_from(&args.cors_origin);
    Ok(())
}
