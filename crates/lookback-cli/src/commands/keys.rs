//! `lookback keys`

use chrono::{TimeDelta, Utc};
use lookback::{ApiKey, Error, KeyScope, Model as _};
use lookback_server::keys;
use serde_json::json;

use crate::args::{KeyCommand, ScopeArg};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading};
use crate::privileges;

pub(crate) async fn run(config: &Config, command: KeyCommand) -> Result<(), Failure> {
    let privileges = match &command {
        KeyCommand::Create { .. } => privileges::ADD,
        KeyCommand::List { .. } => privileges::READ,
        KeyCommand::Revoke { .. } => privileges::CHANGE,
    };
    match execute(config, command).await {
        Err(failure) => {
            let needs = [(ApiKey::TABLE.name(), privileges)];
            Err(privileges::explain(config, failure, &needs).await)
        }
        done => done,
    }
}

async fn execute(config: &Config, command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::Create {
            name,
            scope,
            expires,
            json,
        } => {
            let scope = match scope {
                ScopeArg::Ingest => KeyScope::Ingest,
                ScopeArg::Read => KeyScope::Read,
                ScopeArg::Admin => KeyScope::Admin,
            };
            let expires_at = match expires {
                Some(age) => Some(
                    TimeDelta::from_std(age.0)
                        .ok()
                        .and_then(|age| Utc::now().checked_add_signed(age))
                        .ok_or_else(|| Failure::usage("--expires: is too far away"))?,
                ),
                None => None,
            };
            let mut conn = database::connect(config).await?;
            let (stored, key) = keys::create(&mut conn, &name, scope, expires_at).await?;
            if json {
                return output::json(&json!({ "data": stored, "key": key.reveal() }));
            }
            output::line(key.reveal())?;
            output::note(&format!(
                "made key {} ({}, {}); it is not shown again",
                stored.id, stored.name, stored.scope
            ));
            Ok(())
        }
        KeyCommand::List { revoked, json } => {
            let mut query = ApiKey::records().limit(1_000).order_by_text("id")?;
            if revoked {
                query = query.with_deleted().with_hidden(ApiKey::deleted_at());
            }
            let mut conn = database::connect(config).await?;
            let page = query.list(&mut conn).await?;
            if json {
                return output::json(&json!({ "data": page.data }));
            }
            list(&page.data, revoked)
        }
        KeyCommand::Revoke { id } => {
            let mut conn = database::connect(config).await?;
            let revoked = ApiKey::records().delete(&mut conn, id).await;
            revoked.map_err(|error: Error| {
                if error.is_not_found() {
                    Failure::failed(format!("no valid key {id}"))
                        .hint("the ids of all keys: lookback keys list --revoked")
                } else {
                    error.into()
                }
            })?;
            output::note(&format!("revoked key {id}"));
            Ok(())
        }
    }
}

fn list(keys: &[ApiKey], revoked: bool) -> Result<(), Failure> {
    let mut headings = vec![
        Heading::new("ID"),
        Heading::new("KEY"),
        Heading::new("SCOPE"),
        Heading::new("CREATED"),
        Heading::new("LAST USED"),
        Heading::new("EXPIRES"),
        Heading::text("NAME"),
    ];
    if revoked {
        headings.insert(6, Heading::new("REVOKED"));
    }
    let time = |time: Option<chrono::DateTime<Utc>>| {
        Cell::new(time.map_or_else(|| "-".to_owned(), output::time))
    };
    let rows: Vec<Vec<Cell>> = keys
        .iter()
        .map(|key| {
            let mut row = vec![
                Cell::new(key.id.to_string()),
                Cell::new(format!("lb_{}_…", key.prefix)),
                Cell::new(key.scope.to_string()),
                time(Some(key.created_at)),
                time(key.last_used_at),
                time(key.expires_at),
                Cell::new(key.name.clone()),
            ];
            if revoked {
                row.insert(6, time(key.deleted_at.get().copied().flatten()));
            }
            row
        })
        .collect();
    Ok(output::table(&headings, &rows)?)
}
