//! Passwords, stored as argon2id hashes.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};

/// The error of a password that cannot be hashed, or of an invalid hash.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PasswordError(String);

/// The smallest length of a password, in characters (NIST SP 800-63B, 5.1.1.1).
pub const MIN_LENGTH: usize = 8;

/// The largest length of a password, in bytes.
pub const MAX_BYTES: usize = 1024;

/// The value of `users.password_hash` for a user without a password, such as an imported one.
///
/// [`verify`] accepts no password for it.
pub const NO_PASSWORD: &str = "!";

/// Hashes a password for `users.password_hash`.
///
/// The hash is argon2id with the parameters of the `argon2` crate (19 MiB, 2 passes)
/// and a random salt, in PHC format. It takes tens of milliseconds of one core: in a
/// server, call it on a blocking thread.
///
/// # Errors
///
/// A password shorter than [`MIN_LENGTH`] or longer than [`MAX_BYTES`].
///
/// ```
/// use lookback::password;
///
/// let hash = password::hash("correct horse")?;
/// assert!(hash.starts_with("$argon2id$"));
/// assert!(password::verify("correct horse", &hash)?);
/// assert!(!password::verify("wrong horse", &hash)?);
/// assert!(!password::verify("!", password::NO_PASSWORD)?);
/// # Ok::<(), lookback::password::PasswordError>(())
/// ```
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let characters = password.chars().count();
    if characters < MIN_LENGTH {
        return Err(PasswordError(format!(
            "password: has {characters} {}; at least {MIN_LENGTH} are needed",
            if characters == 1 {
                "character"
            } else {
                "characters"
            }
        )));
    }
    if password.len() > MAX_BYTES {
        return Err(PasswordError(format!(
            "password: is {} bytes long, over the limit of {MAX_BYTES}",
            password.len()
        )));
    }
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError(format!("the password could not be hashed: {error}")))
}

/// Whether `hash` is a hash of `password`; never for [`NO_PASSWORD`].
///
/// # Errors
///
/// A hash that is not in PHC format.
pub fn verify(password: &str, hash: &str) -> Result<bool, PasswordError> {
    if hash == NO_PASSWORD {
        return Ok(false);
    }
    let hash = PasswordHash::new(hash)
        .map_err(|_| PasswordError("the stored hash is not in PHC form".to_owned()))?;
    Ok(Argon2::default()
        .verify_password(password.as_bytes(), &hash)
        .is_ok())
}
