//! Which lines go on with the one before them: stack traces, and other events over several lines.

use lookback::Level;

use super::w3c;
use crate::level;

/// A record of text so far.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    pub(crate) text: &'a str,
    pub(crate) level: Option<Level>,
    /// Whether its first line begins with a time.
    pub(crate) has_time: bool,
    /// The number of blank lines behind it.
    pub(crate) blank_lines: usize,
}

/// A line that may go on with it.
#[derive(Clone, Copy)]
pub(crate) struct Next<'a> {
    pub(crate) text: &'a str,
    /// Whether it begins with a time or a level, as the first line of a record.
    pub(crate) has_head: bool,
}

/// How a line goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    On,
    /// It says the level of the record, too.
    OnWithLevel(Level),
}

/// Returns how a line goes on with the record before it; `None` if it does not.
pub(crate) fn goes_on(before: Before<'_>, next: Next<'_>) -> Option<Goes> {
    const STARTS: [&str; 8] = [
        "Caused by: ",
        "Suppressed: ",
        "... ",
        "During handling of the above exception",
        "The above exception was the direct cause",
        "Stack trace:",
        "--- End of stack trace",
        "--- End of inner exception stack trace",
    ];
    let Before { text, level, .. } = before;
    let line = next.text;
    if line.starts_with([' ', '\t']) || STARTS.iter().any(|start| line.starts_with(start)) {
        return Some(Goes::On);
    }
    let last = text.rsplit('\n').next().unwrap_or_default();
    if let Some(level) = of_java_logging(before, line) {
        return Some(Goes::OnWithLevel(level));
    }
    // Node shows where an error was thrown before the error.
    if is_marks_of(last, '^') && level::is_exception(line) {
        return Some(Goes::OnWithLevel(Level::Error));
    }
    // Those that look at the last line only come first: a trace may be long.
    let goes_on = w3c::is_directive(line) && w3c::is_directive(text)
        || level == Some(Level::Error) && line.starts_with("** (")
        || of_ruby(before, last, line)
        || of_mysql(text, last, line)
        || of_exception(before, last, line)
        || of_php(text, last, next)
        || of_go(text, last, line)
        || of_rust(text, next)
        || of_python(before, last, next)
        // Node ends an error that has properties, such as its cause, and a program that it ended.
        || line == "}" && last.starts_with(' ') && text.contains(" {\n")
        || line.starts_with("Node.js v") && text.contains("\n    at ");
    goes_on.then_some(Goes::On)
}

/// Whether a line has this sign alone, once or several times.
fn is_marks_of(line: &str, sign: char) -> bool {
    line.ends_with(sign) && line.trim().chars().all(|c| c == sign)
}

/// Java, and some loggers of Node, write the exception behind the message.
fn of_exception(before: Before<'_>, last: &str, line: &str) -> bool {
    let is_error = before.level == Some(Level::Error);
    is_error
        && level::is_exception(line)
        && !level::is_exception(before.text)
        && (!before.text.contains('\n') || is_java_head(last, before.text))
}

/// Whether the last line is the second of a record of `java.util.logging`.
fn is_java_head(last: &str, text: &str) -> bool {
    text.matches('\n').count() == 1 && java_level(last).is_some()
}

/// The level at the start of the second line of `java.util.logging`.
fn java_level(line: &str) -> Option<Level> {
    let (name, _) = line.split_at(line.bytes().take(8).position(|byte| byte == b':')?);
    matches!(
        name,
        "SEVERE" | "WARNING" | "INFO" | "CONFIG" | "FINE" | "FINER" | "FINEST"
    )
    .then(|| level::of_text(name))?
    .map(|read| read.level)
}

/// `java.util.logging` writes time, class and method in the first line, and the message in the
/// second one.
fn of_java_logging(before: Before<'_>, line: &str) -> Option<Level> {
    let level = java_level(line)?;
    let is_head = before.has_time
        && before.level.is_none()
        && before.blank_lines == 0
        && !before.text.contains('\n');
    let mut words = before.text.rsplit(' ').filter(|_| is_head);
    let (method, class) = (words.next()?, words.next()?);
    let is_of_name = |c: char| c.is_alphanumeric() || "._$<>".contains(c);
    let is_class = class.starts_with(char::is_alphabetic) && class.chars().all(is_of_name);
    // A class without a method is the last word.
    let is_head = is_class || method.contains('.');
    (is_head && method.chars().all(is_of_name)).then_some(level)
}

fn of_python(before: Before<'_>, last: &str, next: Next<'_>) -> bool {
    const TRACEBACK: &str = "Traceback (most recent call last)";
    /// What drivers of databases add to the message of an exception.
    const DETAILS: [&str; 6] = [
        "[SQL: ",
        "[parameters: ",
        "(Background on this error at: ",
        "DETAIL: ",
        "HINT: ",
        "LINE 1: ",
    ];
    let line = next.text;
    let is_error = before.level == Some(Level::Error);
    if line.starts_with(TRACEBACK) {
        return is_error;
    }
    // Its first line is an error, too.
    if !is_error {
        return false;
    }
    let is_indented = last.starts_with([' ', '\t']);
    if before.text.contains(TRACEBACK) {
        // The frame where loguru caught the exception.
        if line.starts_with("> File \"") || DETAILS.iter().any(|start| line.starts_with(start)) {
            return true;
        }
        // The last line of a traceback names the exception.
        let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_');
        let name = line.split([':', ' ']).next().unwrap_or_default();
        if last.starts_with(' ') && !name.is_empty() && name.chars().all(is_of_name) {
            return true;
        }
    }
    // The message of an exception may have several lines. Where each record begins with a time, a
    // line that has none is one of them.
    let mut lines = before.text.rsplit('\n').take(64);
    before.has_time
        && before.blank_lines == 0
        && !next.has_head
        && !is_indented
        && before.text.contains('\n')
        && lines
            .by_ref()
            .take_while(|line| !line.starts_with([' ', '\t']))
            .any(|line| level::is_exception(line) || line.starts_with("Caused by: "))
}

