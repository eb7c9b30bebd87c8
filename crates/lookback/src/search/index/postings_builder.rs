//! Building the postings of a segment: grouping its records by template.

use std::borrow::Cow;
use std::collections::HashMap;

use sqlx::{PgConnection, Row as _};

use super::insert_rows::insert_rows;
use super::postings::{self, FULL_POSTING, Posting};
use super::templates::{fits_template, push_template, template};
use crate::db::Sql;
use crate::embedding::{DIMENSIONS, Embedding};
use crate::error::Error;
use crate::hash::fnv1a;
use crate::value::{ColumnValue, Parameter, Value};

/// The postings of a segment, by template.
#[derive(Debug, Default)]
pub(super) struct PostingsBuilder {
    postings: HashMap<TemplateIdentity, PendingPosting>,
    /// The identity of the record that is being added.
    own: TemplateIdentity,
}

/// The template of records: what their texts have in common, and their vector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct TemplateIdentity {
    /// The search fields without numbers and ids, each followed by [`END`].
    fields: String,
    /// The numbers of the vector, as bits.
    vector: Option<[u32; DIMENSIONS]>,
}

/// No text in PostgreSQL contains it.
const END: char = '\0';

#[derive(Debug)]
struct PendingPosting {
    /// The template of the whole text, in lower case.
    template: String,
    vector: Option<Embedding>,
    rows: usize,
    /// The least id of the records.
    first_id: i64,
    /// The last ids, in order.
    ids: Vec<i64>,
}

/// The data of a record that is sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct SealedRecord<'r> {
    pub(super) id: i64,
    /// The search fields as they are.
    pub(super) fields: &'r [&'r str],
    /// All fields in the lower case of the database, each on its own line;
    /// `None` for ASCII, whose lower case is the same everywhere.
    pub(super) text: Option<&'r str>,
    pub(super) vector: Option<&'r Embedding>,
}

impl SealedRecord<'_> {
    /// Returns all of its text in lower case.
    pub(super) fn lower(&self) -> Cow<'_, str> {
        match self.text {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.fields.join("\n").to_ascii_lowercase()),
        }
    }

    /// Returns whether its text is short enough to keep a template.
    pub(super) fn fits_template(&self) -> bool {
        match self.text {
            Some(text) => fits_template(text.len()),
            None => {
                let bytes: usize = self.fields.iter().map(|field| field.len()).sum();
                fits_template(bytes + self.fields.len().saturating_sub(1))
            }
        }
    }
}

