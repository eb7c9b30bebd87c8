//! Records of a body, and those that cannot be stored.

use lookback::query::check_new;
use lookback::table::ColumnValues;
use lookback::{Error, NewLog, NewMetric, NewRequestSnapshot};
use lookback_formats::{Entry, Problem as DecodeProblem};

use crate::body::Budget;
use crate::problem::{Problem, WrongField};

/// The records of a body.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    logs: Vec<NewLog>,
    requests: Vec<NewRequestSnapshot>,
    metrics: Vec<NewMetric>,
    rejected: u64,
    errors: Vec<WrongField>,
    /// What its records may take; without one, they are few.
    budget: Option<Budget>,
    /// Why no more records are taken.
    stopped: Option<Problem>,
}

impl Decoded {
    /// Creates the records of a body within a budget.
    pub(crate) fn within(budget: Budget) -> Self {
        Self {
            budget: Some(budget),
            ..Self::default()
        }
    }

    /// Returns whether no more records are taken.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Returns the records, or why there are too many.
    pub(crate) fn whole(mut self) -> Result<Self, Problem> {
        self.stopped.take().map_or(Ok(self), Err)
    }

    /// Takes the room of one more record, and returns whether there was any.
    fn has_room(&mut self) -> bool {
        if self.stopped.is_none()
            && let Some(budget) = &mut self.budget
        {
            self.stopped = budget.take_record().err();
        }
        self.stopped.is_none()
    }

    /// The most errors that are told.
    const MOST_ERRORS: usize = 100;

    /// Adds what a record in the format of another program becomes.
    pub(crate) fn push_entry(&mut self, entry: Entry) {
        let number = usize::try_from(*entry.lines.start()).unwrap_or(usize::MAX);
        if let Some(log) = entry.log {
            self.push_log(number, Ok(log));
        }
        if let Some(request) = entry.request {
            self.push_request(number, Ok(*request));
        }
    }

    pub(crate) fn push_log(&mut self, number: usize, log: Result<NewLog, Error>) {
        if let Some(mut log) = self.checked(number, log) {
            // All with the same columns are stored together.
            log.created_at.get_or_insert_with(chrono::Utc::now);
            self.logs.push(log);
        }
    }

    pub(crate) fn push_request(
        &mut self,
        number: usize,
        request: Result<NewRequestSnapshot, Error>,
    ) {
        if let Some(mut request) = self.checked(number, request) {
            request.created_at.get_or_insert_with(chrono::Utc::now);
            self.requests.push(request);
        }
    }

    pub(crate) fn push_metric(&mut self, number: usize, metric: Result<NewMetric, Error>) {
        if let Some(metric) = self.checked(number, metric) {
            self.metrics.push(metric);
        }
    }

    fn checked<N: ColumnValues>(&mut self, number: usize, record: Result<N, Error>) -> Option<N> {
        if !self.has_room() {
            return None;
        }
        match record.and_then(|record| check_new(&record).map(|()| record)) {
            Ok(record) => Some(record),
            Err(error) => {
                self.rejected += 1;
                let fields = error.fields();
                if fields.is_empty() {
                    self.note(number, "record", &error.to_string());
                }
                for field in fields {
                    self.note(number, &field.field, &field.problem);
                }
                None
            }
        }
    }

    /// Notes a record that cannot be decoded.
    pub(crate) fn reject(&mut self, problem: &DecodeProblem) {
        let number = usize::try_from(*problem.lines().start()).unwrap_or(usize::MAX);
        self.reject_record(number, &problem.to_string());
    }

    pub(crate) fn reject_record(&mut self, number: usize, problem: &str) {
        self.rejected += 1;
        self.note(number, "record", problem);
    }

    fn note(&mut self, number: usize, field: &str, problem: &str) {
        if self.errors.len() < Self::MOST_ERRORS {
            self.errors.push(WrongField {
                record: Some(number),
                field: field.to_owned(),
                problem: problem.to_owned(),
            });
        }
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.rejected
    }

    pub(crate) fn errors(&self) -> impl Iterator<Item = &WrongField> {
        self.errors.iter()
    }

    /// The number of records that can be stored.
    pub(crate) fn len(&self) -> usize {
        self.logs.len() + self.requests.len() + self.metrics.len()
    }

    pub(crate) fn take_logs(&mut self) -> Vec<NewLog> {
        std::mem::take(&mut self.logs)
    }

    pub(crate) fn take_requests(&mut self) -> Vec<NewRequestSnapshot> {
        std::mem::take(&mut self.requests)
    }

    pub(crate) fn take_metrics(&mut self) -> Vec<NewMetric> {
        std::mem::take(&mut self.metrics)
    }
}
