//! Errors of schemas that cannot be read or that the server rejects.

use crate::sqlstate::{self, server_error};

use super::Remedy;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("no schema of the search_path exists: {search_path}")]
    NoCurrentSchema { search_path: String },
    #[error("the database has no schema {name}")]
    NoSchema { name: String },
    #[error("{object}: {problem}")]
    Unreadable { object: String, problem: String },
    #[error("cannot read the schema that the server prints: {0}")]
    Unprintable(serde_json::Error),
    #[error("{object}: {}", detailed(.source, None))]
    Refused { object: String, source: sqlx::Error },
    #[error("{object}: {sql} needs PostgreSQL {needs}, and the server has version {server}")]
    ServerTooOld {
        object: String,
        sql: &'static str,
        needs: u32,
        server: u32,
    },
    #[error("{change}: {}", detailed(.source, Some(.code)))]
    ChangeRefused {
        change: String,
        code: String,
        /// The rejected statement.
        statement: String,
        /// The column whose existing rows do not fit.
        column: Option<ColumnNeed>,
        /// What uses the object and is in no model, in words; `Some` if that is the cause.
        users: Option<Vec<String>>,
        source: sqlx::Error,
    },
}

/// The kind of expression that existing rows need before the change is
/// possible.
#[derive(Clone, Debug)]
pub(crate) enum ColumnNeed {
    Fill(String),
    Using(String),
}

impl SchemaError {
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::NoCurrentSchema { .. } => Remedy::CreateSchema,
            Self::NoSchema { .. } => Remedy::NameSchema,
            Self::Unreadable { .. } => Remedy::ExcludeTable,
            Self::Unprintable(_) => Remedy::Report,
            Self::Refused { source, .. }
                if sqlstate::code(source)
                    .is_some_and(|code| sqlstate::UNDEFINED_FUNCTION.contains(&code)) =>
            {
                Remedy::CreateFunction
            }
            Self::Refused { .. } => Remedy::CorrectModel,
            Self::ServerTooOld { .. } => Remedy::UpgradeServer,
            Self::ChangeRefused {
                users: Some(users), ..
            } => Remedy::RecreateUsers {
                users: users.clone(),
            },
            Self::ChangeRefused {
                statement, column, ..
            } => {
                let statement = statement.clone();
                match column.clone() {
                    Some(ColumnNeed::Fill(column)) => Remedy::FillRows { statement, column },
                    Some(ColumnNeed::Using(column)) => Remedy::ConvertRows { statement, column },
                    None => Remedy::CorrectChange { statement },
                }
            }
        }
    }
}

/// The server's message with its detail, and with `code` if that is given.
fn detailed(error: &sqlx::Error, code: Option<&String>) -> String {
    let Some(refusal) = server_error(error) else {
        return error.to_string();
    };
    let mut text = refusal.message().to_owned();
    if let Some(code) = code {
        text.push_str(&format!(" (SQLSTATE {code})"));
    }
    if let Some(detail) = refusal.detail() {
        text.push_str(&format!(": {detail}"));
    }
    text
}
