//! Failures of commands: the kind decides the exit code, and a hint is printed on its own line.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::output;

pub(crate) mod remedy;

/// The error of a command.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
    /// The chain of causes, printed with `--verbose`.
    causes: Vec<String>,
    /// Whether the cause may be a missing table or privilege.
    is_of_setup: bool,
    /// Whether the database did not answer, could not be reached, or was restarted.
    is_of_connection: bool,
    /// Whether a default partition refuses an id because it is being split.
    is_of_split: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The command was called incorrectly.
    Usage,
    /// The command was called correctly, but failed.
    Failed,
    /// The command was interrupted.
    Interrupted,
    /// The reader of the output has closed it; nothing is printed.
    BrokenPipe,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message.into())
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message.into())
    }

    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Kind::Interrupted, message.into())
    }

    /// Turns the failure into wrong usage.
    pub(crate) fn into_usage(mut self) -> Self {
        self.kind = Kind::Usage;
        self
    }

    /// Sets the hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Appends a hint after existing ones.
    pub(crate) fn and_hint(self, hint: &str) -> Self {
        let all = match &self.hint {
            Some(first) => format!("{first}; {hint}"),
            None => hint.to_owned(),
        };
        self.hint(all)
    }

    /// Copies the causes of another failure.
    pub(crate) fn caused_as(mut self, other: Self) -> Self {
        self.causes = other.causes;
        self
    }

    /// Sets the causes to those of `error`.
    pub(crate) fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        self.causes = causes(error);
        self
    }

    /// Whether the reader of the output has closed it.
    pub(crate) fn is_of_closed_output(&self) -> bool {
        self.kind == Kind::BrokenPipe
    }

    /// Whether the cause may be a missing table or privilege.
    pub(crate) fn is_of_setup(&self) -> bool {
        self.is_of_setup
    }

    fn new(kind: Kind, message: String) -> Self {
        Self {
            kind,
            message,
            hint: None,
            causes: Vec::new(),
            is_of_setup: false,
            is_of_connection: false,
            is_of_split: false,
        }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.kind == Kind::Interrupted
    }

    pub(crate) fn is_usage(&self) -> bool {
        self.kind == Kind::Usage
    }

    pub(crate) fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Whether the database did not answer, could not be reached, or was restarted.
    pub(crate) fn is_of_connection(&self) -> bool {
        self.is_of_connection
    }

    /// Whether a default partition refuses an id because it is being split.
    pub(crate) fn is_of_split(&self) -> bool {
        self.is_of_split
    }

    /// Prints the failure.
    pub(crate) fn print(&self) {
        if self.kind != Kind::BrokenPipe {
            output::error(&self.message);
            for cause in &self.causes {
                output::detail(cause);
            }
            if let Some(hint) = &self.hint {
                output::advice(hint);
            }
        }
    }

    /// Prints the failure and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        self.print();
        ExitCode::from(match self.kind {
            Kind::Usage => 2,
            Kind::Failed => 1,
            // The exit code that a shell reports for a program ended by SIGINT.
            Kind::Interrupted => 130,
            Kind::BrokenPipe => 0,
        })
    }
}

impl From<lookback::Error> for Failure {
    fn from(error: lookback::Error) -> Self {
        // Such a message already contains that of the server, which the driver's error repeats.
        let is_complete = error.sqlstate().is_some() || error.is_migration();
        let message = if is_complete {
            error.to_string()
        } else {
            with_sources(&error)
        };
        let mut failure = Self::failed(message).caused_by(&error);
        failure.is_of_setup = error.is_setup() || error.is_permission_denied();
        failure.is_of_connection = error.is_unavailable();
        let remedy = error.remedy();
        failure.is_of_split = matches!(remedy, Some(lookback::error::Remedy::FinishSplit { .. }));
        match remedy {
            Some(remedy) => failure.hint(remedy::library::hint(&remedy)),
            None => failure,
        }
    }
}

impl From<lookback::migrate::Error> for Failure {
    fn from(error: lookback::migrate::Error) -> Self {
        Self::from(lookback::Error::from(error))
    }
}

impl From<lookback_embedded::Error> for Failure {
    fn from(error: lookback_embedded::Error) -> Self {
        let failure = Self::failed(with_sources(&error)).caused_by(&error);
        match error.remedy().as_ref().and_then(remedy::embedded::hint) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Kind::BrokenPipe, String::new());
        }
        let failure = Self::failed(error.to_string());
        match io_hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<lookback::value::JsonError> for Failure {
    fn from(error: lookback::value::JsonError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::from(std::io::Error::from(error))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::from(lookback::Error::from(error))
    }
}

/// The hint on a disk that is full, or another limit of the system.
pub(crate) fn io_hint(error: &std::io::Error) -> Option<&'static str> {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Some("free some space there, or write to another disk")
        }
        std::io::ErrorKind::ReadOnlyFilesystem => Some("write to another disk"),
        _ => None,
    }
}

/// Formats an error with its sources, each once: some errors already contain the message of their
/// source.
pub(crate) fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    let mut message = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let refusal = refusal(error);
        let text =
            refusal.map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned());
        if message.is_empty() {
            message = text;
        } else if !message.contains(&text) {
            // Writing to a string does not fail.
            let _ = write!(message, ": {text}");
        }
        // The sources of a refusal repeat it, with a line of the server's source.
        next = if refusal.is_some() {
            None
        } else {
            error.source()
        };
    }
    message
}

/// What the server answered, if the driver's error contains it.
///
/// The driver's text of it ends with a line number of the source of PostgreSQL, which looks like
/// one of the user's file.
fn refusal<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e dyn sqlx::error::DatabaseError> {
    match error.downcast_ref() {
        Some(sqlx::Error::Database(refusal)) => Some(&**refusal),
        _ => None,
    }
}

/// The causes of an error, nearest first, with the server's additional fields. Its `DETAIL` is left
/// out, because it repeats values of records.
fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut causes = Vec::new();
    let mut source = refusal(error).map_or_else(|| error.source(), |_| Some(error));
    while let Some(error) = source {
        if let Some(refusal) = refusal(error) {
            let told = [
                ("SQLSTATE", refusal.code().as_deref()),
                ("table", refusal.table()),
                ("constraint", refusal.constraint()),
            ]
            .into_iter()
            .filter_map(|(what, name)| name.map(|name| format!("{what} {name}")))
            .collect::<Vec<_>>();
            causes.push(format!("the server refused it: {}", told.join(", ")));
            // The sources of this one repeat the same message.
            break;
        }
        causes.push(format!("caused by: {error}"));
        source = error.source();
    }
    causes
}
