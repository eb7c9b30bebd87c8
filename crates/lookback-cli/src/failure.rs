//! How a command fails: the kind decides the exit code, and advice stands on
//! a line of its own.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::output;

pub(crate) mod remedy;

/// A command that did not do what it was called for.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
    /// The chain of causes, printed with `--verbose`.
    causes: Vec<String>,
    /// Whether a table or a right may be missing.
    is_of_setup: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The call is wrong.
    Usage,
    /// The call is right, and it failed.
    Failed,
    /// The command was interrupted.
    Interrupted,
    /// The reader of the output has gone; nothing is printed.
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

    /// The same, as the fault of the call.
    pub(crate) fn into_usage(mut self) -> Self {
        self.kind = Kind::Usage;
        self
    }

    /// The same, with advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with this advice after any that it has.
    pub(crate) fn and_hint(self, hint: &str) -> Self {
        let all = match &self.hint {
            Some(first) => format!("{first}; {hint}"),
            None => hint.to_owned(),
        };
        self.hint(all)
    }

    /// The same, with what caused another failure.
    pub(crate) fn caused_as(mut self, other: Self) -> Self {
        self.causes = other.causes;
        self
    }

    /// The same, with what caused this error.
    pub(crate) fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        self.causes = causes(error);
        self
    }

    /// Whether a table or a right may be missing.
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
        }
    }

    /// Says what went wrong, and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if self.kind != Kind::BrokenPipe {
            output::error(&self.message);
            for cause in &self.causes {
                output::detail(cause);
            }
            if let Some(hint) = &self.hint {
                output::advice(hint);
            }
        }
        ExitCode::from(match self.kind {
            Kind::Usage => 2,
            Kind::Failed => 1,
            // As a shell reports a program that a signal ended.
            Kind::Interrupted => 130,
            Kind::BrokenPipe => 0,
        })
    }
}

impl From<lookback::Error> for Failure {
    fn from(error: lookback::Error) -> Self {
        // The message of the server is in both, and in the driver's error again.
        let is_complete = error.sqlstate().is_some() || error.is_migration();
        let message = if is_complete {
            error.to_string()
        } else {
            with_sources(&error)
        };
        let mut failure = Self::failed(message).caused_by(&error);
        failure.is_of_setup = error.is_setup() || error.is_permission_denied();
        match error.remedy() {
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
            Self::new(Kind::BrokenPipe, String::new())
        } else {
            Self::failed(error.to_string())
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

/// An error and what caused it, each once: some errors say their source in
/// their own words.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !message.contains(&text) {
            // Writing to a string does not fail.
            let _ = write!(message, ": {text}");
        }
        source = error.source();
    }
    message
}

/// What caused an error, from the nearest cause on, and what the server says of it
/// beside its message. Not its `DETAIL`, which repeats values of records.
fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(sqlx::Error::Database(refusal)) = error.downcast_ref() {
            let told = [
                ("SQLSTATE", refusal.code().as_deref()),
                ("table", refusal.table()),
                ("constraint", refusal.constraint()),
            ]
            .into_iter()
            .filter_map(|(what, name)| name.map(|name| format!("{what} {name}")))
            .collect::<Vec<_>>();
            causes.push(format!("the server refused it: {}", told.join(", ")));
            // What is behind it says the same again.
            break;
        }
        causes.push(format!("caused by: {error}"));
        source = error.source();
    }
    causes
}
