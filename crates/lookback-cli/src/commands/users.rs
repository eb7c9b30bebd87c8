//! `lookback users`: `create`, `set-password`, and the commands for all records.

use std::io::{self, BufRead as _, IsTerminal as _};

use lookback::{Model as _, NewUser, User, UserRole, password};
use lookback_server::passwords;
use lookback_server::users::{self, SetPasswordError};

use super::records;
use crate::args::{RoleArg, UserCommand};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;
use crate::privileges;

pub(crate) async fn run(config: &Config, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Create { email, role, json } => {
            let created = create(config, email, role, json).await;
            match created {
                Err(failure) => {
                    let needs = [(User::TABLE.name(), privileges::ADD)];
                    Err(privileges::explain(config, failure, &needs).await)
                }
                created => created,
            }
        }
        UserCommand::SetPassword { email, one_time } => {
            let set = set_password(config, &email, one_time).await;
            match set {
                Err(failure) => {
                    let needs = [(User::TABLE.name(), privileges::CHANGE)];
                    Err(privileges::explain(config, failure, &needs).await)
                }
                set => set,
            }
        }
        UserCommand::Records(command) => records::run::<User>(config, command).await,
    }
}

async fn create(config: &Config, email: String, role: RoleArg, json: bool) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let role = match role {
        RoleArg::Admin => UserRole::Admin,
        RoleArg::User => UserRole::User,
    };
    let given = read_password()?;
    // First, since it says more about the length.
    let hash = password::hash(&given).map_err(|error| Failure::failed(error.to_string()))?;
    passwords::check(&given, &email)
        .map_err(|error| Failure::failed(format!("password: {error}")))?;
    let user = User::records()
        .create(&mut conn, NewUser::new(email, hash).role(role))
        .await?;
    if json {
        output::json(&serde_json::json!({ "data": user }))
    } else {
        output::note(&format!(
            "created user {} ({}, {})",
            user.id, user.email, user.role
        ));
        Ok(())
    }
}

async fn set_password(config: &Config, email: &str, is_one_time: bool) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let given = if is_one_time {
        None
    } else {
        Some(read_password()?)
    };
    let set = users::set_password_of(&mut conn, email, given.as_deref()).await;
    let random = set.map_err(|error| match error {
        SetPasswordError::Database(error) => error.into(),
        SetPasswordError::NoUser(_) => Failure::failed(error.to_string())
            .hint("`lookback users list` shows all; `lookback users create` makes one"),
        other => Failure::failed(other.to_string()),
    })?;
    match random {
        Some(password) => {
            output::note(&format!(
                "set the password of {email}; it is for one log-in, and not shown again:"
            ));
            Ok(output::line(&password)?)
        }
        None => {
            output::note(&format!("set the password of {email}"));
            Ok(())
        }
    }
}

/// Prompts twice on a terminal; otherwise reads the first line of standard input.
fn read_password() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        if password != rpassword::prompt_password("Password again: ")? {
            return Err(Failure::failed("the two passwords are not the same"));
        }
        return Ok(password);
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::failed(format!(
            "cannot read the password from standard input: {error}"
        ))
    })?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
