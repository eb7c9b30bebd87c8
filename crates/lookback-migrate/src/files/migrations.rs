//! Sets of migrations, with their names, files and SQL.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::{Migration as SqlxMigration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::Folder;
use crate::error::{Error, FolderError};
use crate::hooks::{Hooks, NoHooks};

/// A set of migrations, embedded in the program or read from a folder.
///
/// The rules are sqlx's, so that `sqlx migrate run` and `sqlx::migrate!` accept the same folder. A
/// file is named `<version>_<description>.sql`, or `.up.sql` with a `.down.sql` that reverts it;
/// the version is a number. A file that starts with `-- no-transaction` is run without a
/// transaction. Subfolders and other files are ignored.
#[derive(Clone, Debug)]
pub struct Migrations {
    files: Vec<MigrationFile>,
    hooks: Arc<dyn Hooks>,
    table: Cow<'static, str>,
}

/// One migration of a set.
#[derive(Clone, Debug)]
pub struct MigrationFile {
    version: i64,
    description: String,
    up: Script,
    down: Option<Script>,
}

/// An SQL file.
#[derive(Clone, Debug)]
pub struct Script {
    name: String,
    sql: Cow<'static, str>,
    checksum: Vec<u8>,
    no_transaction: bool,
}

impl Migrations {
    /// The migrations that `sqlx::migrate!` embedded in the program.
    ///
    /// If the migrator sets a table name, they are recorded [there](Self::in_table).
    pub fn embedded(migrator: &'static Migrator) -> Self {
        let mut files: BTreeMap<i64, MigrationFile> = BTreeMap::new();
        let of_type = |down| {
            let chosen = move |m: &&SqlxMigration| m.migration_type.is_down_migration() == down;
            migrator.iter().filter(chosen)
        };
        for migration in of_type(false) {
            let file = MigrationFile {
                version: migration.version,
                description: migration.description.to_string(),
                up: Script::embedded(migration),
                down: None,
            };
            files.insert(migration.version, file);
        }
        for migration in of_type(true) {
            if let Some(file) = files.get_mut(&migration.version) {
                file.down = Some(Script::embedded(migration));
            }
        }
        Self {
            files: files.into_values().collect(),
            hooks: Arc::new(NoHooks),
            table: migrator.table_name.clone(),
        }
    }

    /// Reads the files of a folder.
    ///
    /// # Errors
    ///
    /// [`Error::is_folder`] if the folder or a file cannot be read, if a name is not valid, or if
    /// two files have the same version; the message names the files.
    pub fn folder(path: &Path) -> Result<Self, Error> {
        Folder::new(path).refuse_half_written()?;
        let (mut names, mut folders) = (Vec::new(), Vec::new());
        let entries = fs::read_dir(path).map_err(|error| unreadable(path, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(path, error))?;
            let path = entry.path();
            // A symbolic link counts as its target.
            let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
            if metadata.is_dir() {
                folders.push(entry.file_name());
            }
            if metadata.is_file() && path.extension().is_some_and(|end| end == "sql") {
                names.push(entry.file_name());
            }
        }
        names.sort();
        folders.sort();
        if names.is_empty()
            && let Some(error) = foreign(path, &folders)
        {
            return Err(error.into());
        }

        let mut ups: BTreeMap<i64, MigrationFile> = BTreeMap::new();
        let mut downs: BTreeMap<i64, Script> = BTreeMap::new();
        for name in names {
            let shown = name.to_string_lossy().into_owned();
            let (version, description, kind) = read_name(&shown).ok_or_else(|| bad_name(&shown))?;
            let file = path.join(&name);
            let sql = read_text(&file)?;
            // PostgreSQL would read the mark as a word, and sqlx would miss `-- no-transaction`.
            if sql.starts_with('\u{feff}') {
                return Err(FolderError::ByteOrderMark { path: file }.into());
            }
            let script = Script::new(shown, Cow::Owned(sql));
            let earlier = if kind.is_down_migration() {
                let name = script.name.clone();
                downs.insert(version, script).map(|twin| (twin.name, name))
            } else {
                let name = script.name.clone();
                let file = MigrationFile {
                    version,
                    description,
                    up: script,
                    down: None,
                };
                ups.insert(version, file).map(|twin| (twin.up.name, name))
            };
            if let Some((first, second)) = earlier {
                return Err(FolderError::DuplicateVersion {
                    version,
                    first,
                    second,
                }
                .into());
            }
        }
        for (version, down) in downs {
            match ups.get_mut(&version) {
                Some(file) => file.down = Some(down),
                None => {
                    return Err(FolderError::UpFileMissing {
                        file: down.name,
                        version,
                        folder: path.to_owned(),
                    }
                    .into());
                }
            }
        }
        Ok(Self {
            files: ups.into_values().collect(),
            hooks: Arc::new(NoHooks),
            table: Migrator::DEFAULT.table_name,
        })
    }