impl TemplateIdentity {
    /// Sets the fields and the vector; passes the runs with a digit to
    /// `on_digit_run`.
    fn set<'a>(
        &mut self,
        fields: impl IntoIterator<Item = &'a str>,
        vector: Option<&Embedding>,
        mut on_digit_run: impl FnMut(&str),
    ) {
        self.fields.clear();
        for field in fields {
            push_template(&mut self.fields, field, &mut on_digit_run);
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

    /// Returns the hash under which a template is stored; it never changes.
    fn key(&self) -> i64 {
        let vector = self.vector.iter().flatten();
        let vector = vector.flat_map(|bits| bits.to_le_bytes());
        fnv1a(self.fields.bytes().chain(vector)).cast_signed()
    }
}

impl PostingsBuilder {
    /// Adds a record, in the order of ids; passes its runs with a digit, as
    /// they are, to `on_digit_run`, unless its text is too long for a template.
    pub(super) fn add(&mut self, record: &SealedRecord<'_>, on_digit_run: impl FnMut(&str)) {
        let fits_template = record.fits_template();
        let fields = record.fields.iter().copied().filter(|_| fits_template);
        self.own.set(fields, record.vector, on_digit_run);
        if let Some(posting) = self.postings.get_mut(&self.own) {
            return posting.add(record.id);
        }
        let mut posting = PendingPosting {
            template: if fits_template {
                template(&record.lower())
            } else {
                String::new()
            },
            vector: record.vector.copied(),
            rows: 0,
            first_id: record.id,
            ids: Vec::new(),
        };
        posting.add(record.id);
        self.postings.insert(self.own.clone(), posting);
    }

    /// Returns the number of templates.
    pub(super) fn len(&self) -> usize {
        self.postings.len()
    }

    /// Stores the postings. The range of each is that of its own records, so
    /// the newest records are in the postings whose range ends last.
    pub(super) async fn store(self, conn: &mut PgConnection, target: &str) -> Result<(), Error> {
        let templates = self.templates(conn, target).await?;
        let mut postings: Vec<(TemplateIdentity, PendingPosting)> =
            self.postings.into_iter().collect();
        postings.sort_unstable_by_key(|(_, posting)| posting.first_id);
        let postings = postings.into_iter().map(|(identity, posting)| {
            let template_id = templates.get(&identity).ok_or(sqlx::Error::RowNotFound)?;
            Ok(posting.into_posting(*template_id))
        });
        let postings = postings.collect::<Result<_, Error>>()?;
        postings::store(conn, target, postings).await
    }

    /// Returns the ids of the templates; inserts those that are missing.
    async fn templates(
        &self,
        conn: &mut PgConnection,
        target: &str,
    ) -> Result<HashMap<TemplateIdentity, i64>, Error> {
        let mut known = known(conn, target, self.postings.keys()).await?;
        let missing = self.postings.iter();
        let mut missing: Vec<_> = missing
            .filter(|(identity, _)| !known.contains_key(*identity))
            .collect();
        missing.sort_unstable_by_key(|(_, posting)| posting.first_id);
        if !missing.is_empty() {
            let columns = ["target", "key", "template", "fields", "vector"];
            insert_rows(
                conn,
                "search_templates",
                columns,
                &missing,
                |(identity, posting), sql| {
                    let vector = posting.vector.as_ref();
                    Ok([
                        sql.argument(target)?,
                        sql.argument(identity.key())?,
                        sql.argument(posting.template.as_str())?,
                        sql.argument(identity.fields())?,
                        sql.argument(Parameter {
                            ty: Embedding::TYPE,
                            value: vector.map_or(Value::Null, ColumnValue::to_value),
                        })?,
                    ])
                },
            )
            .await?;
            let missing = missing.into_iter().map(|(identity, _)| identity);
            known.extend(self::known(conn, target, missing).await?);
        }
        Ok(known)
    }
}

/// Returns the ids of the templates that are stored.
async fn known(
    conn: &mut PgConnection,
    target: &str,
    identities: impl Iterator<Item = &TemplateIdentity>,
) -> Result<HashMap<TemplateIdentity, i64>, Error> {
    let mut sql = Sql::default();
    let target = sql.argument(target)?;
    let keys: Vec<i64> = identities.map(TemplateIdentity::key).collect();
    let keys = sql.argument(keys)?;
    sql.push(&format!(
        "SELECT id, fields, vector FROM search_templates \
         WHERE target = {target} AND key = ANY({keys}::bigint[])"
    ));
    let mut known = HashMap::new();
    for row in sql.fetch_all(conn).await? {
        let fields: Vec<String> = row.try_get("fields")?;
        let vector: Option<Embedding> = row.try_get("vector")?;
        let mut identity = TemplateIdentity::default();
        // A template is its own template.
        identity.set(fields.iter().map(String::as_str), vector.as_ref(), |_| {});
        known.insert(identity, row.try_get("id")?);
    }
    Ok(known)
}

impl PendingPosting {
    fn add(&mut self, id: i64) {
        self.rows += 1;
        self.ids.push(id);
        if self.ids.len() >= 2 * FULL_POSTING {
            self.ids.drain(..self.ids.len() - FULL_POSTING);
        }
    }

    fn into_posting(self, template_id: i64) -> Posting {
        let last_id = self.ids.last().copied().unwrap_or(self.first_id);
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        Posting::new(template_id, [self.first_id, last_id], rows, self.ids)
    }
}

/// Deletes templates without postings, in a transaction that has the exclusive
/// lock: a sealing process may be about to use them.
pub(super) async fn purge_unused_templates(
    conn: &mut PgConnection,
    target: &str,
) -> Result<u64, Error> {
    let mut sql = Sql::new(
        "DELETE FROM search_templates AS t \
         WHERE NOT EXISTS (\
           SELECT FROM search_postings AS k WHERE k.template_id = t.id) \
         AND target = ",
    );
    sql.bind(target)?;
    Ok(sql.execute(conn).await?)
}
