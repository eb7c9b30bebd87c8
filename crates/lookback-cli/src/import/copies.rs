//! Recognises content that was imported under another name: of a file that was renamed, as by a log
//! rotation, or copied.
//!
//! Files of different programs may begin alike, the more often the shorter they are. To store
//! records twice is better than not at all, so a short part is recognised only of a file that was
//! rotated: by its name, and since the other file has other content now.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row as _};

use super::checkpoint::{self, Import};
use super::content;
use super::input::Input;
use super::lines::{self, Lines, START};
use super::stream::MAX_SPILL;
use crate::args::{ImportArgs, ImportKind};
use crate::failure::Failure;

/// The least number of bytes by which a file is recognised that has any other name.
pub(super) const MIN_BYTES: i64 = START as i64;

/// The extensions of compressed files that import reads.
pub(super) const COMPRESSED: [&str; 3] = [".gz", ".zst", ".bz2"];

/// The import of the same content under another name.
pub(super) struct Found {
    pub(super) import: Import,
    pub(super) relation: Relation,
}

/// What a file is to the one whose import has stored the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// The other file was renamed to it, or was no file with a path.
    Moved,
    /// The other file is there, too, and has the same content.
    Copy,
    /// Both have the same few bytes, which is no sign that they are the same.
    Alike,
}

