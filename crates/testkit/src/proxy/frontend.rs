//! Finds the statements in the messages of a PostgreSQL client.
//!
//! The messages are described in the PostgreSQL manual, "Frontend/Backend Protocol", section
//! "Message Formats".

use std::collections::HashMap;

/// The code of a `StartupMessage` of protocol 3.
const PROTOCOL_3: i32 = 3 << 16;

/// Reads the messages of one client as they arrive, in parts of any size.
#[derive(Debug, Default)]
pub(super) struct Frontend {
    /// Whether messages have a type byte, as they do after the `StartupMessage`.
    has_started: bool,
    /// The start of a message whose end has not arrived yet.
    partial: Vec<u8>,
    /// The remaining bytes of a message that is skipped.
    skip: usize,
    /// The SQL of prepared statements, by name.
    prepared: HashMap<Vec<u8>, String>,
    /// The SQL of portals, by name.
    portals: HashMap<Vec<u8>, String>,
}

impl Frontend {
    /// Returns the statements that a part executes. Each has the position in the part up to which
    /// the server does not execute it.
    pub(super) fn statements(&mut self, part: &[u8]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < part.len() {
            if self.skip > 0 {
                let skipped = self.skip.min(part.len() - at);
                (self.skip, at) = (self.skip - skipped, at + skipped);
                continue;
            }
            let header = if self.has_started { 5 } else { 4 };
            if self.partial.len() < header {
                self.partial.push(part[at]);
                at += 1;
                if self.partial.len() == header && !self.is_read() {
                    self.skip = self.body_length();
                    self.partial.clear();
                }
                continue;
            }
            let missing = header + self.body_length() - self.partial.len();
            let taken = missing.min(part.len() - at);
            self.partial.extend_from_slice(&part[at..at + taken]);
            at += taken;
            if taken == missing {
                let message = std::mem::take(&mut self.partial);
                // The message may have started in an earlier part.
                let start = at.saturating_sub(message.len());
                found.extend(self.read(&message).map(|statement| (start, statement)));
            }
        }
        found
    }

    /// The number of bytes after the header, whose length field counts itself and them.
    fn body_length(&self) -> usize {
        let from = usize::from(self.has_started);
        let length: [u8; 4] = self.partial[from..from + 4].try_into().unwrap();
        usize::try_from(i32::from_be_bytes(length)).unwrap() - 4
    }

    /// Whether the current message is parsed. Others, for example the data of a COPY, are skipped.
    fn is_read(&self) -> bool {
        !self.has_started || b"QPBE".contains(&self.partial[0])
    }

    /// Parses a whole message, and returns the statement that it executes.
    fn read(&mut self, message: &[u8]) -> Option<String> {
        if !self.has_started {
            let code: [u8; 4] = message[4..8].try_into().unwrap();
            self.has_started = i32::from_be_bytes(code) == PROTOCOL_3;
            return None;
        }
        let mut fields = message[5..].split(|byte| *byte == 0);
        let mut name = || fields.next().unwrap_or_default().to_vec();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match message[0] {
            b'Q' => Some(text(name())),
            b'P' => {
                let (statement, sql) = (name(), text(name()));
                self.prepared.insert(statement, sql);
                None
            }
            b'B' => {
                let (portal, statement) = (name(), name());
                let sql = self.prepared.get(&statement).cloned();
                self.portals.insert(portal, sql.unwrap_or_default());
                None
            }
            _ => Some(self.portals.get(&name()).cloned().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Frontend;

    /// A message with a type.
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = i32::try_from(body.len() + 4).unwrap();
        [&[kind], length.to_be_bytes().as_slice(), body].concat()
    }

    /// A message of the start, which has no type.
    fn untyped(body: &[u8]) -> Vec<u8> {
        message(b'-', body)[1..].to_vec()
    }

    #[test]
    fn statements_of_any_parts_are_those_of_the_whole() {
        let messages = [
            untyped(&80_877_103_i32.to_be_bytes()),
            untyped(b"\0\x03\0\0user\0lookback\0\0"),
            message(b'p', b"secret\0"),
            message(b'Q', b"BEGIN\0"),
            message(b'P', b"s1\0INSERT INTO logs\0\0\0"),
            message(b'B', b"\0s1\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
            message(b'd', b"Q\0\0\0\x0bCOMMIT\0"),
            message(b'B', b"\0s1\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'Q', b"COMMIT\0"),
        ];
        let whole = messages.concat();
        for size in [1, 2, 3, 5, 8, 13, 21, whole.len()] {
            let mut frontend = Frontend::default();
            let mut statements = Vec::new();
            for part in whole.chunks(size) {
                for (at, statement) in frontend.statements(part) {
                    assert!(at < part.len());
                    statements.push(statement);
                }
            }
            let expected = ["BEGIN", "INSERT INTO logs", "INSERT INTO logs", "COMMIT"];
            assert_eq!(statements, expected, "in parts of {size}");
        }
    }

    #[test]
    fn statement_in_one_part_begins_at_its_message() {
        let mut frontend = Frontend::default();
        frontend.statements(&untyped(b"\0\x03\0\0\0"));
        let part = [message(b'S', b""), message(b'Q', b"COMMIT\0")].concat();
        assert_eq!(frontend.statements(&part), [(5, "COMMIT".to_owned())]);
    }
}
