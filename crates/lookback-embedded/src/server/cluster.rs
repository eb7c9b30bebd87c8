use std::fs;
use std::path::Path;

use super::password::Password;
use super::tools::Tools;
use super::{DATABASE, SUPERUSER, orphans};
use crate::process::ProgramOutput;
use crate::{Error, ErrorKind, Event, Result, folder};

/// Creates the data folder if it does not exist; otherwise checks its version.
///
/// The folder is created under another name and renamed when it is complete. An interrupted start
/// then leaves nothing that looks like a database.
pub(crate) fn prepare(
    base: &Path,
    tools: &Tools<'_>,
    ephemeral: bool,
    on_event: &dyn Fn(&Event),
) -> Result<()> {
    let data = base.join("data");
    let new = base.join("data.new");
    orphans::remove_unfinished(&new, tools.timeout)?;
    if let Some(found) = folder::read(&data.join("PG_VERSION"))? {
        return check_major(&data, found.trim(), tools.installation.version().major());
    }
    if fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::from(ErrorKind::Damaged {
            base: base.to_owned(),
            reason: "the folder data is not empty and is not a data folder of PostgreSQL (it has \
                     no file PG_VERSION)"
                .to_owned(),
        }));
    }

    on_event(&Event::Initializing {
        data: data.clone(),
        user: tools.account.as_ref().map(|account| account.name.clone()),
    });
    let new = folder::RemoveOnDrop(new);
    fs::create_dir(&new.0).map_err(Error::io("create", &new.0))?;
    folder::set_mode(&new.0, 0o700)?;
    tools.chown(&new.0)?;
    let password = Password::random(base)?;
    initdb(base, &new.0, &password, tools, ephemeral)?;
    create_database(&new.0, tools)?;
    folder::write_atomically(&base.join("password"), password.reveal(), 0o600)?;
    fs::rename(&new.0, &data).map_err(Error::io("create", &data))
}

fn check_major(data: &Path, found: &str, installed: u32) -> Result<()> {
    if found == installed.to_string() {
        return Ok(());
    }
    Err(Error::from(ErrorKind::OtherMajor {
        data: data.to_owned(),
        found: found.to_owned(),
        installed,
    }))
}

fn initdb(
    base: &Path,
    data: &Path,
    password: &Password,
    tools: &Tools<'_>,
    ephemeral: bool,
) -> Result<()> {
    // initdb runs as the server's account, so it cannot read the caller's password file.
    let password_file = folder::RemoveOnDrop(base.join("initdb.password"));
    folder::write_atomically(&password_file.0, password.reveal(), 0o600)?;
    tools.chown(&password_file.0)?;

    let run = |locale: &[&str]| -> Result<ProgramOutput> {
        let mut initdb = tools.command("initdb");
        // If this start is killed, the next one finds initdb by its working folder or by `-D`.
        initdb.current_dir(data).arg("-D").arg(data);
        initdb.arg("--pwfile").arg(&password_file.0);
        initdb.args([
            "--username",
            SUPERUSER,
            "--encoding",
            "UTF8",
            "--lc-messages=C",
        ]);
        initdb.args(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]);
        initdb.arg("--no-instructions").args(locale);
        if ephemeral {
            initdb.arg("--no-sync");
        }
        tools.run(&mut initdb, "")
    };
    // The same on every system: character classes of Unicode, sorted by code point.
    let builtin = [
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ];
    let mut done = if tools.installation.version().major() >= 17 {
        run(&builtin)?
    } else {
        run(&["--locale=C.UTF-8"])?
    };
    if !done.status.success() && done.stderr.contains("invalid locale name") {
        done = run(&["--locale=C"])?;
    }
    if done.status.success() {
        return Ok(());
    }
    Err(tools.failure("initdb", data, &done, ""))
}

/// Creates the database in single-user mode, so that a data folder is complete or absent.
fn create_database(data: &Path, tools: &Tools<'_>) -> Result<()> {
    let mut postgres = tools.command("postgres");
    postgres.current_dir(data);
    postgres.arg("--single").arg("-D").arg(data);
    postgres.args(["-c", "exit_on_error=true", "postgres"]);
    let done = tools.run(&mut postgres, &format!("CREATE DATABASE {DATABASE};\n"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(tools.failure("postgres --single", data, &done, ""))
}
