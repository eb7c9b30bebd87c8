//! The database of a command: the one that is configured, or the private one.

use std::env;
use std::str::FromStr as _;
use std::time::Duration;

use lookback_embedded::{Event, Layout, Running, Search, Server, is_root};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::config::{Config, Origin};
use crate::failure::{Failure, with_sources};
use crate::output;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Connects to the database, starting the private PostgreSQL if none is
/// configured.
pub(crate) async fn connect(config: &Config) -> Result<PgConnection, Failure> {
    let url = match &config.database_url.value {
        Some(url) => url.clone(),
        None => start_private(config).await?.url(),
    };
    let origin = &config.database_url.origin;
    let shown = without_password(&url);
    let not_a_url = |problem: &str| {
        Failure::usage(format!("database_url (from {origin}): {shown} {problem}"))
            .hint("such as postgres://user:password@host:5432/database")
    };
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(not_a_url("cannot be used"));
    }
    let options = PgConnectOptions::from_str(&url)
        .map_err(|error| not_a_url(&format!("is not right: {error}")))?
        .application_name("lookback");
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
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(failed(&with_sources(&error))),
        Err(_) => Err(failed(&format!(
            "no answer within {} s",
            PATIENCE.as_secs()
        ))),
    }
}

/// Says so if the vectors in the database are not comparable with ours.
pub(crate) async fn warn_of_encoder(conn: &mut PgConnection) {
    match lookback::check_encoder(conn).await {
        Err(error) if error.is_setup() => output::warning(&error.to_string()),
        // Anything else is for the command itself to find.
        _ => {}
    }
}

/// The server of the private PostgreSQL.
pub(crate) fn private(config: &Config) -> Result<(Layout, Server), Failure> {
    let standard = Layout::standard(|name| env::var_os(name), is_root());
    let layout = match (&config.data_dir.value, standard) {
        (Some(base), Ok(standard)) => Layout::new(standard.postgres(), base),
        // Without a home, everything lives in the folder that was given.
        (Some(base), Err(_)) => Layout::new(base.join("postgres"), base),
        (None, standard) => standard?,
    };
    let mut server = Server::at(layout.server());
    if let Some(port) = config.pg_port.value {
        server = server.port(port);
    }
    if let Some(user) = &config.pg_user.value {
        server = server.user(user);
    }
    Ok((layout, server))
}

/// Starts the private PostgreSQL, or finds it running.
pub(crate) async fn start_private(config: &Config) -> Result<Running, Failure> {
    let (layout, server) = private(config)?;
    let mut search = Search::new(layout.postgres(), env::var_os("PATH").unwrap_or_default());
    if let Some(dir) = &config.pg_bin.value {
        search = search.given(dir);
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
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.scheme().starts_with("postgres") => {
            if parsed.password().is_some() {
                // Refused only for URLs that cannot have a password.
                let _ = parsed.set_password(Some("***"));
            }
            let secret = |name: &str| name == "password" || name == "sslpassword";
            if parsed.query_pairs().any(|(name, _)| secret(&name)) {
                let pairs: Vec<(String, String)> = parsed
                    .query_pairs()
                    .map(|(name, value)| {
                        let value = if secret(&name) { "***" } else { &*value };
                        (name.to_string(), value.to_owned())
                    })
                    .collect();
                parsed.query_pairs_mut().clear().extend_pairs(pairs);
            }
            parsed.to_string()
        }
        // What cannot be read may hold a password anywhere.
        _ => "(a text that is not a URL of PostgreSQL)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

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
}
