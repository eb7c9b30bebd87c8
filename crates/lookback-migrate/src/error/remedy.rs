//! Remedies for errors.

use std::fmt;
use std::path::PathBuf;

use lookback_schema::Question;

use crate::event::{Holder, Listed};

/// The next step after an [`Error`](crate::Error).
///
/// Its text contains no command and no flag. A program with commands of its own
/// formats the variants for which it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Do the same again.
    RunAgain,
    /// Do the same again: nothing was written.
    RunAgainUnchanged,
    /// Apply again: the next run detects what is already applied.
    ApplyAgain,
    /// Apply again, with a longer `statement_timeout`.
    ApplyAgainWithTime,
    /// Wait until this session releases the migration lock.
    #[non_exhaustive]
    WaitForProcess {
        /// The session.
        holder: Holder,
    },
    /// Wait until an index is built, or these sessions are done.
    #[non_exhaustive]
    WaitForIndex {
        /// The sessions that hold locks on tables.
        holders: Vec<Holder>,
    },
    /// Apply when the table is not in use, or wait longer for its lock.
    #[non_exhaustive]
    WaitForTable {
        /// The sessions that hold locks on tables.
        holders: Vec<Holder>,
    },
    /// Connect to the server directly, not through a transaction pooler.
    ConnectDirectly,
    /// Keep the migration from releasing the lock.
    KeepLock,

    /// Apply the pending migrations.
    RunMigrations,
    /// Finish the revert.
    FinishRevert,
    /// Generate the migrations from the models.
    GenerateMigrations,
    /// Finish generating.
    FinishGenerating,
    /// Record migrations that the database already has as applied, or correct
    /// the file.
    CorrectOrBaseline,
    /// Correct the file, or the data that it does not fit.
    CorrectFile,
    /// Run the statement with a role that has the privilege.
    Grant,
    /// Grant the role the right to create objects in a schema.
    #[non_exhaustive]
    GrantCreate {
        /// The schema, in SQL.
        schema: String,
        /// The role, in SQL.
        role: String,
    },
    /// Move the statement to a file of its own, without a transaction.
    MoveOutOfTransaction,

    /// Correct the SQL; no file was applied.
    CorrectScript,
    /// Remove `BEGIN` and `COMMIT`, or mark the file `-- no-transaction`.
    RemoveTransaction,
    /// Commit the transaction that the file starts.
    CommitTransaction,
    /// Replace the `COPY` from the client.
    ReplaceCopy,
    /// Remove the commands of psql.
    RemovePsqlCommand,
    /// Name the index.
    NameIndex,
    /// Drop the index, or give the new one another name.
    #[non_exhaustive]
    DropIndex {
        /// The index, with its schema.
        index: String,
    },

    /// Restore the file and write another migration for the change.
    RestoreEditedFile,
    /// Use the files that the database was migrated with, or another history
    /// table.
    UseOriginalFiles,
    /// Revert with the files that were applied.
    RevertWithOriginalFiles,
    /// Write a migration that reverses it.
    WriteReverseMigration,
    /// Restore the line `-- no-transaction`.
    RestoreNoTransaction,
    /// Restore the statements that took effect, or remove the record of the
    /// migration.
    #[non_exhaustive]
    RestoreStatements {
        /// The SQL that removes the record of the migration.
        forget: String,
    },
    /// Find out whether a statement took effect, and record it.
    #[non_exhaustive]
    RecordOutcome {
        /// The SQL to run if it did.
        done: String,
        /// The SQL to run if it did not.
        not_done: String,
    },
    /// Include the schema of the table in the search path.
    SetSearchPath,

    /// Give the path of a migrations folder that can be read and written.
    NameFolder,
    /// Give the file the name of a migration.
    RenameFile,
    /// Name the file by a time.
    RenameByTime,
    /// Save the file without a byte-order mark.
    RemoveByteOrderMark,
    /// Save the file as UTF-8.
    SaveAsUtf8,
    /// Copy the migrations of another tool to files with the names of this one.
    #[non_exhaustive]
    RenameForeign {
        /// The name for one of them.
        name: String,
    },
    /// Give one of two migrations another version.
    ChangeVersion,
    /// Remove one of two migrations and generate it again.
    #[non_exhaustive]
    RegenerateDuplicate {
        /// The schema snapshot of the one to remove, if it is known.
        snapshot: Option<String>,
    },
    /// Add the file that applies what another file reverts.
    #[non_exhaustive]
    AddUpFile {
        /// The version.
        version: i64,
        /// The folder.
        folder: PathBuf,
    },
    /// Restore a file from the history of the repository.
    #[non_exhaustive]
    RestoreFile {
        /// The name of the file, if it is not the one in the error.
        name: Option<String>,
    },
    /// Restore a file, or remove everything generated with it and generate
    /// again.
    RestoreOrRegenerate,
    /// Restore the folder from the history of the repository.
    RestoreFolder,
    /// Rebase the migrations of two branches.
    Rebase,
    /// Rebase and generate one of the migrations again.
    Regenerate,
    /// Give the version of a migration that was generated on one branch only.
    NameBranchVersion,

    /// Decide what was renamed and what was dropped.
    #[non_exhaustive]
    Decide {
        /// The questions.
        questions: Vec<Question>,
    },
    /// Use the names of objects in the schema.
    NameObject,
    /// Write the `.down.sql` file of the migration by hand.
    WriteDownFile,
    /// Use letters, digits and `_` in the name of a migration.
    UseMigrationName,
    /// Use a valid name of a table.
    UseTableName,
    /// Give a later version, or leave it out.
    UseLaterVersion,
    /// Give a smaller version, or leave it out.
    UseSmallerVersion,
    /// Allow the loss of data.
    #[non_exhaustive]
    AllowDataLoss {
        /// The tables, columns and enums that lose data.
        objects: Vec<String>,
    },

    /// Correct the model, or the rows that it does not fit.
    #[non_exhaustive]
    CorrectChange {
        /// The rejected statement.
        statement: String,
    },
    /// Decide which value rows without one get.
    #[non_exhaustive]
    FillRows {
        /// The rejected statement.
        statement: String,
        /// The column.
        column: String,
    },
    /// Decide how values are converted to the new type.
    #[non_exhaustive]
    ConvertRows {
        /// The rejected statement.
        statement: String,
        /// The column.
        column: String,
    },
    /// Correct the part of the model that the server rejects.
    CorrectModel,
    /// Drop what uses a column, and create it again after the type of the column has changed.
    #[non_exhaustive]
    RecreateUsers {
        /// These objects, in words; empty if the message names them.
        users: Vec<String>,
    },
    /// Give rows whose values the new type refuses other ones, or say how to convert them.
    ChangeValues,
    /// Create the function or operator first.
    CreateFunction,
    /// Use a newer server, or leave out what it lacks.
    UpgradeServer,
    /// Create a schema of the search path, or set another search path.
    CreateSchema,
    /// Give the name of a schema in the database.
    NameSchema,
    /// Exclude the table.
    ExcludeTable,
    /// Report a defect.
    Report,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RunAgain => "run it again",
            Self::RunAgainUnchanged => "nothing was written; run it again",
            Self::ApplyAgain => "run it again: it detects what is already applied",
            Self::ApplyAgainWithTime => {
                "run it again; if statement_timeout cancelled it, raise that first"
            }
            Self::WaitForProcess { holder } => return write!(f, "it is held by {holder}"),
            Self::WaitForIndex { holders } => {
                return write!(f, "run it again when that has ended{}", Listed(holders));
            }
            Self::WaitForTable { holders } => {
                return write!(
                    f,
                    "run it again when the table is not in use, or wait longer{}",
                    Listed(holders)
                );
            }
            Self::ConnectDirectly => {
                "a pooler moves the connection between sessions; connect to the server itself, or \
                 to a pooler that keeps a session for each client"
            }
            Self::KeepLock => {
                "a migration must not call pg_advisory_unlock_all() or DISCARD ALL; run it again \
                 for the rest"
            }
            Self::RunMigrations => "apply the pending migrations first",
            Self::FinishRevert => "finish the revert first",
            Self::GenerateMigrations => "generate the migrations from the models",
            Self::FinishGenerating => "generate again, which finishes it",
            Self::CorrectOrBaseline => {
                "correct the file or the database, and run it again; if the database has these \
                 objects already, record the migrations as a baseline"
            }
            Self::CorrectFile => "correct the file or the database, and run it again",
            Self::Grant => {
                "have a role with the right run the statement in this database (for CREATE \
                 EXTENSION, a superuser), and run it again"
            }
            Self::GrantCreate { schema, role } => {
                return write!(
                    f,
                    "have the owner of the database run: GRANT CREATE ON SCHEMA {schema} TO {role}. \
                     Since PostgreSQL 15, only the owner of a database may create objects in its \
                     schema public"
                );
            }
            Self::MoveOutOfTransaction => {
                "move the statement to a file of its own with \"-- no-transaction\" as its first \
                 line"
            }
            Self::CorrectScript => "correct the SQL; no file was applied",
            Self::RemoveTransaction => {
                "remove BEGIN and COMMIT, or make \"-- no-transaction\" the first line"
            }
            Self::CommitTransaction => "add COMMIT; no file was applied",
            Self::ReplaceCopy => "use INSERT (pg_dump --inserts writes it), or COPY from a file of the server",
            Self::RemovePsqlCommand => {
                "remove the lines that begin with a backslash: the connection is already the one \
                 to the database, and \\i is another migration"
            }
            Self::NameIndex => {
                "name the index: without a name, the remains of a killed build cannot be found"
            }
            Self::DropIndex { index } => {
                return write!(
                    f,
                    "drop it (DROP INDEX CONCURRENTLY {index}) or give the new one another name"
                );
            }
            Self::RestoreEditedFile => {
                "restore the file, and write another migration for the change"
            }
            Self::UseOriginalFiles => {
                "the database was migrated by a newer version of the program, from another branch \
                 or from another folder: use that one, or restore the file. Two applications in \
                 one database need two tables of applied migrations"
            }
            Self::RevertWithOriginalFiles => {
                "revert it with the program or the folder that applied it"
            }
            Self::WriteReverseMigration => {
                "write a migration that changes it back; only a <version>_<description>.up.sql \
                 with a .down.sql can be reverted"
            }
            Self::RestoreNoTransaction => "restore \"-- no-transaction\" as its first line",
            Self::RestoreStatements { forget } => {
                return write!(
                    f,
                    "restore these statements; the rest may be changed. Or revert them by hand, \
                     and run: {forget}"
                );
            }
            Self::RecordOutcome { done, not_done } => {
                return write!(
                    f,
                    "check whether it did. If so, run:\n    {done};\nIf not, to run it again:\n    \
                     {not_done};\nThen migrate again"
                );
            }
            Self::SetSearchPath => "the search_path of the connection must lead to it",
            Self::NameFolder => "give a folder of migrations that this user may read and write",
            Self::RenameFile => {
                "rename it, such as to 20260131120000_add_orders.sql, or move it to another folder"
            }
            Self::RenameByTime => "rename the latest file to a time: 20260131120000_name.sql",
            Self::RemoveByteOrderMark => "save it as UTF-8 without a byte-order mark",
            Self::SaveAsUtf8 => "save it as UTF-8 without a byte-order mark",
            Self::RenameForeign { name } => {
                return write!(
                    f,
                    "copy each of them to a file of this folder with a name such as {name}; for a \
                     database that has them, record them as applied (baseline)"
                );
            }
            Self::ChangeVersion => "give one of them another version",
            Self::RegenerateDuplicate { snapshot: None } => {
                "remove one of them, and generate it again"
            }
            Self::RegenerateDuplicate {
                snapshot: Some(snapshot),
            } => {
                return write!(
                    f,
                    "remove the files of one of them and its snapshot ({snapshot}), and generate \
                     it again"
                );
            }
            Self::AddUpFile { version, folder } => {
                return write!(f, "add {version}_….up.sql to {}", folder.display());
            }
            Self::RestoreFile { name: None } => {
                "restore the file from the history of the repository"
            }
            Self::RestoreFile { name: Some(name) } => {
                return write!(f, "restore {name} from the history of the repository");
            }
            Self::RestoreOrRegenerate => {
                "restore the file from the history of the repository; or, to generate the change \
                 again, remove its snapshot and its other files, too"
            }
            Self::RestoreFolder => "restore the folder from the history of the repository",
            Self::Rebase => "rebase them",
            Self::Regenerate => {
                "regenerate the one of them that is in no database yet, or can be reverted where \
                 it is"
            }
            Self::NameBranchVersion => "give a migration that was generated on one branch only",
            Self::Decide { questions } => {
                for (at, question) in questions.iter().enumerate() {
                    let line_break = if at > 0 { "\n" } else { "" };
                    write!(f, "{line_break}{question}")?;
                }
                return Ok(());
            }
            Self::NameObject => "give a table, table.column, enum or enum.value of the schema",
            Self::WriteDownFile => "generate it without that, and write the .down.sql by hand",
            Self::UseMigrationName => "use letters, digits and _ (at most 100): add_trace_id",
            Self::UseTableName => "write the name as in SQL, such as _shop_migrations",
            Self::UseLaterVersion => "give a later version, or none to use the time",
            Self::UseSmallerVersion => "give a smaller version, or none to use the time",
            Self::AllowDataLoss { objects } => {
                return write!(
                    f,
                    "if that is intended, allow it for {}",
                    objects.join(", ")
                );
            }
            Self::CorrectChange { statement } => return refused(f, statement),
            Self::FillRows { statement, column } => {
                refused(f, statement)?;
                return write!(f, "\ndecide what existing rows get in {column}");
            }
            Self::ConvertRows { statement, column } => {
                refused(f, statement)?;
                return write!(
                    f,
                    "\ndecide how a value of {column} is converted to the new type"
                );
            }
            Self::CorrectModel => "correct this part of the model: the server refuses it",
            Self::RecreateUsers { users } if users.is_empty() => {
                "drop these before the change, or change their columns to text, and create them \
                 again after it"
            }
            Self::RecreateUsers { users } => {
                return write!(
                    f,
                    "before this statement, drop what uses the column, and after it create that \
                     again: {}",
                    users.join(", ")
                );
            }
            Self::ChangeValues => {
                "give the rows with this value another one first (UPDATE), or generate the \
                 migration again with the conversion of the values to the new type"
            }
            Self::CreateFunction => {
                "if a function is missing, create it first, in a migration between the types that \
                 it takes and the tables that call it; otherwise correct this part"
            }
            Self::UpgradeServer => "use a newer server, or leave this out",
            Self::CreateSchema => {
                "create one of them, or set another search_path for the role or in the URL \
                 (?options=-csearch_path%3Dpublic)"
            }
            Self::NameSchema => "write the name as the database has it, without quotes",
            Self::ExcludeTable => "this version cannot read it: leave the table out",
            Self::Report => "this is a defect: please report it with the schema",
        })
    }
}

fn refused(f: &mut fmt::Formatter<'_>, statement: &str) -> fmt::Result {
    write!(
        f,
        "nothing was changed; the statement was:\n    {statement}"
    )
}
