use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, Result};

/// The folders of the fetched PostgreSQLs and of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    postgres: PathBuf,
    server: PathBuf,
}

impl Layout {
    /// Returns the standard folders, from the environment that `env` looks up.
    ///
    /// | caller  | fetched PostgreSQLs                                | server                         |
    /// |---------|----------------------------------------------------|--------------------------------|
    /// | root    | `/var/lib/lookback/postgres`                       | `/var/lib/lookback/server`     |
    /// | others  | `$XDG_CACHE_HOME` or `~/.cache`, then `lookback/postgres` | `$XDG_DATA_HOME` or `~/.local/share`, then `lookback/server` |
    ///
    /// The folders on macOS are the same. As in the [XDG specification], a variable that is empty
    /// or not an absolute path counts as not set.
    ///
    /// # Errors
    ///
    /// If a folder depends on `HOME` and `HOME` is not set.
    ///
    /// [XDG specification]: https://specifications.freedesktop.org/basedir-spec/latest/
    pub fn standard(env: impl Fn(&str) -> Option<OsString>, is_root: bool) -> Result<Self> {
        if is_root {
            let all = Path::new("/var/lib/lookback");
            return Ok(Self::new(all.join("postgres"), all.join("server")));
        }
        let folder = |name: &str| env(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let place = |variable, in_home: &str| {
            folder(variable)
                .or_else(|| folder("HOME").map(|home| home.join(in_home)))
                .map(|place| place.join("lookback"))
                .ok_or_else(|| Error::from(ErrorKind::NoHome { variable }))
        };
        Ok(Self::new(
            place("XDG_CACHE_HOME", ".cache")?.join("postgres"),
            place("XDG_DATA_HOME", ".local/share")?.join("server"),
        ))
    }

    /// Creates a layout with other folders than the standard ones.
    pub fn new(postgres: impl Into<PathBuf>, server: impl Into<PathBuf>) -> Self {
        Self {
            postgres: postgres.into(),
            server: server.into(),
        }
    }

    /// The folder of fetched PostgreSQLs, one subfolder per version.
    #[must_use]
    pub fn installations(&self) -> &Path {
        &self.postgres
    }

    /// The server's base folder.
    #[must_use]
    pub fn server(&self) -> &Path {
        &self.server
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy;

    fn standard(env: &[(&str, &str)], is_root: bool) -> Result<Layout> {
        let look_up = |name: &str| {
            let found = env.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Layout::standard(look_up, is_root)
    }

    #[test]
    fn root_layout_ignores_environment() {
        let layout = standard(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")], true).unwrap();
        assert_eq!(layout.installations(), "/var/lib/lookback/postgres");
        assert_eq!(layout.server(), "/var/lib/lookback/server");
    }

    #[test]
    fn user_layout_is_in_home() {
        let layout = standard(&[("HOME", "/home/ann")], false).unwrap();
        assert_eq!(layout.installations(), "/home/ann/.cache/lookback/postgres");
        assert_eq!(layout.server(), "/home/ann/.local/share/lookback/server");
    }

    #[test]
    fn xdg_variables_override_home() {
        let both = [("XDG_CACHE_HOME", "/c"), ("XDG_DATA_HOME", "/d")];
        let layout = standard(&both, false).unwrap();
        assert_eq!(layout.installations(), "/c/lookback/postgres");
        assert_eq!(layout.server(), "/d/lookback/server");
    }

    #[test]
    fn layout_treats_relative_and_empty_variables_as_unset() {
        let env = [
            ("HOME", "/h"),
            ("XDG_CACHE_HOME", ""),
            ("XDG_DATA_HOME", "d"),
        ];
        let layout = standard(&env, false).unwrap();
        assert_eq!(layout.server(), "/h/.local/share/lookback/server");

        let error = standard(&[("XDG_CACHE_HOME", "/c"), ("HOME", "h")], false).unwrap_err();
        assert_eq!(error.remedy(), Some(Remedy::SetHome));
        assert!(error.to_string().contains("XDG_DATA_HOME"), "{error}");
    }
}
