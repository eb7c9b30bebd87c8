//! Kinds of records: what their texts have in common, and which records have it.

use std::borrow::Cow;
use std::collections::HashMap;

use sqlx::{PgConnection, Row as _};

use super::postings::{self, LISTED, Listed};
use super::templates::{is_kept, push_template, template};
use crate::db::Sql;
use crate::embedding::{DIMENSIONS, Embedding};
use crate::error::Error;
use crate::hash::fnv1a;
use crate::tables::NewSearchTemplate;
use crate::write::insert;

/// Kinds, how many records have each, and the ids of the newest of them.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    kinds: HashMap<Identity, Kind>,
    /// Of the record that is being added.
    own: Identity,
}

/// What the records of a kind have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Identity {
    /// The search fields up to numbers and ids, each with [`END`] behind it.
    fields: String,
    /// The numbers of the vector, as bits.
    vector: Option<[u32; DIMENSIONS]>,
}

/// No text of PostgreSQL has it.
const END: char = '\0';

#[derive(Debug)]
struct Kind {
    /// Of the whole text, in lower case.
    template: String,
    vector: Option<Embedding>,
    rows: usize,
    /// The least id of them.
    first_id: i64,
    /// The last of them, in order.
    ids: Vec<i64>,
}

/// What is sealed of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'r> {
    pub(super) id: i64,
    /// The search fields as they are.
    pub(super) fields: &'r [&'r str],
    /// All of them in the lower case of the database, each on a line of its own;
    /// nothing for what is ASCII, where the lower case of the database is that of
    /// everybody.
    pub(super) text: Option<&'r str>,
    pub(super) vector: Option<&'r Embedding>,
}

impl Record<'_> {
    /// All of its text in lower case.
    pub(super) fn lower(&self) -> Cow<'_, str> {
        match self.text {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.fields.join("\n").to_ascii_lowercase()),
        }
    }

    /// Whether its text is not too long for its template to be kept.
    pub(super) fn is_kept(&self) -> bool {
        match self.text {
            Some(text) => is_kept(text.len()),
            None => {
                let bytes: usize = self.fields.iter().map(|field| field.len()).sum();
                is_kept(bytes + self.fields.len().saturating_sub(1))
            }
        }
    }
}

impl Identity {
    /// Of fields with a vector; gives the runs with a digit to `odd`.
    fn set<'a>(
        &mut self,
        fields: impl IntoIterator<Item = &'a str>,
        vector: Option<&Embedding>,
        mut odd: impl FnMut(&str),
    ) {
        self.fields.clear();
        for field in fields {
            push_template(&mut self.fields, field, &mut odd);
            self.fields.push(END);
        }
        self.vector = vector.map(|vector| {
            let mut bits = [0; DIMENSIONS];
            for (bits, number) in bits.iter_mut().zip(vector.as_slice()) {
                *bits = number.to_bits();
            }
            bits
        });
    }

    fn fields(&self) -> Vec<String> {
        let fields = self.fields.split_terminator(END);
        fields.map(str::to_owned).collect()
    }

    /// By which it is found again: stored, so that it never changes.
    fn key(&self) -> i64 {
        let vector = self.vector.iter().flatten();
        let vector = vector.flat_map(|bits| bits.to_le_bytes());
        fnv1a(self.fields.bytes().chain(vector)).cast_signed()
    }
}

impl Kinds {
    /// Adds a record, in the order of ids; gives its runs with a digit, as they
    /// are, to `odd`, unless its text is too long to be kept.
    pub(super) fn add(&mut self, record: &Record<'_>, odd: impl FnMut(&str)) {
        let is_kept = record.is_kept();
        let fields = record.fields.iter().copied().filter(|_| is_kept);
        self.own.set(fields, record.vector, odd);
        if let Some(kind) = self.kinds.get_mut(&self.own) {
            return kind.add(record.id);
        }
        let mut kind = Kind {
            template: match is_kept {
                true => template(&record.lower()),
                false => String::new(),
            },
            vector: record.vector.copied(),
            rows: 0,
            first_id: record.id,
            ids: Vec::new(),
        };
        kind.add(record.id);
        self.kinds.insert(self.own.clone(), kind);
    }

