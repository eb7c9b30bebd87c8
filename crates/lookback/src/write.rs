//! The write path: every new record of a model goes through it.
//!
//! It validates the record against the columns of its model, and fills in its
//! times and its embedding.

pub(crate) mod copy;
mod insert;
mod insert_many;
mod row;

pub(crate) use copy::{EncodedCopy, copy_all, omits_same_columns};
pub(crate) use insert::{MAX_INSERT_VALUES, insert};
pub(crate) use insert_many::insert_many;
pub use row::check_new;
pub(crate) use row::{
    bind_row, check_record, check_records, given_columns, insertable_columns, now, quoted_list,
    search_values,
};
