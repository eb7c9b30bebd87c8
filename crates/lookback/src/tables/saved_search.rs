//! `saved_searches`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::value::Hidden;
use crate::{ColumnEnum, model};

/// A search of the web page that a team keeps under a name.
#[model(
    table = "saved_searches",
    search(name),
    index(
        "saved_searches_name_key",
        "UNIQUE (name) WHERE deleted_at IS NULL",
        problem(name, "is the name of another saved search")
    )
)]
pub struct SavedSearch {
    /// Primary key.
    pub id: i64,
    /// What people call it, unique among live ones.
    #[column(not_blank, max_bytes = 256)]
    pub name: String,
    /// The view that it is of.
    pub view: SearchView,
    /// The parameters of the view's address: `search=timeout&level=error`; blank for none.
    #[column(max_bytes = 8192)]
    pub parameters: String,
    /// The user who made it; NULL for a key, and on an open server.
    pub created_by: Option<i64>,
    /// When the record was created.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted; NULL for a live record.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of the name.
    pub embedding: Hidden<Option<Embedding>>,
}

/// A view of the web page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
pub enum SearchView {
    /// Traffic, errors and what changed.
    Overview,
    /// Log lines.
    Logs,
    /// Captured requests.
    Requests,
    /// Latency windows.
    Metrics,
}
