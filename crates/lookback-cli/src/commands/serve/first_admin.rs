//! The first admin, made when there is none.

use lookback_server::users::{self, FirstAdmin};
use sqlx::PgPool;

use crate::config::variable;
use crate::failure::Failure;
use crate::output;

const EMAIL: &str = "LOOKBACK_ADMIN_EMAIL";
const PASSWORD: &str = "LOOKBACK_ADMIN_PASSWORD";
/// The e-mail without [`EMAIL`].
const DEFAULT_EMAIL: &str = "admin@localhost";

pub(super) async fn make(pool: &PgPool) -> Result<(), Failure> {
    let email = variable(EMAIL)?;
    let email = email.as_deref().unwrap_or(DEFAULT_EMAIL);
    let password = variable(PASSWORD)?;
    let mut conn = pool.acquire().await?;
    let made = users::first_admin(&mut conn, email, password.as_deref()).await;
    match made {
        Ok(FirstAdmin::MadeWithPassword(password)) => {
            output::note(&format!(
                "made the first admin, {email}; the password is for one log-in, and not shown again:"
            ));
            Ok(output::line(&password)?)
        }
        Ok(FirstAdmin::Made) => {
            output::note(&format!("made the first admin, {email}"));
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::failed(error.to_string()).hint(format!(
            "set {EMAIL} to an e-mail that no user has, and {PASSWORD} to a password that is hard \
             to guess, or leave it out"
        ))),
    }
}
