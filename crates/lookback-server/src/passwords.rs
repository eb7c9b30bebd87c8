//! Passwords: how strong they must be, and hashing them without keeping others waiting.

use std::sync::OnceLock;
use std::time::Duration;

use lookback::password;
use tokio::sync::Semaphore;
use zxcvbn::Score;

use crate::problem::{Kind, Problem, WrongField};
use crate::server::Shared;

/// The hashes that are computed at a time: each takes 19 MiB, and one processor.
const AT_A_TIME: usize = 4;

/// The longest time that a request waits for its turn.
const WAIT: Duration = Duration::from_secs(5);

/// The error of a password that is too short, too long or too easy to guess.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WeakPassword(String);

/// Checks that a password is not easy to guess, by words, names, dates and patterns (zxcvbn), or
/// from the e-mail of its user.
///
/// # Errors
///
/// It is, and the message says why.
pub fn check(password: &str, email: &str) -> Result<(), WeakPassword> {
    let characters = password.chars().count();
    let least = password::MIN_LENGTH;
    if characters < least {
        return Err(WeakPassword(format!(
            "has {characters} characters; at least {least} are needed"
        )));
    }
    let most = password::MAX_BYTES;
    if password.len() > most {
        let bytes = password.len();
        return Err(WeakPassword(format!(
            "has {bytes} bytes; at most {most} are taken"
        )));
    }
    let mut known: Vec<&str> = email.split(['@', '.', '+', '-', '_']).collect();
    known.extend([email, "lookback"]);
    let guessed = zxcvbn::zxcvbn(password, &known);
    if guessed.score() >= Score::Three {
        return Ok(());
    }
    let feedback = guessed.feedback();
    let why = feedback.and_then(zxcvbn::feedback::Feedback::warning);
    let why = why.map_or_else(
        || "use more words, or less common ones".to_owned(),
        |warning| warning.to_string().trim_end_matches('.').to_owned(),
    );
    Err(WeakPassword(format!("is easy to guess: {why}")))
}

/// Makes a password of 120 random bits, in groups that are easy to type.
pub(crate) fn random() -> std::io::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 24];
    getrandom::fill(&mut random)?;
    let groups: Vec<String> = random
        .chunks(6)
        .map(|group| {
            let letters = group.iter().map(|byte| LETTERS[usize::from(byte % 32)]);
            letters.map(char::from).collect()
        })
        .collect();
    Ok(groups.join("-"))
}

/// The places for hashing.
pub(crate) fn places() -> Semaphore {
    Semaphore::new(AT_A_TIME)
}

/// The problem of a password that cannot be set.
pub(crate) fn refuse(problem: &str) -> Problem {
    let field = WrongField {
        record: None,
        field: "password".to_owned(),
        problem: problem.to_owned(),
    };
    Problem::new(Kind::InvalidRecord, format!("password: {problem}")).with_fields(vec![field])
}

/// Hashes a new password of a user, if it is strong enough.
pub(crate) async fn hash(shared: &Shared, text: String, email: &str) -> Result<String, Problem> {
    check(&text, email).map_err(|error| refuse(&error.to_string()))?;
    let hashed = on_a_thread(shared, move || password::hash(&text)).await?;
    hashed.map_err(|error| Problem::new(Kind::InvalidRecord, error.to_string()))
}

/// Whether this is the password of a hash. Without a hash, and with one that no password has, it
/// takes the same time.
pub(crate) async fn verify(
    shared: &Shared,
    text: String,
    hash: Option<String>,
) -> Result<bool, Problem> {
    on_a_thread(shared, move || is_of(&text, hash.as_deref())).await
}

fn is_of(text: &str, hash: Option<&str>) -> bool {
    let hash = hash.filter(|hash| *hash != password::NO_PASSWORD);
    if let Some(Ok(is_same)) = hash.map(|hash| password::verify(text, hash)) {
        return is_same;
    }
    // The result is of no password. Only its time counts.
    let _unused = password::verify(text, of_nobody());
    false
}

/// The hash of a password that nobody has.
fn of_nobody() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let password = random().unwrap_or_else(|_| "nobody logs in".to_owned());
        password::hash(&password).unwrap_or_default()
    })
}

async fn on_a_thread<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let busy = || Problem::new(Kind::Busy, "too many passwords are being checked");
    let place = tokio::time::timeout(WAIT, shared.hashing.acquire()).await;
    let _place = place.map_err(|_| busy())?.map_err(|_| busy())?;
    tokio::task::spawn_blocking(move || {
        of_nobody();
        work()
    })
    .await
    .map_err(|_| Problem::new(Kind::Internal, "the password could not be checked"))
}

#[cfg(test)]
mod tests {
    use lookback::password;

    use super::{check, is_of, of_nobody, random};

    #[test]
    fn passwords_that_are_easy_to_guess_are_refused() {
        for text in [
            "short",
            "password1",
            "12345678901234",
            "qwertyuiop[]",
            "ada.lovelace@shop.example",
            "lovelaceada",
            "lookbacklookback",
            "aaaaaaaaaaaaaaaa",
        ] {
            let error = check(text, "ada.lovelace@shop.example").unwrap_err();
            assert!(!error.to_string().contains(text), "{error}");
        }
        assert!(check(&"x1".repeat(600), "a@b.c").is_err());
        for text in [
            "correct horse",
            "correct horse battery staple",
            "Mh7!kq-pelican",
            "ключ от старого дома",
        ] {
            assert_eq!(check(text, "ada@shop.example"), Ok(()), "{text}");
        }
        let made = random().unwrap();
        assert_eq!(check(&made, "a@b.c"), Ok(()), "{made}");
        assert_eq!(made.len(), 27);
    }

    #[test]
    fn unknown_user_costs_a_hash_of_the_same_kind() {
        let hash = password::hash("correct horse").unwrap();
        let parameters = |hash: &str| hash.rsplitn(3, '$').nth(2).map(str::to_owned);
        assert_eq!(parameters(&hash), parameters(of_nobody()));
        assert!(parameters(&hash).unwrap().starts_with("$argon2id$"));
        assert!(is_of("correct horse", Some(&hash)));
        for hash in [None, Some(password::NO_PASSWORD), Some("no hash"), Some("")] {
            assert!(!is_of("correct horse", hash), "{hash:?}");
        }
    }
}
