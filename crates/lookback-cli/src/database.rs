//! The database of a command: the one that is configured, or the private one.

use std::env;
use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use lookback_embedded::{Event, InstallationFinder, Layout, RunningServer, Server, is_root};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::config::{Config, Origin};
use crate::failure::{Failure, with_sources};
use crate::output;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Connects to the database, starting the private PostgreSQL if none is
/// configured.
pub(crate) async fn connect(config: &Config) -> Result<PgConnection, Failure> {
    let (connection, _) = connect_to(config).await?;
    Ok(connection)
}

/// As [`connect`], with what the connection is to.
pub(crate) async fn connect_to(
    config: &Config,
) -> Result<(PgConnection, PgConnectOptions), Failure> {
    let url = match &config.database_url.value {
        Some(url) => url.clone(),
        None => start_private(config).await?.url(),
    };
    let origin = &config.database_url.origin;
    let not_right = |problem: String, hint: &str| {
        Failure::usage(format!("database_url (from {origin}): {problem}")).hint(hint)
    };
    let parsed = readable(&url).map_err(|unreadable| {
        not_right(format!("{unreadable} cannot be used"), unreadable.hint())
    })?;
    let shown = masked(parsed);
    let options = PgConnectOptions::from_str(&url)
        .map_err(|error| {
            not_right(
                format!("{shown} is not right: {error}"),
                Unreadable::NotAUrl.hint(),
            )
        })?
        .application_name("lookback");
    let mut options = without_brackets(options);
    if matches!(origin, Origin::Default) {
        // It has no TLS, whatever PGSSLMODE asks of others.
        options = options.ssl_mode(PgSslMode::Disable);
    }
    let failed = |problem: &str| {
        let failure = Failure::failed(format!("cannot connect to {shown}: {problem}"));
        match origin {
            Origin::Default => failure.hint("its log: lookback pg logs"),
            _ => failure.hint(format!(
                "the database is set by {origin}; without one, Lookback uses a private PostgreSQL"
            )),
        }
    };
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => Ok((connection, options)),
        Ok(Err(error)) => Err(failed(&with_sources(&error))),
        Err(_) => Err(failed(&format!(
            "no answer within {} s",
            PATIENCE.as_secs()
        ))),
    }
}

/// Some connections, and a pool of more of them.
pub(crate) async fn pool(config: &Config, most: u32) -> Result<PgPool, Failure> {
    // The first says what is wrong in words.
    let (connection, options) = connect_to(config).await?;
    connection.close().await?;
    Ok(lazy_pool(options, most))
}

/// Connections that are made once they are needed.
pub(crate) fn lazy_pool(options: PgConnectOptions, most: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options)
}

/// Says so if the vectors in the database are not comparable with ours.
pub(crate) async fn warn_of_encoder(conn: &mut PgConnection) {
    match lookback::check_encoder(conn).await {
        Err(error) if error.is_setup() => {
            output::warning(&error.to_string());
            if let Some(hint) = error.hint() {
                output::hint(hint);
            }
        }
        // Anything else is for the command itself to find.
        _ => {}
    }
}

/// The server of the private PostgreSQL.
pub(crate) fn private(config: &Config) -> Result<(Layout, Server), Failure> {
    let standard = Layout::standard(|name| env::var_os(name), is_root());
    let layout = match (&config.data_dir.value, standard) {
        (Some(base), Ok(standard)) => Layout::new(standard.installations(), base),
        // Without a home, everything lives in the folder that was given.
        (Some(base), Err(_)) => Layout::new(base.join("postgres"), base),
        (None, standard) => standard?,
    };
    let mut server = Server::new(layout.server());
    if let Some(port) = config.pg_port.value {
        server = server.port(port);
    }
    if let Some(user) = &config.pg_user.value {
        server = server.user(user);
    }
    Ok((layout, server))
}

/// Starts the private PostgreSQL, or finds it running.
pub(crate) async fn start_private(config: &Config) -> Result<RunningServer, Failure> {
    let (layout, server) = private(config)?;
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
        .map_err(|error| Failure::failed(format!("starting PostgreSQL failed: {error}")))??;
    Ok(running)
}

/// A database URL that can be shown.
pub(crate) fn without_password(url: &str) -> String {
    match readable(url) {
        Ok(parsed) => masked(parsed),
        Err(unreadable) => unreadable.to_string(),
    }
}

/// A text in the place of a database URL that cannot be used, nor shown: it
/// may hold a password anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreadable {
    NotAUrl,
    /// Where the password ends cannot be told.
    Ambiguous,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAUrl => "(a text that is not a URL of PostgreSQL)",
            Self::Ambiguous => "(a URL that cannot be read)",
        })
    }
}

impl Unreadable {
    fn hint(self) -> &'static str {
        match self {
            Self::NotAUrl => "such as postgres://user:password@host:5432/database",
            Self::Ambiguous => {
                "in a user name or a password, @ is written %40, / is %2F, ? is %3F, # is %23, % is %25"
            }
        }
    }
}

/// Reads a database URL, if there is but one way to read it.
fn readable(url: &str) -> Result<url::Url, Unreadable> {
    let Some(rest) = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
    else {
        return Err(Unreadable::NotAUrl);
    };
    // A `/`, `?` or `#` in a password ends the part of the URL in which a
    // parser looks for one: what follows is taken for a path and shown.
    let hidden = rest
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(['/', '?', '#', '@']));
    if hidden {
        return Err(Unreadable::Ambiguous);
    }
    url::Url::parse(url).map_err(|_| Unreadable::NotAUrl)
}

/// A URL has an IPv6 address in brackets, and the driver would look up a host
/// of that name.
fn without_brackets(options: PgConnectOptions) -> PgConnectOptions {
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

fn masked(mut url: url::Url) -> String {
    if url.password().is_some() {
        // Refused only for URLs that cannot have a password.
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

    use super::{without_brackets, without_password};

    #[test]
    fn the_address_of_an_ipv6_url_is_the_host() {
        let host = |url: &str| {
            let options = PgConnectOptions::from_str(url).expect("a URL");
            without_brackets(options).get_host().to_owned()
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
            "(a text that is not a URL of PostgreSQL)"
        );
    }

    #[test]
    fn a_password_that_hides_its_end_is_not_shown() {
        for url in [
            "postgres://lb:12?sEcret@127.0.0.1/x",
            "postgres://lb:123/abc@host/x",
            "postgres://lb:p@ss/w0rd@host/rv",
            "postgres://lb:12#sEcret@host/x",
            "postgres://lb:p@ss@host/x",
            "postgres://lb:12/sEcret@host/x?user=a@b",
        ] {
            assert_eq!(
                without_password(url),
                "(a URL that cannot be read)",
                "{url}"
            );
        }
        // The same passwords, written as they should be.
        assert_eq!(
            without_password("postgresql://lb:p%40ss%2Fw0rd@host/rv"),
            "postgresql://lb:***@host/rv"
        );
        // No port: not a URL, and not shown.
        assert_eq!(
            without_password("postgres://lb:sEcret/abc"),
            "(a text that is not a URL of PostgreSQL)"
        );
    }
}
