use std::fmt;
use std::path::Path;

use crate::{Error, Result, folder};

/// The superuser's password. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(String);

impl Password {
    /// Generates 192 bits from the operating system's random numbers, safe in a URL.
    pub(crate) fn random(file: &Path) -> Result<Self> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes)
            .map_err(|e| Error::io("generate random numbers for", file)(e.into()))?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// Reads it from a file; `None` if the file does not exist or is empty.
    pub(crate) fn read(file: &Path) -> Result<Option<Self>> {
        let text = folder::read(file)?;
        let text = text.map(|text| text.trim().to_owned());
        Ok(text.filter(|text| !text.is_empty()).map(Self))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_passwords_differ_and_are_hidden_in_debug() {
        let file = Path::new("password");
        let (a, b) = (
            Password::random(file).unwrap(),
            Password::random(file).unwrap(),
        );
        assert_ne!(a, b);
        assert_eq!(a.reveal().len(), 48);
        assert!(a.reveal().chars().all(|c| c.is_ascii_alphanumeric()));
        assert!(!format!("{a:?}").contains(a.reveal()));
    }
}
