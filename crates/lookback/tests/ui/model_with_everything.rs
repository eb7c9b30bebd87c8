//! A model in a crate that imports nothing but what it names.
#![deny(missing_docs, warnings)]
#![allow(dead_code)]

/// A note.
#[lookback::model(table = "notes", search(text))]
pub struct Note {
    /// Key.
    pub id: i64,
    /// Text.
    #[column(not_blank, max_bytes = 100)]
    pub text: String,
    /// Number.
    #[column(range(0, 9), default = 3)]
    number: i32,
    /// Flag.
    pub flag: Option<bool>,
    /// Common.
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// Common.
    pub updated_at: chrono::DateTime<chrono::Utc>,
    /// Common.
    pub deleted_at: lookback::value::Hidden<Option<chrono::DateTime<chrono::Utc>>>,
    /// Common.
    pub embedding: lookback::value::Hidden<Option<lookback::embedding::Embedding>>,
}

fn main() {
    let _ = Note::text().ilike("%a%") & Note::number().gt(1) | !Note::flag().eq(true);
}
