use std::fs;
use std::path::Path;

/// Checks with its control file that an extension exists and is not older than `minimum`.
///
/// The error is a reason, formatted as a clause for a message.
pub(crate) fn check(folder: &Path, name: &str, minimum: [u32; 3]) -> Result<(), String> {
    let file = folder.join(format!("{name}.control"));
    let text = fs::read_to_string(&file)
        .map_err(|e| format!("the extension {name} is missing: {}: {e}", file.display()))?;
    let version = default_version(&text)
        .ok_or_else(|| format!("{} names no default_version", file.display()))?;
    match version_numbers(version) {
        Some(found) if found >= minimum => Ok(()),
        _ => {
            let minimum = minimum.map(|n| n.to_string()).join(".");
            Err(format!(
                "the extension {name} is {version}, older than {minimum}"
            ))
        }
    }
}

/// Returns the value of `default_version` in a control file.
///
/// The format is that of `postgresql.conf`: the last value counts, `#` starts a comment, and `=` is
/// optional.
fn default_version(text: &str) -> Option<&str> {
    text.lines()
        .filter_map(|line| {
            let line = line.split('#').next()?.trim();
            let value = line.strip_prefix("default_version")?.trim_start();
            Some(value.trim_start_matches('=').trim().trim_matches('\''))
        })
        .next_back()
}

/// Parses the first three numbers of a version; missing ones are 0.
fn version_numbers(version: &str) -> Option<[u32; 3]> {
    let mut numbers = [0; 3];
    for (number, part) in numbers.iter_mut().zip(version.split('.')) {
        let digits = part.split(|c: char| !c.is_ascii_digit()).next()?;
        *number = digits.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_version_is_read_from_control_file() {
        for (text, expected) in [
            (
                "comment = 'x'\ndefault_version = '0.8.6'\nrelocatable = true\n",
                Some("0.8.6"),
            ),
            ("default_version='1.6'", Some("1.6")),
            ("  default_version '1.6'  # = '9'", Some("1.6")),
            ("# default_version = '1'\n", None),
            ("default_version = '1'\ndefault_version = '2'\n", Some("2")),
            ("", None),
        ] {
            assert_eq!(default_version(text), expected, "{text:?}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(version_numbers("0.8.4"), Some([0, 8, 4]));
        assert_eq!(version_numbers("0.10"), Some([0, 10, 0]));
        assert_eq!(version_numbers("0.9.0-dev"), Some([0, 9, 0]));
        assert_eq!(version_numbers("unpackaged"), None);
        assert!(version_numbers("0.10.0") > version_numbers("0.8.4"));
    }

    #[test]
    fn missing_or_old_extension_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = check(dir.path(), "vector", [0, 8, 4]).unwrap_err();
        assert!(
            error.starts_with("the extension vector is missing"),
            "{error}"
        );

        let file = dir.path().join("vector.control");
        fs::write(&file, "default_version = '0.8.3'").unwrap();
        let error = check(dir.path(), "vector", [0, 8, 4]).unwrap_err();
        assert_eq!(error, "the extension vector is 0.8.3, older than 0.8.4");

        fs::write(&file, "default_version = '0.8.4'").unwrap();
        check(dir.path(), "vector", [0, 8, 4]).unwrap();
    }
}
