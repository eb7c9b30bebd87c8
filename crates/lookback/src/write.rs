//! The write path: whatever stores a record goes through here, is checked
//! against the columns of the model, and has its times and its embedding filled
//! in.

pub(crate) mod copy;
mod insert;
mod row;

pub(crate) use copy::{copy_runs, leaves_the_same};
pub(crate) use insert::{MOST_VALUES, are_few, insert};
pub use row::check_new;
pub(crate) use row::{bind_row, check_record, given, inserted, now, quoted_list, search_values};
