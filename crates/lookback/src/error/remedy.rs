//! Remedies for errors.

use std::fmt;

/// The next thing to do about an [`Error`](crate::Error).
///
/// Its text names no command and no flag. A program with commands of its own writes
/// its own text for the variants that these commands solve.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Apply the pending migrations.
    RunMigrations,
    /// Follow this remedy of a migration.
    #[cfg(feature = "migrate")]
    Migration(lookback_migrate::Remedy),
    /// Run it as the owner of the tables, or have the owner grant the permission.
    Grant,
    /// Use a newer PostgreSQL.
    UseNewerPostgres,
    /// Install pgvector on the machine of the server; then have a superuser run a
    /// statement in the database.
    #[non_exhaustive]
    InstallPgvector {
        /// The oldest supported version of pgvector.
        version: String,
        /// The major version of the server.
        server: u32,
        /// The database.
        database: String,
        /// The statement.
        statement: &'static str,
    },
    /// Have a superuser run a statement in the database.
    #[non_exhaustive]
    RunAsSuperuser {
        /// The database.
        database: String,
        /// The statement.
        statement: &'static str,
    },
    /// Compute the vectors again, or use the version of Lookback that wrote them.
    RecomputeVectors,
    /// Rebuild the search summaries of the table.
    #[non_exhaustive]
    RebuildSummaries {
        /// The table.
        table: &'static str,
    },
    /// Finish the split of the default partition of the table.
    #[non_exhaustive]
    FinishSplit {
        /// The table.
        table: &'static str,
    },
    /// Delete the records of a default partition that belong to dropped partitions.
    #[non_exhaustive]
    DeleteStrayRows {
        /// The default partition.
        partition: String,
        /// The first id that stays: records with smaller ids are deleted.
        before: i64,
    },
    /// Raise the `MAXVALUE` of the sequence of ids.
    #[non_exhaustive]
    RaiseSequence {
        /// The table.
        table: &'static str,
    },
    /// Move the sequence of ids behind the greatest id of the table.
    #[non_exhaustive]
    AdvanceSequence {
        /// The table.
        table: &'static str,
        /// The statement.
        statement: String,
    },
    /// Keep prepared statements through the connection pooler, or connect without it.
    KeepPreparedStatements,
    /// Raise the `statement_timeout` of the role, the database or the server.
    RaiseStatementTimeout,
    /// Retry when the session that holds a lock has ended.
    WaitForLock,
    /// Free space on the disk of the server.
    FreeServerDisk,
    /// Give the server more memory, or store fewer records at a time.
    FreeServerMemory,
    /// End other connections, or raise `max_connections`.
    FreeConnections,
    /// Include the schemas of the tables and of pgvector in the search path.
    SetSearchPath,
    /// Connect to a server, and as a role, that may write.
    ConnectToPrimary,
    /// Narrow the query, or give it more time.
    NarrowQuery,
    /// Retry the transaction, or begin it as `READ COMMITTED`.
    RetryTransaction,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RunMigrations => "apply the pending migrations",
            #[cfg(feature = "migrate")]
            Self::Migration(remedy) => return remedy.fmt(f),
            Self::Grant => {
                "run it as the owner of the tables, or have the owner GRANT the right to the role"
            }
            Self::UseNewerPostgres => "use another database, of a newer PostgreSQL",
            Self::InstallPgvector {
                version,
                server,
                database,
                statement,
            } => {
                return write!(
                    f,
                    "install pgvector {version} or newer on the machine of the server (Debian, \
                     Ubuntu: apt-get install postgresql-{server}-pgvector), then have a superuser \
                     run, in the database \"{database}\":\n    {statement}"
                );
            }
            Self::RunAsSuperuser {
                database,
                statement,
            } => {
                return write!(
                    f,
                    "have a superuser (on a hosted PostgreSQL, its administrator) run, in the \
                     database \"{database}\":\n    {statement}"
                );
            }
            Self::RecomputeVectors => {
                "recompute the vectors, or use the version of Lookback that wrote them"
            }
            Self::RebuildSummaries { table } => {
                return write!(f, "rebuild the search summaries of {table}");
            }
            Self::FinishSplit { table } => {
                return write!(f, "finish the split of the default partition of {table}");
            }
            Self::DeleteStrayRows { partition, before } => {
                return write!(
                    f,
                    "delete the records of {partition} with ids below {before}"
                );
            }
            Self::RaiseSequence { table } => {
                return write!(f, "raise the MAXVALUE of the sequence of {table}.id");
            }
            Self::AdvanceSequence { table, statement } => {
                return write!(
                    f,
                    "ids were copied into {table} by hand: move its sequence behind them:\n    {statement}"
                );
            }
            Self::KeepPreparedStatements => {
                "the connection pooler loses prepared statements: use PgBouncer 1.21 or newer with \
                 max_prepared_statements above 0, its session mode, or a connection to the server \
                 itself"
            }
            Self::RaiseStatementTimeout => {
                "a statement_timeout of the role, the database or the server cancelled it, or \
                 another session did: raise it (ALTER ROLE … SET statement_timeout = '5min')"
            }
            Self::WaitForLock => {
                "another session holds a lock on the table: retry when it has ended, or raise the \
                 lock_timeout of the role (pg_stat_activity shows sessions)"
            }
            Self::FreeServerDisk => {
                "the disk of the server is full: free space on it, or make it larger, and retry"
            }
            Self::FreeServerMemory => {
                "the server has no memory left: retry when it has less work, or with fewer records \
                 at a time"
            }
            Self::FreeConnections => {
                "the server has as many connections as it accepts: end some, or raise \
                 max_connections"
            }
            Self::SetSearchPath => {
                "the schemas of the tables and of the extension vector must be in the search_path \
                 of the role: ALTER ROLE … SET search_path = public"
            }
            Self::ConnectToPrimary => {
                "the server is a standby, or default_transaction_read_only is on: connect to the \
                 primary, or as a role that may write"
            }
            Self::NarrowQuery => {
                "narrow it by created_at or by another filter, leave the total out or give it a \
                 limit, go by cursors instead of a large offset, or give it more time"
            }
            Self::RetryTransaction => {
                "roll the transaction back and retry all of it, or begin it as READ COMMITTED"
            }
        })
    }
}
