//! The file of a spilled batch.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `LBSPILL` and the version of the format, 1 |
//! | 4 | the length of the header, big-endian, as all numbers here |
//! | … | the header, JSON: [`Header`] |
//! | … | for each group: the length of each row in 4 bytes, then the rows as in a binary COPY |
//! | 4 | CRC-32 (IEEE) of all preceding bytes |

use std::io;

use serde::{Deserialize, Serialize};

use crate::embedding::ENCODER_VERSION;
use crate::ingest::batch::{Batch, Group};
use crate::model::{ColumnDef, Table};
use crate::write::copy::{HEADER, TRAILER};

const MAGIC: &[u8; 7] = b"LBSPILL";
const VERSION: u8 = b'1';

/// The header of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) table: String,
    /// The encoder version of the vectors.
    pub(super) encoder: u32,
    /// The number that the lane of the spill has when the batch is stored.
    pub(super) number: i64,
    /// The lane that was committing the batch when its connection was lost, and the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) doubt: Option<InDoubtBatch>,
    groups: Vec<GroupHeader>,
}

/// A batch that a lane may have stored under this number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ingest) struct InDoubtBatch {
    pub(in crate::ingest) lane: String,
    /// The number that this lane has if it stored the batch.
    pub(in crate::ingest) number: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct GroupHeader {
    columns: Vec<String>,
    rows: usize,
    bytes: usize,
}

fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.into())
}

/// Encodes a batch as the bytes of its file.
pub(super) fn encode(
    table: &Table,
    batch: &Batch,
    number: i64,
    doubt: Option<InDoubtBatch>,
) -> io::Result<Vec<u8>> {
    let of_rows = |group: &Group| group.byte_range(0, group.len());
    let groups = batch.groups.iter().map(|group| GroupHeader {
        columns: group.columns.iter().map(|c| c.name.to_owned()).collect(),
        rows: group.len(),
        bytes: of_rows(group).len(),
    });
    let header = serde_json::to_vec(&Header {
        table: table.name.to_owned(),
        encoder: ENCODER_VERSION,
        number,
        doubt,
        groups: groups.collect(),
    })?;
    let length = |length: usize| u32::try_from(length).map_err(|_| invalid("is too large"));
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(&length(header.len())?.to_be_bytes());
    bytes.extend_from_slice(&header);
    for group in &batch.groups {
        for row in 0..group.len() {
            bytes.extend_from_slice(&length(group.row(row).len())?.to_be_bytes());
        }
        bytes.extend_from_slice(&group.bytes[of_rows(group)]);
    }
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    Ok(bytes)
}

/// Decodes a file into its header and batch, for a writer of this table.
pub(super) fn decode(table: &'static Table, bytes: &[u8]) -> io::Result<(Header, Batch)> {
    let short = || invalid("is truncated");
    let start = bytes.get(..8).ok_or_else(short)?;
    if start[..7] != *MAGIC {
        return Err(invalid("is not a spill file"));
    }
    if start[7] != VERSION {
        return Err(invalid(format!(
            "has version {} of the format; this version of Lookback reads version 1",
            char::from(start[7])
        )));
    }
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or_else(short)?;
    if crc32fast::hash(content) != u32::from_be_bytes(*sum) {
        return Err(invalid("is corrupt: its checksum does not match"));
    }
    let mut rest = &content[8..];
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at_checked(length).ok_or_else(short)?;
        rest = left;
        Ok::<&[u8], io::Error>(taken)
    };
    let number = |bytes: &[u8]| {
        let bytes = <[u8; 4]>::try_from(bytes).unwrap_or_default();
        usize::try_from(u32::from_be_bytes(bytes)).map_err(|_| invalid("is too large"))
    };
    let length = number(take(4)?)?;
    let header: Header = serde_json::from_slice(take(length)?)?;
    if header.table != table.name {
        return Err(invalid(format!(
            "has records of {}; expected records of {}",
            header.table, table.name
        )));
    }
    if header.encoder != ENCODER_VERSION {
        return Err(invalid(format!(
            "has vectors of encoder {}; expected encoder {ENCODER_VERSION}: use the version of \
             Lookback that wrote it",
            header.encoder
        )));
    }
    let mut groups = Vec::with_capacity(header.groups.len());
    for part in &header.groups {
        let lengths = take(part.rows.checked_mul(4).ok_or_else(short)?)?;
        let mut end = HEADER.len();
        let mut ends = Vec::with_capacity(part.rows);
        for length in lengths.chunks_exact(4) {
            end += number(length)?;
            ends.push(end);
        }
        let bytes = [HEADER, take(part.bytes)?, &TRAILER].concat();
        if end + TRAILER.len() != bytes.len() {
            return Err(invalid("has rows whose lengths do not match its header"));
        }
        groups.push(Group {
            columns: columns(table, &part.columns)?,
            bytes,
            ends,
            waiters: Vec::new(),
        });
    }
    Ok((
        header,
        Batch {
            first: None,
            groups,
        },
    ))
}

fn columns(table: &'static Table, names: &[String]) -> io::Result<Vec<&'static ColumnDef>> {
    let column = |name: &String| {
        let found = table.column(name);
        found.ok_or_else(|| {
            invalid(format!(
                "has values of column {name}, which the model of {} does not have",
                table.name
            ))
        })
    };
    names.iter().map(column).collect()
}
