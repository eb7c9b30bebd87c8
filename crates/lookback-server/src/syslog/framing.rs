//! From the bytes of a connection to messages (RFC 6587).
//!
//! A message begins with its length (`11 <14>message`), or ends with a line end or NUL. With a
//! priority at its start, a message goes on over line ends until the next priority: handlers send
//! stack traces so. Without one, each line is a message.

/// Splits what comes over a connection.
#[derive(Debug)]
pub(super) struct Framing {
    /// The most bytes of a message.
    most: usize,
    buffer: Vec<u8>,
    /// Where to look on for the end of the first message.
    looked: usize,
    skip: Skip,
}

/// What is left of a message that was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Nothing,
    Bytes(usize),
    ToEnd,
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// Whether its end was cut off.
    pub(super) is_cut: bool,
}

/// How the first message of the buffer ends.
enum End {
    /// At a place, and the next one begins at another.
    At {
        start: usize,
        end: usize,
        next: usize,
    },
    /// It has this many bytes from a place, and not all have come.
    Counted { start: usize, length: usize },
    /// Not yet.
    Open,
}

impl Framing {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            buffer: Vec::new(),
            looked: 0,
            skip: Skip::Nothing,
        }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether what has come may be a whole message, which more bytes would go on with.
    pub(super) fn may_be_whole(&self) -> bool {
        matches!(self.buffer.last(), Some(b'\n' | b'\0'))
    }

    /// Returns the next message. With `is_idle`, nothing more comes at once: a line end at the end is
    /// the end of a message.
    pub(super) fn next(&mut self, is_idle: bool) -> Option<Frame> {
        self.skip();
        // Between messages.
        let blanks = self.buffer.iter();
        let blanks = blanks.take_while(|byte| matches!(byte, b'\n' | b'\r' | b'\0'));
        let blanks = blanks.count();
        if blanks > 0 {
            self.take(blanks);
        }
        match self.end(is_idle) {
            End::At { start, end, next } => {
                let cut = end.min(start + self.most);
                let bytes = self.buffer[start..cut].to_vec();
                self.take(next);
                Some(Frame {
                    bytes,
                    is_cut: cut < end,
                })
            }
            End::Counted { start, length }
                if length > self.most && self.buffer.len() >= start + self.most =>
            {
                let end = start + self.most;
                let bytes = self.buffer[start..end].to_vec();
                self.take(end);
                self.skip = Skip::Bytes(length - self.most);
                self.skip();
                Some(Frame {
                    bytes,
                    is_cut: true,
                })
            }
            End::Counted { .. } => None,
            End::Open if self.buffer.len() > self.most => {
                let bytes = self.buffer[..self.most].to_vec();
                self.take(self.most);
                self.skip = Skip::ToEnd;
                Some(Frame {
                    bytes,
                    is_cut: true,
                })
            }
            End::Open => None,
        }
    }

    /// Returns what has come of a last message.
    pub(super) fn finish(&mut self) -> Option<Frame> {
        if let Some(frame) = self.next(true) {
            return Some(frame);
        }
        if self.skip != Skip::Nothing {
            return None;
        }
        let start = match count(&self.buffer) {
            Count::Is { start, .. } => start,
            _ => 0,
        };
        let bytes = self.buffer.split_off(start);
        self.take(start);
        let is_message = bytes.iter().any(|byte| !byte.is_ascii_whitespace());
        is_message.then_some(Frame {
            bytes,
            is_cut: false,
        })
    }

    fn take(&mut self, end: usize) {
        self.buffer.drain(..end);
        self.looked = 0;
    }

    fn skip(&mut self) {
        match self.skip {
            Skip::Nothing => {}
            Skip::Bytes(bytes) => {
                let some = bytes.min(self.buffer.len());
                self.buffer.drain(..some);
                self.skip = if some < bytes {
                    Skip::Bytes(bytes - some)
                } else {
                    Skip::Nothing
                };
            }
            Skip::ToEnd => {
                let end = self.buffer.iter().position(|byte| is_end(*byte));
                match end {
                    Some(end) => {
                        self.buffer.drain(..=end);
                        self.skip = Skip::Nothing;
                    }
                    None => self.buffer.clear(),
                }
            }
        }
    }

    fn end(&mut self, is_idle: bool) -> End {
        if let Count::Is { start, length } = count(&self.buffer) {
            let end = start + length;
            return if end <= self.buffer.len() {
                End::At {
                    start,
                    end,
                    next: end,
                }
            } else {
                End::Counted { start, length }
            };
        }
        let has_priority = self.buffer.first() == Some(&b'<');
        let mut at = self.looked;
        while let Some(found) = self.buffer[at..].iter().position(|byte| is_end(*byte)) {
            let end = at + found;
            let rest = &self.buffer[end + 1..];
            let goes_on = if has_priority && self.buffer[end] == b'\n' {
                match (rest.first(), count(rest)) {
                    (Some(b'<' | b'\0'), _) | (_, Count::Is { .. }) => Some(false),
                    (None, _) => is_idle.then_some(false),
                    (_, Count::MayBe) => is_idle.then_some(true),
                    (Some(_), Count::IsNone) => Some(true),
                }
            } else {
                Some(false)
            };
            match goes_on {
                Some(true) => at = end + 1,
                Some(false) => {
                    let is_crlf = self.buffer[..end].ends_with(b"\r");
                    return End::At {
                        start: 0,
                        end: end - usize::from(is_crlf),
                        next: end + 1,
                    };
                }
                // What comes next tells.
                None => {
                    self.looked = end;
                    return End::Open;
                }
            }
        }
        self.looked = self.buffer.len();
        End::Open
    }
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\0')
}

