//! Server-sent events: bytes to events, pure.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>

/// The most bytes of a line, and of the data of an event.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Parses a stream, in parts of any size.
#[derive(Debug, Default)]
pub(super) struct EventParser {
    /// The part of a line that has come.
    line: Vec<u8>,
    /// Whether the last byte was a carriage return: a line feed after it ends no other line.
    after_return: bool,
    is_begun: bool,
    name: String,
    data: String,
    /// The id of the event that has begun; that of the last one, if it has none.
    id: String,
    last_id: String,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Empty for one without a name.
    pub(super) name: String,
    pub(super) data: String,
}

impl EventParser {
    /// The id of the last event that is complete, with or without data.
    pub(super) fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Parses the next bytes, up to an event.
    ///
    /// It takes what it has parsed from the start of `bytes`; call it again while it returns an
    /// event.
    ///
    /// # Errors
    ///
    /// A line or an event is too long.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, &'static str> {
        while let Some((&byte, rest)) = bytes.split_first() {
            *bytes = rest;
            let is_second_half = byte == b'\n' && std::mem::take(&mut self.after_return);
            if is_second_half {
                continue;
            }
            self.after_return = byte == b'\r';
            if byte != b'\n' && byte != b'\r' {
                self.line.push(byte);
                if self.line.len() > MOST_BYTES || self.data.len() > MOST_BYTES {
                    return Err("an event is too long");
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if let Some(event) = self.line(&line) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn line(&mut self, line: &[u8]) -> Option<Event> {
        let line = String::from_utf8_lossy(line);
        let line = if self.is_begun {
            &*line
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(&line)
        };
        self.is_begun = true;
        if line.is_empty() {
            // An event that is cut off does not count.
            self.id.clone_into(&mut self.last_id);
            let (name, mut data) = (
                std::mem::take(&mut self.name),
                std::mem::take(&mut self.data),
            );
            // The line end after the last line of the data is not a part of it.
            data.pop()?;
            return Some(Event { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, EventParser};

    fn parse(parts: &[&[u8]]) -> (Vec<(String, String)>, String) {
        let mut parser = EventParser::default();
        let mut events = Vec::new();
        for part in parts {
            let mut part = *part;
            while let Some(Event { name, data }) = parser.next(&mut part).expect("short lines") {
                events.push((name, data));
            }
        }
        (events, parser.last_id().to_owned())
    }

    #[test]
    fn events_are_the_same_however_the_bytes_come() {
        let stream = "\u{feff}retry: 1000\nid: a\nevent: start\ndata: {}\n\n: heartbeat\nid: b\n\n\
                      id: c\r\ndata: é1\r\ndata:2\r\n\r\ndata\n\nid: d\ndata: never ended\n";
        let expected = vec![
            ("start".to_owned(), "{}".to_owned()),
            (String::new(), "é1\n2".to_owned()),
            (String::new(), String::new()),
        ];
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            let (events, id) = parse(&[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(events, expected, "{cut}");
            assert_eq!(id, "c");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(parse(&single).0, expected);
    }

    #[test]
    fn heartbeat_is_no_event_and_moves_the_id() {
        let (events, id) = parse(&[b": heartbeat\nid: x\n\n"]);
        assert_eq!((events, id), (vec![], "x".to_owned()));
    }
}