    /// Records the migrations in the table `name` instead of `_sqlx_migrations`.
    ///
    /// Two sets in one schema of a database need two tables: a recorded migration that is not in
    /// the set counts as missing.
    ///
    /// The name has SQL syntax, as in sqlx's own `table-name`.
    #[must_use]
    pub fn in_table(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.table = name.into();
        self
    }

    /// The name of the history table.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// The files, by version.
    pub fn files(&self) -> &[MigrationFile] {
        &self.files
    }

    pub(crate) fn get(&self, version: i64) -> Option<&MigrationFile> {
        self.files.iter().find(|file| file.version == version)
    }

    /// Adds hooks that run before and after the files.
    #[must_use]
    pub fn with_hooks(mut self, hooks: impl Hooks + 'static) -> Self {
        self.hooks = Arc::new(hooks);
        self
    }

    pub(crate) fn hooks(&self) -> &dyn Hooks {
        &*self.hooks
    }
}

impl MigrationFile {
    /// The number at the start of its name.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The words of its name.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The file that applies it.
    pub fn up(&self) -> &Script {
        &self.up
    }

    /// The file that reverts it, if there is one.
    pub fn down(&self) -> Option<&Script> {
        self.down.as_ref()
    }
}

impl Script {
    fn new(name: String, sql: Cow<'static, str>) -> Self {
        Self {
            checksum: checksum(&sql),
            no_transaction: sql.starts_with("-- no-transaction"),
            name,
            sql,
        }
    }

    fn embedded(migration: &SqlxMigration) -> Self {
        // sqlx stores the words of the name, but not the name itself.
        let words = migration.description.replace(' ', "_");
        let end = migration.migration_type.suffix();
        Self {
            name: format!("{}_{words}{end}", migration.version),
            sql: Cow::Owned(migration.sql.as_str().to_owned()),
            checksum: migration.checksum.to_vec(),
            no_transaction: migration.no_tx,
        }
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SQL.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The SHA-384 of the SQL.
    pub fn checksum(&self) -> &[u8] {
        &self.checksum
    }

    /// Whether it is run without a transaction.
    pub fn no_transaction(&self) -> bool {
        self.no_transaction
    }
}

/// The checksum that sqlx computes for this SQL.
pub(crate) fn checksum(sql: &str) -> Vec<u8> {
    let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
    let migration = SqlxMigration::new(0, "".into(), MigrationType::Simple, sql, false);
    migration.checksum.into_owned()
}

/// Parses version, description and type by sqlx's rules. sqlx ignores a name without `_`; here that
/// is an error, too.
fn read_name(name: &str) -> Option<(i64, String, MigrationType)> {
    let (version, rest) = name.split_once('_')?;
    let version = version.parse().ok().filter(|version| *version > 0)?;
    let kind = MigrationType::from_filename(rest);
    let description = rest.trim_end_matches(kind.suffix()).replace('_', " ");
    Some((version, description, kind))
}

fn bad_name(name: &str) -> Error {
    let name = name.to_owned();
    FolderError::FileName { name }.into()
}

/// Reads a file, which must be UTF-8.
fn read_text(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, error))?;
    String::from_utf8(bytes).map_err(|error| {
        let bytes = error.as_bytes();
        let encoding = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            Some(", but UTF-16")
        } else {
            None
        };
        let valid = &bytes[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        let path = path.to_owned();
        FolderError::NotUtf8 {
            path,
            line,
            encoding,
        }
        .into()
    })
}

/// Finds the folders that other tools write for each migration.
fn foreign(path: &Path, folders: &[std::ffi::OsString]) -> Option<FolderError> {
    let tools = [("Prisma", "migration.sql"), ("Diesel", "up.sql")];
    folders.iter().find_map(|folder| {
        let (tool, file) = tools
            .into_iter()
            .find(|(_, file)| path.join(folder).join(file).is_file())?;
        let folder = folder.to_string_lossy();
        // 20240131120000_add_orders, 2024-01-31-120000_add_orders, 00000000000000_initial_setup
        let (version, words) = folder.split_once('_').unwrap_or((&folder, "start"));
        let digits: String = version.chars().filter(char::is_ascii_digit).collect();
        let version = digits.parse::<i64>().unwrap_or(0).max(1);
        let end = if tool == "Diesel" { ".up.sql" } else { ".sql" };
        Some(FolderError::Foreign {
            folder: path.to_owned(),
            tool,
            found: format!("{folder}/{file}"),
            name: format!("{version}_{words}{end}"),
        })
    })
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    FolderError::io("read", path, source).into()
}
