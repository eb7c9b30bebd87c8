//! Locations by IP address.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use maxminddb::{Reader, geoip2};

use crate::record::{Location, LocationSource};

/// A database of IP addresses, read into memory.
pub(super) struct Database {
    path: PathBuf,
    reader: RwLock<Arc<Reader<Vec<u8>>>>,
    looked_at: Mutex<LookedAt>,
}

/// When the file was looked at, and what it was then.
struct LookedAt {
    at: Instant,
    version: Option<FileVersion>,
}

/// Changes when a file is replaced or written.
type FileVersion = (SystemTime, u64);

/// Why a database of IP addresses cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {} as a database of IP addresses: {source}", path.display())]
pub struct DatabaseError {
    path: PathBuf,
    source: maxminddb::MaxMindDbError,
}

impl Database {
    pub(super) fn open(path: PathBuf) -> Result<Self, DatabaseError> {
        let version = version_of(&path);
        match Reader::open_readfile(&path) {
            Ok(reader) => Ok(Self {
                path,
                reader: RwLock::new(Arc::new(reader)),
                looked_at: Mutex::new(LookedAt {
                    at: Instant::now(),
                    version,
                }),
            }),
            Err(source) => Err(DatabaseError { path, source }),
        }
    }

    /// Reads the file again if it is another one, at most every ten seconds.
    pub(super) fn refresh(&self) {
        const EVERY: Duration = Duration::from_secs(10);
        let mut looked_at = self
            .looked_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if looked_at.at.elapsed() < EVERY {
            return;
        }
        looked_at.at = Instant::now();
        self.reload(&mut looked_at.version);
    }

    fn reload(&self, known: &mut Option<FileVersion>) {
        let version = version_of(&self.path);
        if version.is_none() || version == *known {
            return;
        }
        // A file that is still being written is read at a later look.
        if let Ok(reader) = Reader::open_readfile(&self.path) {
            *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(reader);
            *known = version;
        }
    }

    pub(super) fn locate(&self, client: IpAddr) -> Option<Location> {
        let reader = Arc::clone(&self.reader.read().unwrap_or_else(PoisonError::into_inner));
        let city: geoip2::City<'_> = reader.lookup(client.to_canonical()).ok()?.decode().ok()??;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let location = city.location;
        super::located(Location {
            country: owned(city.country.iso_code),
            region: owned(
                city.subdivisions
                    .first()
                    .and_then(|region| region.names.english),
            ),
            city: owned(city.city.names.english),
            coordinates: location.latitude.zip(location.longitude),
            source: LocationSource::Ip,
        })
    }
}

fn version_of(path: &Path) -> Option<FileVersion> {
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