/// The starts of contents that imports have stored, as far as they were read from the database.
///
/// Only what may be equal is kept of each, and is compared with the row when it is found: a call
/// that imports thousands of files reads each row once.
#[derive(Debug, Default)]
pub(super) struct KnownContent {
    starts: BTreeSet<KnownStart>,
    /// Longer ones were not read.
    longest: i64,
    /// The last id that was read, and the one after the reading before: ids are committed in any
    /// order.
    last_ids: [i64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KnownStart {
    position: i64,
    /// The first bytes of the hash.
    hash: u64,
    id: i64,
}

impl KnownContent {
    /// The length up to which starts are read at first.
    const FIRST_LENGTH: i64 = 64 * 1024;

    /// Reads what came since the last time, of the starts that are at most `length` bytes.
    async fn update(
        &mut self,
        conn: &mut PgConnection,
        kind: Option<ImportKind>,
        length: i64,
    ) -> Result<(), Failure> {
        if length > self.longest {
            let rounded = u64::try_from(length.max(Self::FIRST_LENGTH))
                .unwrap_or(u64::MAX)
                .checked_next_power_of_two();
            self.longest = rounded
                .and_then(|length| length.try_into().ok())
                .unwrap_or(i64::MAX);
            self.last_ids = [0; 2];
        }
        let [last, before] = self.last_ids;
        let rows = sqlx::query(
            "SELECT id, position, left(prefix_sha256, 16) AS hash FROM imports \
             WHERE id > $1 AND stored > 0 AND position BETWEEN 1 AND $2 \
               AND ($3::text IS NULL OR target = $3)",
        )
        .bind(before)
        .bind(self.longest)
        .bind(kind.map(|kind| kind.table().name()))
        .fetch_all(conn)
        .await?;
        let mut newest = last;
        for row in &rows {
            let start = KnownStart {
                position: row.try_get("position")?,
                hash: short_hash(row.try_get("hash")?),
                id: row.try_get("id")?,
            };
            newest = newest.max(start.id);
            self.starts.insert(start);
        }
        self.last_ids = [newest, last];
        Ok(())
    }

    /// Returns the ids of the imports that may have stored the start of these lines.
    ///
    /// What cannot be read is reported by its import, behind the lines before it.
    fn ids_of(&self, lines: &mut Lines, length: i64) -> Vec<i64> {
        let mut ids = Vec::new();
        let mut hash = (0, 0);
        for start in &self.starts {
            let position = start.position.unsigned_abs();
            if start.position > length || !lines.skip(position).unwrap_or(false) {
                break;
            }
            if hash.0 != start.position {
                hash = (start.position, short_hash(&lines.mark().sha256()));
            }
            if hash.1 == start.hash {
                ids.push(start.id);
            }
        }
        ids
    }
}

/// The first bytes of a hash in hexadecimal.
fn short_hash(hash: &str) -> u64 {
    let start = hash.get(..16).unwrap_or_default();
    u64::from_str_radix(start, 16).unwrap_or_default()
}

/// Finds the import that has stored the longest part at the start of this file. Returns it with the
/// lines after that part.
///
/// The content of a stream cannot be read before it is imported.
pub(super) async fn find(
    conn: &mut PgConnection,
    known: &mut KnownContent,
    args: &ImportArgs,
    input: &Input,
) -> Result<Option<(Found, Lines)>, Failure> {
    if !input.is_file() {
        return Ok(None);
    }
    let lines = || Ok(Lines::new(input.reader()?));
    // The length of the lines of another format shows only when they are read.
    let length = input.length().unwrap_or(u64::MAX);
    let Some(found) = find_longest(conn, known, lines, length, args, input).await? else {
        return Ok(None);
    };
    let mut lines = lines()?;
    lines.skip(found.import.position.unsigned_abs())?;
    Ok(Some((found, lines)))
}

/// Finds the import that has stored the longest part at the start of these lines of an input, which
/// are at most `length` bytes. One that is only alike is found if there is no other.
pub(super) async fn find_longest(
    conn: &mut PgConnection,
    known: &mut KnownContent,
    lines: impl Fn() -> Result<Lines, Failure>,
    length: u64,
    args: &ImportArgs,
    input: &Input,
) -> Result<Option<Found>, Failure> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    known.update(conn, args.kind, length).await?;
    if known.starts.is_empty() {
        return Ok(None);
    }
    let ids = known.ids_of(&mut lines()?, length);
    if ids.is_empty() {
        return Ok(None);
    }
    let rows = sqlx::query(
        "SELECT *, finished_at IS NOT NULL AS is_finished FROM imports \
         WHERE id = ANY($1) AND position <= $2 ORDER BY position, finished_at IS NOT NULL, id",
    )
    .bind(&ids)
    .bind(length)
    .fetch_all(conn)
    .await?;
    // An import may have gone on since its start became known.
    let imports = rows
        .iter()
        .map(Import::from_row)
        .collect::<Result<_, _>>()?;
    let mut alike = None;
    for import in stored_starts(&mut lines()?, imports, |_| false)
        .into_iter()
        .rev()
    {
        let relation = relation(args, input, &import);
        if relation != Relation::Alike {
            return Ok(Some(Found { import, relation }));
        }
        alike.get_or_insert(Found { import, relation });
    }
    Ok(alike)
}

/// Returns the imports that have stored the start of these lines, in the order of their positions,
/// in which they are given.
///
/// One that ended within a line counts only where that is the end, and none whose last record goes
/// on, as far as that `cuts`.
fn stored_starts(
    lines: &mut Lines,
    mut imports: Vec<Import>,
    cuts: impl Fn(&mut Lines) -> bool,
) -> Vec<Import> {
    let mut is_over = false;
    imports.retain(|import| {
        // What cannot be read is reported by the import.
        is_over = is_over || !lines.skip(import.position.unsigned_abs()).unwrap_or(false);
        !is_over
            && lines.mark().sha256() == import.prefix_sha256
            && lines.is_behind_line()
            && !cuts(lines)
    });
    imports
}

/// The import that has stored the start of a stream.
pub(super) struct FoundInStream {
    pub(super) found: Found,
    /// Whether the stream has nothing behind that part.
    pub(super) is_all: bool,
}

/// How long a stream that begins as known content is waited for while it is compared: in all, and
/// for each 64 KiB that come.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1));

/// The longest time for which the database is asked whether it knows a stream.
const MAX_QUERY: Duration = Duration::from_secs(10);

/// Reads the first bytes of a stream, and returns their hash; `None` if there are fewer, or the
/// rest lets wait for itself. They come again.
fn start_of_stream(input: &Input) -> Option<String> {
    /// The longest pause in all, and the longest time from the first bytes on.
    const PAUSE: Duration = Duration::from_millis(200);
    const MOST: Duration = Duration::from_millis(250);

    let mut peek = input.peek(PAUSE, Duration::ZERO)?;
    let mut start = vec![0; START];
    let mut length = 0;
    let mut begun = None;
    while length < START {
        let read = peek.read(&mut start[length..]).unwrap_or(0);
        let begun = begun.get_or_insert_with(Instant::now);
        if read == 0 || begun.elapsed() > MOST {
            return None;
        }
        length += read;
    }
    Some(lines::start_sha256(&start))
}

/// Finds the import that has stored the longest part at the start of a stream.
///
/// What a stream sends cannot be read again, and is to be stored soon. So it is held back only if
/// its first bytes are those of known content, until it is known whether it goes on so, and no
/// longer than [`PATIENCE`]. It is then read from its start, whether or not something was found.
pub(super) async fn find_in_stream(
    conn: &mut PgConnection,
    args: &ImportArgs,
    input: &Input,
) -> Result<Option<FoundInStream>, Failure> {
    let Some(start) = start_of_stream(input) else {
        return Ok(None);
    };
    let query = sqlx::query(
        "SELECT *, finished_at IS NOT NULL AS is_finished FROM imports \
         WHERE start_sha256 = $1 AND stored > 0 AND position BETWEEN $2 AND $3 \
         ORDER BY position, finished_at IS NOT NULL, id",
    )
    .bind(start)
    .bind(MIN_BYTES)
    // What is held back goes to a temporary file that has a limit.
    .bind(i64::try_from(MAX_SPILL).unwrap_or(i64::MAX))
    .fetch_all(conn);
    // A stream is stored all the same, later, and a signal ends that.
    let Ok(rows) = tokio::time::timeout(MAX_QUERY, query).await else {
        return Ok(None);
    };
    let rows = rows?;
    let mut imports = Vec::new();
    for row in &rows {
        let import = Import::from_row(row)?;
        // Options that are of another content say that it is another.
        let is_possible = |content| {
            content::given(args).is_none_or(|given| given == content)
                && content::check(args, input, content).is_ok()
        };
        if checkpoint::content(&import).is_ok_and(is_possible) {
            imports.push(import);
        }
    }
    let (patience, patience_of_chunk) = PATIENCE;
    let peek = input.peek(patience, patience_of_chunk);
    let Some(peek) = peek.filter(|_| !imports.is_empty()) else {
        return Ok(None);
    };
    let mut lines = Lines::new(peek);
    let Some(import) = stored_starts(&mut lines, imports, Lines::is_before_continuation).pop()
    else {
        return Ok(None);
    };
    let is_all =
        lines.mark().position == import.position.unsigned_abs() && lines.at_end().unwrap_or(false);
    let relation = relation(args, input, &import);
    Ok(Some(FoundInStream {
        found: Found { import, relation },
        is_all,
    }))
}

fn relation(args: &ImportArgs, input: &Input, import: &Import) -> Relation {
    let other = Path::new(import.name());
    let is_long = import.position >= MIN_BYTES;
    let is_rotated =
        || import.is_of(input) || input.path().is_some_and(|path| is_rotation(path, other));
    if !is_long && !is_rotated() {
        return Relation::Alike;
    }
    let is_there =
        other.is_absolute() && !input.is_file_at(other) && has_stored(args, other, import);
    match (is_there, is_long) {
        (false, _) => Relation::Moved,
        (true, true) => Relation::Copy,
        (true, false) => Relation::Alike,
    }
}

/// Whether two paths are of one log file, which was rotated between them.
fn is_rotation(path: &Path, other: &Path) -> bool {
    let names = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        let own = name.map(str::to_owned).into_iter();
        own.chain(name.map(names_before).unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let of_other = names(other);
    path.parent() == other.parent() && names(path).iter().any(|name| of_other.contains(name))
}

/// The names that a file may have had before it was rotated to this one: `app.log` for `app.log.1`,
/// `app.log-20260131.gz` and `app-2026-01-31.log`.
pub(super) fn names_before(name: &str) -> Vec<String> {
    let without = COMPRESSED
        .iter()
        .find_map(|extension| name.strip_suffix(extension));
    let plain = without.unwrap_or(name);
    let mut names: Vec<String> = without.map(str::to_owned).into_iter().collect();
    let without_number = |text: &str| {
        let is_of_number = |c: char| c.is_ascii_digit() || "-_.:T".contains(c);
        let rest = text.trim_end_matches(is_of_number);
        let number = &text[rest.len()..];
        let has_digit = number.contains(|c: char| c.is_ascii_digit());
        (has_digit && !rest.is_empty()).then(|| rest.to_owned())
    };
    names.extend(without_number(plain));
    if let Some((stem, extension)) = plain.rsplit_once('.')
        && !extension.contains(|c: char| c.is_ascii_digit())
        && let Some(stem) = without_number(stem)
    {
        names.push(format!("{stem}.{extension}"));
    }
    names
}

/// Whether a file begins with everything that an import has stored.
pub(super) fn has_stored(args: &ImportArgs, path: &Path, import: &Import) -> bool {
    // A pipe would be waited for.
    if !path.is_file() {
        return false;
    }
    let mut args = args.clone();
    path.clone_into(&mut args.input);
    // One that cannot be read is not the one.
    let reader = Input::open(&args).and_then(|input| input.reader());
    reader.is_ok_and(|reader| {
        let mut lines = Lines::new(reader);
        let stored = import.position.unsigned_abs();
        lines.skip(stored).unwrap_or(false) && lines.mark().sha256() == import.prefix_sha256
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_rotation, names_before};

    #[test]
    fn names_before_of_rotated_file_include_its_first_name() {
        for (name, first) in [
            ("app.log.1", "app.log"),
            ("app.log.12.gz", "app.log"),
            ("app.log-20260131", "app.log"),
            ("app.log-20260131-1200.zst", "app.log"),
            ("app.log.2026-01-31T12:00", "app.log"),
            ("app-2026-01-31.log", "app.log"),
            ("app.1.log", "app.log"),
            ("app.log.gz", "app.log"),
            ("0.log.20260131-120000", "0.log"),
            ("syslog.1", "syslog"),
        ] {
            let names = names_before(name);
            assert!(names.iter().any(|name| name == first), "{name}: {names:?}");
        }
        for name in ["app.log", "0.log", "12", "web-api.log", "error.log"] {
            assert_eq!(names_before(name), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn is_rotation_of_files_of_one_folder_and_one_first_name() {
        for (path, other, expected) in [
            ("/a/app.log.1", "/a/app.log", true),
            ("/a/app.log.2.gz", "/a/app.log.1", true),
            ("/a/app.log.1", "/b/app.log", false),
            ("/a/web.log.1", "/a/app.log", false),
            ("/a/web.log", "/a/app.log", false),
        ] {
            let found = is_rotation(Path::new(path), Path::new(other));
            assert_eq!(found, expected, "{path} {other}");
        }
    }
}