/// Whether a line is a frame of PHP: `#0 /app/a.php(3): f()`.
fn is_php_frame(line: &str) -> bool {
    line.strip_prefix('#')
        .and_then(|line| line.split_once(' '))
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn of_php(text: &str, last: &str, next: Next<'_>) -> bool {
    /// Monolog writes an exception as a text within JSON, with its line ends.
    const EXCEPTION: &str = "{\"exception\":\"[object] (";
    const LONGEST_MESSAGE: usize = 16 * 1024;
    let line = next.text;
    if is_php_frame(line) {
        return is_php_frame(last)
            || last.ends_with("Stack trace:")
            || matches!(last, "[stacktrace]");
    }
    // Each line of the log of PHP begins with the time.
    let behind_time = line
        .strip_prefix('[')
        .and_then(|line| line.split_once("] "))
        .map_or(line, |(_, line)| line);
    let is_frame = || {
        let number = behind_time.strip_prefix("PHP ")?.trim_start();
        let (number, _) = number.split_once(". ")?;
        Some(!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    if behind_time.starts_with("PHP Stack trace:") && text.contains("PHP ")
        || is_frame() == Some(true) && text.contains("PHP Stack trace:")
        || is_php_frame(last) && line.starts_with("Next ")
    {
        return true;
    }
    let first = text.split('\n').next().unwrap_or_default();
    if !first.as_bytes().contains(&b'{') {
        return false;
    }
    let Some(at) = first.find(EXCEPTION) else {
        return false;
    };
    let exception = &text[at..];
    let is_open = !exception.trim_end().ends_with("\"}");
    let has_trace = || exception.contains("\n[stacktrace]");
    is_open
        && (matches!(line.trim_end(), "[stacktrace]" | "\"}")
            || line.starts_with("[previous exception]")
            // Its message.
            || !next.has_head && exception.len() < LONGEST_MESSAGE && !has_trace())
}

fn of_go(text: &str, last: &str, line: &str) -> bool {
    let is_goroutine = |line: &str| {
        let state = line
            .strip_prefix("goroutine ")
            .and_then(|l| l.split_once(" ["));
        state.is_some_and(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()))
            && line.ends_with("]:")
    };
    let has_trace = || text.split('\n').any(is_goroutine);
    if is_goroutine(line) {
        return text.starts_with("fatal error: ")
            || text.starts_with("SIG")
            || has_trace()
            || text.contains("panic: ")
            || text.contains("panic serving ");
    }
    if line.starts_with("[signal ") || line.starts_with("panic: ") {
        return text.starts_with("panic: ") || text.contains("\npanic: ");
    }
    // A call is followed by its place, which is indented.
    let is_behind_place = is_goroutine(last) || last.starts_with('\t');
    let is_call = || {
        let name = line.split('(').next().unwrap_or_default();
        line.ends_with(')') && !name.is_empty() && !name.contains(' ')
    };
    is_behind_place
        && (is_call() || line.starts_with("created by ") || line.starts_with("...additional "))
        && has_trace()
}

fn of_rust(text: &str, next: Next<'_>) -> bool {
    let line = next.text;
    // The message is in the line behind that of the place.
    let may_go_on = line.starts_with("note: ")
        || line.starts_with("stack backtrace:")
        || text.ends_with(':')
            && !text.contains('\n')
            && (!next.has_head || level::is_exception(line));
    let is_panic = |line: &str| line.starts_with("thread '") && line.contains(" panicked at ");
    may_go_on && text.split('\n').any(is_panic)
}

/// Whether a line is a frame of Ruby: `app/cart.rb:3:in 'total'`.
fn is_ruby_frame(line: &str) -> bool {
    if !line.as_bytes().contains(&b':') {
        return false;
    }
    let Some((place, _)) = line.split_once(":in ") else {
        return false;
    };
    let number = place.rsplit_once(':');
    number.is_some_and(|(file, number)| {
        !file.contains(' ')
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
            && (line.contains(":in `") || line.contains(":in '"))
    })
}

fn of_ruby(before: Before<'_>, last: &str, line: &str) -> bool {
    let is_error = before.level == Some(Level::Error);
    is_ruby_frame(line)
        && (is_ruby_frame(last)
            || level::is_exception(last)
            || is_error && !before.text.contains('\n'))
}

/// The log of slow queries of MySQL: lines of `#`, and then the statement.
fn of_mysql(text: &str, last: &str, line: &str) -> bool {
    if !(text.starts_with("# Time: ") || text.starts_with("# User@Host: ")) {
        return false;
    }
    if line.starts_with("# ") {
        return last.starts_with("# ")
            && !line.starts_with("# Time: ")
            && !(line.starts_with("# User@Host: ") && text.contains("# User@Host: "));
    }
    let has_times = text.starts_with("# Query_time: ") || text.contains("\n# Query_time: ");
    let is_setting = |line: &str| line.starts_with("SET timestamp=") || line.starts_with("use ");
    has_times && (last.starts_with("# ") || is_setting(last) || !last.trim_end().ends_with(';'))
}
