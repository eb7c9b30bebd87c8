//! What a check finds.

use serde_json::{Value, json};

/// The result of all checks, in their order.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The names of the checks that found nothing.
    pub(super) passed: Vec<&'static str>,
    pub(super) findings: Vec<Finding>,
}

/// Something that does not work, that could be better, or that could not be seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The name of the check.
    pub(super) check: &'static str,
    pub(super) severity: Severity,
    /// What it is.
    pub(super) what: String,
    /// Why it matters.
    pub(super) why: String,
    /// The statements or commands that fix it, in their order.
    pub(super) fix: Vec<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Something does not work, or data may be lost.
    Problem,
    /// It works, and could be faster or safer.
    Advice,
    /// It could not be checked.
    Unseen,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Advice => "advice",
            Self::Unseen => "not seen",
        }
    }
}

impl Finding {
    pub(super) fn problem(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Severity::Problem, what.into())
    }

    pub(super) fn advice(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Severity::Advice, what.into())
    }

    pub(super) fn unseen(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Severity::Unseen, what.into())
    }

    fn new(check: &'static str, severity: Severity, what: String) -> Self {
        Self {
            check,
            severity,
            what,
            why: String::new(),
            fix: Vec::new(),
        }
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix.push(fix.into());
        self
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "check": self.check, "severity": self.severity.name().replace(' ', "_"),
            "finding": self.what, "reason": self.why, "fix": self.fix,
        })
    }
}

impl Report {
    /// Adds what a check found; nothing means that it passed.
    pub(super) fn add(&mut self, check: &'static str, findings: Vec<Finding>) {
        if findings.is_empty() {
            self.passed.push(check);
        }
        self.findings.extend(findings);
    }

    pub(super) fn count(&self, severity: Severity) -> u64 {
        let found = (self.findings.iter()).filter(|finding| finding.severity == severity);
        u64::try_from(found.count()).unwrap_or(u64::MAX)
    }
}
