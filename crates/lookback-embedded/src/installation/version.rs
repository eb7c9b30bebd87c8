use std::fmt;

/// The version of a PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    major: u32,
    text: String,
}

impl Version {
    /// Parses the output of `postgres --version`, such as `postgres (PostgreSQL) 18.6`.
    ///
    /// A distribution may append text of its own.
    pub(crate) fn parse(output: &str) -> Option<Self> {
        let text = output
            .split("(PostgreSQL)")
            .nth(1)?
            .split_whitespace()
            .next()?;
        // The first number, also of "19devel" and "18beta1".
        let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Self {
            major: digits.parse().ok()?,
            text: text.to_owned(),
        })
    }

    /// The major version, which determines the format of a data folder.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_output_of_postgres_is_parsed() {
        for (output, major, text) in [
            ("postgres (PostgreSQL) 18.6\n", 18, "18.6"),
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n",
                15,
                "15.14",
            ),
            ("postgres (PostgreSQL) 19devel", 19, "19devel"),
            ("postgres (PostgreSQL) 9.6.24", 9, "9.6.24"),
        ] {
            let version = Version::parse(output).unwrap();
            assert_eq!(
                (version.major(), version.to_string().as_str()),
                (major, text)
            );
        }
        for output in [
            "",
            "postgres",
            "postgres (PostgreSQL)",
            "postgres (PostgreSQL) x",
        ] {
            assert_eq!(Version::parse(output), None);
        }
    }
}