    /// How many kinds there are.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Writes the kinds. The range of each is that of its own records, so that
    /// those are the newest whose range ends last.
    pub(super) async fn store(self, conn: &mut PgConnection, target: &str) -> Result<(), Error> {
        let templates = self.templates(conn, target).await?;
        let mut kinds: Vec<(Identity, Kind)> = self.kinds.into_iter().collect();
        kinds.sort_unstable_by_key(|(_, kind)| kind.first_id);
        let listed = kinds.into_iter().map(|(identity, kind)| {
            let template_id = templates.get(&identity).ok_or(sqlx::Error::RowNotFound)?;
            Ok(kind.listed(*template_id))
        });
        let listed = listed.collect::<Result<_, Error>>()?;
        postings::store(conn, target, listed).await
    }

    /// The ids of what the kinds have in common, made where it is not known yet.
    async fn templates(
        &self,
        conn: &mut PgConnection,
        target: &str,
    ) -> Result<HashMap<Identity, i64>, Error> {
        let mut known = known(conn, target, self.kinds.keys()).await?;
        let missing = self.kinds.iter();
        let mut missing: Vec<_> = missing
            .filter(|(identity, _)| !known.contains_key(*identity))
            .collect();
        missing.sort_unstable_by_key(|(_, kind)| kind.first_id);
        if !missing.is_empty() {
            let new = missing.iter().map(|(identity, kind)| {
                let (key, fields) = (identity.key(), identity.fields());
                let mut new = NewSearchTemplate::new(target, key, kind.template.as_str(), fields);
                new.vector = kind.vector;
                new
            });
            let new: Vec<NewSearchTemplate> = new.collect();
            insert(conn, &new).await?;
            let missing = missing.into_iter().map(|(identity, _)| identity);
            known.extend(self::known(conn, target, missing).await?);
        }
        Ok(known)
    }
}

/// Those that are known of some, with their ids.
async fn known(
    conn: &mut PgConnection,
    target: &str,
    identities: impl Iterator<Item = &Identity>,
) -> Result<HashMap<Identity, i64>, Error> {
    let mut sql = Sql::default();
    let target = sql.argument(target)?;
    let keys: Vec<i64> = identities.map(Identity::key).collect();
    let keys = sql.argument(keys)?;
    sql.push(&format!(
        "SELECT id, fields, vector FROM search_templates \
         WHERE deleted_at IS NULL AND target = {target} AND key = ANY({keys}::bigint[])"
    ));
    let mut known = HashMap::new();
    for row in sql.fetch_all(conn).await? {
        let fields: Vec<String> = row.try_get("fields")?;
        let vector: Option<Embedding> = row.try_get("vector")?;
        let mut identity = Identity::default();
        // A template is its own template.
        identity.set(fields.iter().map(String::as_str), vector.as_ref(), |_| {});
        known.insert(identity, row.try_get("id")?);
    }
    Ok(known)
}

impl Kind {
    fn add(&mut self, id: i64) {
        self.rows += 1;
        self.ids.push(id);
        if self.ids.len() >= 2 * LISTED {
            self.ids.drain(..self.ids.len() - LISTED);
        }
    }

    fn listed(self, template_id: i64) -> Listed {
        let last_id = self.ids.last().copied().unwrap_or(self.first_id);
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        Listed::new(template_id, [self.first_id, last_id], rows, self.ids)
    }
}

/// Forgets what no record has in common any more, in a transaction that has the
/// lock alone: whoever seals may be about to name it.
pub(super) async fn forget_unused(conn: &mut PgConnection, target: &str) -> Result<u64, Error> {
    let mut sql = Sql::new(
        "DELETE FROM search_templates AS t \
         WHERE NOT EXISTS (\
           SELECT FROM search_kinds AS k WHERE k.deleted_at IS NULL AND k.template_id = t.id) \
         AND target = ",
    );
    sql.bind(target)?;
    Ok(sql.execute(conn).await?)
}
