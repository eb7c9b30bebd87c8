//! Rows of CSV (RFC 4180).
//!
//! As in PostgreSQL's own CSV, an empty field is NULL, and one in quotes is the empty text. The
//! crate `csv` does not tell the two apart.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::super::lines::MAX_LINE;
use super::{Rows, push_string};

/// Reads rows, the first of which has the names of the columns.
///
/// After an error that asks to wait it can go on: a row is then read again from its start.
pub(in crate::import) struct CsvRows {
    input: Box<dyn Read + Send>,
    /// What was read and is not dropped yet, with the whole row that is being read.
    buffer: Vec<u8>,
    /// How far it was taken.
    taken: usize,
    /// Whether more has to come before a row can be read.
    is_waiting: bool,
    /// The names of the columns, as JSON strings; empty until they are read.
    names: Vec<Vec<u8>>,
    /// The number of lines that were read.
    line: u64,
}

/// The number of bytes that are read at a time.
const CHUNK: usize = 64 * 1024;

/// What a field needs besides its bytes, however short it is.
const FIELD_OVERHEAD: usize = 64;

/// A field of a row.
#[derive(Debug, Default)]
struct Field {
    bytes: Vec<u8>,
    is_quoted: bool,
}

/// A row, with the number of its lines.
#[derive(Debug, Default)]
struct Row {
    fields: Vec<Field>,
    lines: usize,
    /// Whether it ends within quotes, at the end of the input.
    is_open: bool,
}

impl CsvRows {
    pub(in crate::import) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            taken: 0,
            is_waiting: false,
            names: Vec::new(),
            line: 0,
        }
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        self.taken += usize::from(byte.is_some());
        Ok(byte)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.taken == self.buffer.len() {
            self.fill()?;
        }
        Ok(self.buffer.get(self.taken).copied())
    }

    /// Reads more; nothing at the end.
    fn fill(&mut self) -> io::Result<()> {
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        read.map(drop)
    }

    /// Reads the next row; `None` at the end.
    fn next_row(&mut self) -> io::Result<Option<Row>> {
        // Not for each row: what is behind it is moved.
        if self.taken >= CHUNK {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        if self.is_waiting {
            self.fill()?;
        }
        let begin = self.taken;
        let row = self.read_row();
        self.is_waiting = row.is_err();
        if self.is_waiting {
            self.taken = begin;
        }
        row
    }

    fn read_row(&mut self) -> io::Result<Option<Row>> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let mut row = Row::default();
        let mut size = 0;
        loop {
            let mut field = Field::default();
            let is_last = self.read_field(&mut field, &mut row)?;
            size += field.bytes.len() + FIELD_OVERHEAD;
            row.fields.push(field);
            if size > MAX_LINE {
                return Err(self.too_long());
            }
            if is_last {
                self.line += row.lines as u64;
                return Ok(Some(row));
            }
        }
    }

    /// Reads a field; returns true for the last one of its row.
    fn read_field(&mut self, field: &mut Field, row: &mut Row) -> io::Result<bool> {
        if self.peek()? == Some(b'"') {
            self.taken += 1;
            field.is_quoted = true;
            self.read_quoted(field, row)?;
        }
        loop {
            match self.next_byte()? {
                None | Some(b'\n') => {
                    row.lines += 1;
                    return Ok(true);
                }
                Some(b'\r') if self.peek()? == Some(b'\n') => {}
                Some(b',') => return Ok(false),
                Some(byte) => field.bytes.push(byte),
            }
            if field.bytes.len() > MAX_LINE {
                return Err(self.too_long());
            }
        }
    }

    /// Reads up to the closing quote.
    fn read_quoted(&mut self, field: &mut Field, row: &mut Row) -> io::Result<()> {
        loop {
            match self.next_byte()? {
                None => {
                    row.is_open = true;
                    return Ok(());
                }
                Some(b'"') if self.peek()? != Some(b'"') => return Ok(()),
                Some(byte) => {
                    if byte == b'"' {
                        self.taken += 1;
                    }
                    row.lines += usize::from(byte == b'\n');
                    field.bytes.push(byte);
                }
            }
            if field.bytes.len() > MAX_LINE {
                return Err(self.too_long());
            }
        }
    }

    fn too_long(&self) -> io::Error {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the record at line {} is longer than {MAX_LINE} bytes, or has too many fields; is a \
                 quote not closed?",
                self.line + 1
            ),
        )
    }

    /// Reads the names of the columns, and appends an empty line for each of their lines.
    fn read_names(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        while self.buffer.len() < BYTE_ORDER_MARK.len() {
            let length = self.buffer.len();
            self.fill()?;
            if self.buffer.len() == length {
                break;
            }
        }
        if self.taken == 0 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.taken = BYTE_ORDER_MARK.len();
        }
        let Some(row) = self.next_row()? else {
            return Ok(false);
        };
        let mut known = BTreeSet::new();
        for field in row.fields {
            let mut name = Vec::with_capacity(field.bytes.len() + 2);
            push_string(&mut name, &field.bytes);
            if !known.insert(name.clone()) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "two columns of the first line have the name {}",
                        String::from_utf8_lossy(&name)
                    ),
                ));
            }
            self.names.push(name);
        }
        out.resize(out.len() + row.lines, b'\n');
        Ok(true)
    }

    fn push_row(&self, row: &Row, out: &mut Vec<u8>) {
        let is_blank = matches!(&*row.fields, [one] if one.bytes.is_empty() && !one.is_quoted);
        if is_blank {
            return;
        }
        let is_complete = row.fields.len() == self.names.len() && !row.is_open;
        let (open, close) = if is_complete {
            (b'{', b'}')
        } else {
            (b'[', b']')
        };
        for (place, field) in row.fields.iter().enumerate() {
            out.push(if place == 0 { open } else { b',' });
            if is_complete {
                out.extend_from_slice(&self.names[place]);
                out.push(b':');
            }
            if field.bytes.is_empty() && !field.is_quoted {
                out.extend_from_slice(b"null");
            } else {
                push_string(out, &field.bytes);
            }
        }
        out.push(close);
    }
}

impl Rows for CsvRows {
    fn next_line(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        if self.names.is_empty() {
            return self.read_names(out);
        }
        let Some(row) = self.next_row()? else {
            return Ok(false);
        };
        self.push_row(&row, out);
        // The next record has the number of its own line.
        out.resize(out.len() + row.lines.max(1), b'\n');
        Ok(true)
    }
}
