//! The database of a command: the configured one, or the private one.

use std::env;
use std::fmt;
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use lookback_embedded::{
    Event, InstallationFinder, Layout, Remedy, RunningServer, Server, ServerStatus, is_root,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::error::Elapsed;

use crate::config::{Config, Origin};
use crate::failure::{Failure, remedy, with_sources};
use crate::output;

/// The time limit of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Connects to the database; starts the private PostgreSQL if none is configured.
pub(crate) async fn connect(config: &Config) -> Result<PgConnection, Failure> {
    let (connection, _) = connect_to(config).await?;
    Ok(connection)
}

/// Connects again: a private PostgreSQL that was stopped meanwhile stays so.
pub(crate) async fn reconnect(config: &Config) -> Result<PgConnection, Failure> {
    let url = match &config.database_url.value {
        Some(url) => url.clone(),
        None => running_private(config)?.url(),
    };
    let (connection, _) = connect_by(config, &url).await?;
    Ok(connection)
}

/// Connects as [`connect`] does, and returns the connection options too.
pub(crate) async fn connect_to(
    config: &Config,
) -> Result<(PgConnection, PgConnectOptions), Failure> {
    let url = match &config.database_url.value {
        Some(url) => url.clone(),
        None => start_private(config).await?.url(),
    };
    connect_by(config, &url).await
}

async fn connect_by(
    config: &Config,
    url: &str,
) -> Result<(PgConnection, PgConnectOptions), Failure> {
    let origin = &config.database_url.origin;
    let invalid_url = |problem: String, hint: &str| {
        Failure::usage(format!("database_url (from {origin}): {problem}")).hint(hint)
    };
    let parsed = parse_url(url)
        .map_err(|invalid| invalid_url(format!("{invalid} cannot be used"), invalid.hint()))?;
    let shown = mask_password(parsed);
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| {
            invalid_url(
                format!("{shown} is invalid: {error}"),
                InvalidUrl::NotAUrl.hint(),
            )
        })?
        .application_name("lookback");
    let mut options = unbracket_host(options);
    if matches!(origin, Origin::Default) {
        // The private server has no TLS, even if `PGSSLMODE` requires it.
        options = options.ssl_mode(PgSslMode::Disable);
    }
    let connect_failure = |problem: &str| {
        let failure = Failure::failed(format!("cannot connect to {shown}: {problem}"));
        match origin {
            Origin::Default => failure.hint("see its log: lookback pg logs"),
            _ => failure.hint(format!(
                "the database is set by {origin}; without one, Lookback uses a private PostgreSQL"
            )),
        }
    };
    let begun = Instant::now();
    let mut outcome = first_connection(&options).await;
    if let Ok(Err(error)) = &outcome
        && is_tls(error)
        && matches!(options.get_ssl_mode(), PgSslMode::Prefer | PgSslMode::Allow)
    {
        // Like libpq: without TLS, if it is only preferred.
        output::detail(&format!(
            "no TLS with {shown}, which sslmode=prefer does not require: {}",
            with_sources(error)
        ));
        options = options.ssl_mode(PgSslMode::Disable);
        outcome = first_connection(&options).await;
    }
    match outcome {
        Ok(Ok(connection)) => {
            output::detail(&format!(
                "connected to {shown}: {}, in {} ms",
                version(&connection),
                begun.elapsed().as_millis()
            ));
            Ok((connection, options))
        }
        Ok(Err(error)) => {
            let problem = with_sources(&error);
            let failure = connect_failure(&problem).caused_by(&error);
            Err(if problem.contains("UnsupportedCertVersion") {
                failure.hint(
                    "the server's certificate is of version 1, as Citus makes it by itself: give the \
                     server one of version 3, or connect without TLS (?sslmode=disable) in a network \
                     that you trust",
                )
            } else {
                failure
            })
        }
        Err(_) => Err(connect_failure(&format!(
            "no answer within {} s",
            CONNECT_TIMEOUT.as_secs()
        ))),
    }
}

async fn first_connection(
    options: &PgConnectOptions,
) -> Result<Result<PgConnection, sqlx::Error>, Elapsed> {
    tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options)).await
}

/// Returns whether TLS failed: the server answered, but the two did not agree.
fn is_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        // What the TLS library finds wrong comes as an error of input.
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// The version that the server reported at the start of the connection.
fn version(connection: &PgConnection) -> String {
    match connection.server_version_num() {
        Some(number) => format!("PostgreSQL {}.{}", number / 10_000, number % 10_000),
        None => "a server that does not report its version".to_owned(),
    }
}