/// The length before a message.
enum Count {
    Is {
        start: usize,
        length: usize,
    },
    /// The bytes so far are the start of one.
    MayBe,
    IsNone,
}

/// Reads the length with which a message begins: `11 <14>message`.
fn count(bytes: &[u8]) -> Count {
    const MOST_DIGITS: usize = 9;
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let digits = digits.count();
    if !(1..=MOST_DIGITS).contains(&digits) || bytes[0] == b'0' {
        return Count::IsNone;
    }
    let (number, rest) = bytes.split_at(digits);
    match rest {
        [] | [b' '] => Count::MayBe,
        [b' ', b'<', ..] => {
            let digit = |length: usize, byte: &u8| length * 10 + usize::from(byte - b'0');
            Count::Is {
                start: digits + 1,
                length: number.iter().fold(0, digit),
            }
        }
        _ => Count::IsNone,
    }
}

#[cfg(test)]
mod tests {
    use super::Framing;

    /// Splits bytes that come in two parts, one of them at a time.
    fn split(parts: &[&[u8]]) -> Vec<String> {
        let mut framing = Framing::new(40);
        let mut texts = Vec::new();
        let mut push = |frame: super::Frame| {
            let sign = if frame.is_cut { "…" } else { "" };
            let text = String::from_utf8(frame.bytes).unwrap();
            texts.push(format!("{text}{sign}"));
        };
        for part in parts {
            framing.add(part);
            while let Some(frame) = framing.next(false) {
                push(frame);
            }
        }
        while let Some(frame) = framing.finish() {
            push(frame);
        }
        texts
    }

    #[test]
    fn messages_are_the_same_wherever_the_bytes_are_split() {
        let long = "x".repeat(50);
        for (stream, expected) in [
            ("<1>a\n<2>b\n", vec!["<1>a", "<2>b"]),
            ("<1>a\r\n<2>b", vec!["<1>a", "<2>b"]),
            ("<1>a\0<2>b\0", vec!["<1>a", "<2>b"]),
            ("<1>a\n\0<2>b\n\0\n", vec!["<1>a", "<2>b"]),
            ("4 <1>a4 <2>b", vec!["<1>a", "<2>b"]),
            ("6 <1>\na\n4 <2>b", vec!["<1>\na\n", "<2>b"]),
            ("4 <1>a\n<2>b\n4 <3>c", vec!["<1>a", "<2>b", "<3>c"]),
            // A stack trace.
            (
                "<1>no\n  at a\n3 times\n<2>b\0",
                vec!["<1>no\n  at a\n3 times", "<2>b"],
            ),
            // Lines of a program that writes no priority.
            (
                "2026-01-02 a\n12 monkeys\nb\n",
                vec!["2026-01-02 a", "12 monkeys", "b"],
            ),
            (
                &format!("<1>{long}\n<2>b\n"),
                vec![&format!("<1>{}…", "x".repeat(37)), "<2>b"],
            ),
            (
                &format!("53 <1>{long}4 <2>b"),
                vec![&format!("<1>{}…", "x".repeat(37)), "<2>b"],
            ),
            ("999999999 <1>a", vec!["<1>a"]),
            ("\n\0\r\n", vec![]),
            ("", vec![]),
        ] {
            for at in 0..=stream.len() {
                let (one, other) = stream.as_bytes().split_at(at);
                assert_eq!(split(&[one, other]), expected, "{stream:?} at {at}");
            }
            let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(split(&bytes), expected, "{stream:?} byte by byte");
        }
    }
}
