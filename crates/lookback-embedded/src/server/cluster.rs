use std::fs;
use std::path::Path;

use super::password::Password;
use super::tools::Tools;
use super::{NAME, orphans};
use crate::process::Finished;
use crate::{Error, ErrorKind, Event, Result, folder};

/// Makes the data folder if there is none, and checks it if there is.
///
/// It is made under another name and renamed when complete: whoever is interrupted leaves
/// nothing that looks like a database.
pub(crate) fn prepare(
    base: &Path,
    tools: &Tools<'_>,
    throw_away: bool,
    on: &dyn Fn(&Event),
) -> Result<()> {
    let data = base.join("data");
    let new = base.join("data.new");
    orphans::clear(&new, tools.patience)?;
    if let Some(found) = folder::read(&data.join("PG_VERSION"))? {
        return check_major(&data, found.trim(), tools.installation.version().major());
    }
    if fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::from(ErrorKind::Damaged {
            base: base.to_owned(),
            reason: "the folder data is not empty and is no data folder of PostgreSQL (it has \
                     no file PG_VERSION)"
                .to_owned(),
        }));
    }

    on(&Event::Initialising {
        data: data.clone(),
        user: tools.account.as_ref().map(|account| account.name.clone()),
    });
    let new = folder::Unfinished(new);
    fs::create_dir(&new.0).map_err(Error::io("create", &new.0))?;
    folder::set_mode(&new.0, 0o700)?;
    tools.own(&new.0)?;
    let password = Password::random(base)?;
    initdb(base, &new.0, &password, tools, throw_away)?;
    create_database(&new.0, tools)?;
    folder::write(&base.join("password"), password.reveal(), 0o600)?;
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
    throw_away: bool,
) -> Result<()> {
    // initdb runs as the server's account, so it cannot read the caller's password file.
    let passing = folder::Unfinished(base.join("initdb.password"));
    folder::write(&passing.0, password.reveal(), 0o600)?;
    tools.own(&passing.0)?;

    let run = |locale: &[&str]| -> Result<Finished> {
        let mut initdb = tools.command("initdb");
        // The next start finds it by its working folder, or by `-D`, if this one is killed.
        initdb.current_dir(data).arg("-D").arg(data);
        initdb.arg("--pwfile").arg(&passing.0);
        initdb.args(["--username", NAME, "--encoding", "UTF8", "--lc-messages=C"]);
        initdb.args(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]);
        initdb.arg("--no-instructions").args(locale);
        if throw_away {
            initdb.arg("--no-sync");
        }
        tools.run(&mut initdb, "")
    };
    // The same on every system: characters by Unicode, order by code point.
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

/// Creates the database without a server, so that a data folder is either complete or absent.
fn create_database(data: &Path, tools: &Tools<'_>) -> Result<()> {
    let mut postgres = tools.command("postgres");
    postgres.current_dir(data);
    postgres.arg("--single").arg("-D").arg(data);
    postgres.args(["-c", "exit_on_error=true", "postgres"]);
    let done = tools.run(&mut postgres, &format!("CREATE DATABASE {NAME};\n"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(tools.failure("postgres --single", data, &done, ""))
}