/// Creates a connection pool, after a first connection to check the options.
pub(crate) async fn pool(config: &Config, most: u32) -> Result<PgPool, Failure> {
    // The error of a single connection is clearer than that of a pool.
    let (connection, options) = connect_to(config).await?;
    connection.close().await?;
    Ok(lazy_pool(options, most))
}

/// Creates the pool of a server, in which a statement ends soon after its client has gone.
pub(crate) async fn server_pool(config: &Config, most: u32) -> Result<PgPool, Failure> {
    let (connection, options) = connect_to(config).await?;
    connection.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(CONNECT_TIMEOUT)
        .after_connect(|conn, _| Box::pin(lookback_server::prepare_connection(conn)))
        .connect_lazy_with(options.application_name("lookback serve"));
    Ok(pool)
}

/// Creates a pool that connects on first use.
pub(crate) fn lazy_pool(options: PgConnectOptions, most: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_lazy_with(options)
}

/// Prints a warning if the vectors in the database are from another encoder.
pub(crate) async fn warn_about_encoder(conn: &mut PgConnection) {
    match lookback::setup::check_encoder(conn).await {
        Err(error) if error.is_setup() => {
            output::warning(&error.to_string());
            if let Some(remedy) = error.remedy() {
                output::advice(&remedy::library::hint(&remedy));
            }
        }
        // The command itself will report other errors.
        _ => {}
    }
}

/// Returns the private PostgreSQL and its folders.
pub(crate) fn private_server(config: &Config) -> Result<(Layout, Server), Failure> {
    let standard = Layout::standard(|name| env::var_os(name), is_root());
    let layout = match (&config.data_dir.value, standard) {
        (Some(base), Ok(standard)) => Layout::new(standard.installations(), base),
        // Without a home folder, all files are in the given folder.
        (Some(base), Err(_)) => Layout::new(base.join("postgres"), base),
        (None, standard) => standard?,
    };
    let mut server = Server::new(layout.server()).settings(config.pg_settings.given());
    if let Some(port) = config.pg_port.value {
        server = server.port(port);
    }
    if let Some(user) = &config.pg_user.value {
        server = server.user(user);
    }
    Ok((layout, server))
}

/// Returns the private PostgreSQL if it is running.
pub(crate) fn running_private(config: &Config) -> Result<RunningServer, Failure> {
    let (_, server) = private_server(config)?;
    match server.status()? {
        ServerStatus::Running(running) => Ok(running),
        _ => Err(Failure::failed("the private PostgreSQL is not running")
            .hint("start it: lookback pg start")),
    }
}

/// Connects to the running private PostgreSQL, whatever database is configured.
pub(crate) async fn connect_private(running: &RunningServer) -> Result<PgConnection, Failure> {
    let unreachable = |problem: &str| {
        Failure::failed(format!(
            "cannot connect to the private PostgreSQL: {problem}"
        ))
        .hint("see its log: lookback pg logs")
    };
    let options = PgConnectOptions::from_str(&running.url())
        .map_err(|error| unreachable(&error.to_string()))?
        .application_name("lookback")
        .ssl_mode(PgSslMode::Disable);
    match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await {
        Ok(connected) => {
            connected.map_err(|error| unreachable(&with_sources(&error)).caused_by(&error))
        }
        Err(_) => Err(unreachable("no answer")),
    }
}

/// Whether the database is the private PostgreSQL, which is not running.
pub(crate) fn is_private_stopped(config: &Config) -> bool {
    config.database_url.value.is_none() && running_private(config).is_err()
}

/// Starts the private PostgreSQL unless it is running.
pub(crate) async fn start_private(config: &Config) -> Result<RunningServer, Failure> {
    let (layout, server) = private_server(config)?;
    let mut search = InstallationFinder::new(
        layout.installations(),
        env::var_os("PATH").unwrap_or_default(),
    );
    if let Some(dir) = &config.pg_bin.value {
        search = search.directory(dir);
    }
    let started = tokio::task::spawn_blocking(move || {
        let say = |event: &Event| output::note(&event.to_string());
        let installation = search.find(&say)?;
        server.start(&installation, &say)
    });
    let running = started
        .await
        .map_err(|error| Failure::failed(format!("starting PostgreSQL failed: {error}")))?;
    running.map_err(|error| match error.remedy() {
        // Only the configuration knows who gave it.
        Some(Remedy::ChangeSetting { name, file: None }) => {
            let origin = config.pg_settings.get(&name);
            let origin =
                origin.map_or("the configuration".to_owned(), |(_, from)| from.to_string());
            Failure::from(error).hint(format!("correct {name} in {origin}, or leave it out"))
        }
        _ => Failure::from(error),
    })
}

