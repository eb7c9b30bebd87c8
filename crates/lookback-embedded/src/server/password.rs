use std::fmt;
use std::path::Path;

use crate::{Error, Result, folder};

/// The superuser's password. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(String);

impl Password {
    /// A new one from the operating system's random numbers: 192 bits, safe in a URL.
    pub(crate) fn random(file: &Path) -> Result<Self> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes)
            .map_err(|e| Error::io("draw random numbers for", file)(e.into()))?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// The one in a file, `None` if there is no such file.
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
    fn passwords_differ_are_plain_and_hidden() {
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