/// Formats a database URL without its password.
pub(crate) fn without_password(url: &str) -> String {
    match parse_url(url) {
        Ok(parsed) => mask_password(parsed),
        Err(invalid) => invalid.to_string(),
    }
}

/// The reason why a database URL is invalid.
///
/// It is printed instead of the URL, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InvalidUrl {
    NotAUrl,
    /// The end of the password is ambiguous.
    Ambiguous,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAUrl => "(not a PostgreSQL URL)",
            Self::Ambiguous => "(an ambiguous URL)",
        })
    }
}

impl InvalidUrl {
    fn hint(self) -> &'static str {
        match self {
            Self::NotAUrl => "expected a URL such as postgres://user:password@host:5432/database",
            Self::Ambiguous => {
                "in a user name or a password, @ is written %40, / is %2F, ? is %3F, # is %23, % is %25"
            }
        }
    }
}

/// Parses a database URL, unless it is ambiguous.
fn parse_url(url: &str) -> Result<url::Url, InvalidUrl> {
    let Some(rest) = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
    else {
        return Err(InvalidUrl::NotAUrl);
    };
    // To a URL parser, a `/`, `?` or `#` in a password ends the authority part: the rest of the
    // password would be parsed as a path and printed.
    let is_ambiguous = rest
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(['/', '?', '#', '@']));
    if is_ambiguous {
        return Err(InvalidUrl::Ambiguous);
    }
    url::Url::parse(url).map_err(|_| InvalidUrl::NotAUrl)
}

/// Removes the brackets of an IPv6 address, which the driver would look up as a name.
fn unbracket_host(options: PgConnectOptions) -> PgConnectOptions {
    let address = options
        .get_host()
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .map(str::to_owned);
    match address {
        Some(address) => options.host(&address),
        None => options,
    }
}

fn mask_password(mut url: url::Url) -> String {
    if url.password().is_some() {
        // Fails only for URLs that cannot have a password.
        let _ = url.set_password(Some("***"));
    }
    let secret = |name: &str| name == "password" || name == "sslpassword";
    if url.query_pairs().any(|(name, _)| secret(&name)) {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if secret(&name) { "***" } else { &*value };
                (name.to_string(), value.to_owned())
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use sqlx::postgres::PgConnectOptions;

    use super::{unbracket_host, without_password};

    #[test]
    fn ipv6_url_has_a_host_without_brackets() {
        let host = |url: &str| {
            let options = PgConnectOptions::from_str(url).expect("a URL");
            unbracket_host(options).get_host().to_owned()
        };
        assert_eq!(host("postgres://me@[::1]:5999/db"), "::1");
        assert_eq!(host("postgres://me@db:5999/db"), "db");
    }

    #[test]
    fn passwords_are_masked() {
        assert_eq!(
            without_password("postgres://me:s3cret@db:5432/shop?sslmode=require"),
            "postgres://me:***@db:5432/shop?sslmode=require"
        );
        assert_eq!(
            without_password("postgres://db/shop?password=s3cret"),
            "postgres://db/shop?password=***"
        );
        assert_eq!(
            without_password("postgres:///shop?host=/run/postgresql&user=me"),
            "postgres:///shop?host=/run/postgresql&user=me"
        );
        assert_eq!(
            without_password("me:s3cret at db"),
            "(not a PostgreSQL URL)"
        );
    }

    #[test]
    fn ambiguous_password_is_not_shown() {
        for url in [
            "postgres://lb:12?sEcret@127.0.0.1/x",
            "postgres://lb:123/abc@host/x",
            "postgres://lb:p@ss/w0rd@host/rv",
            "postgres://lb:12#sEcret@host/x",
            "postgres://lb:p@ss@host/x",
            "postgres://lb:12/sEcret@host/x?user=a@b",
        ] {
            assert_eq!(without_password(url), "(an ambiguous URL)", "{url}");
        }
        // The same passwords, written as they should be.
        assert_eq!(
            without_password("postgresql://lb:p%40ss%2Fw0rd@host/rv"),
            "postgresql://lb:***@host/rv"
        );
        // No port: not a URL, and not shown.
        assert_eq!(
            without_password("postgres://lb:sEcret/abc"),
            "(not a PostgreSQL URL)"
        );
    }
}
