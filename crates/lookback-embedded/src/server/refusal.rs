//! A setting that PostgreSQL refused, as found in its log.

/// The setting that kept a server from starting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The name of the setting, in lower case.
    pub(crate) name: String,
    /// PostgreSQL's message.
    pub(crate) reason: String,
}

impl Refusal {
    /// Finds the first refused setting in a log, whose messages are in English because
    /// `lc_messages` is C.
    pub(crate) fn from_log(log: &str) -> Option<Self> {
        log.lines().find_map(|line| {
            let (_, message) = ["FATAL:  ", "LOG:  ", "ERROR:  "]
                .into_iter()
                .find_map(|level| line.split_once(level))?;
            Some(Self {
                name: refused(message)?.to_lowercase(),
                reason: message.to_owned(),
            })
        })
    }
}

/// The setting that a message is about.
fn refused(message: &str) -> Option<&str> {
    let quoted = |after: &str| message.split_once(after)?.1.split('"').next();
    for start in [
        "invalid value for parameter \"",
        "unrecognized configuration parameter \"",
        "outside the valid range for parameter \"",
    ] {
        if let Some(name) = quoted(start) {
            return Some(name);
        }
    }
    // "min_wal_size" must be at least twice "wal_segment_size"
    if message.starts_with('"') && message.contains("\" must be ") {
        return quoted("\"");
    }
    let is_memory = ["could not map anonymous", "could not create shared memory"]
        .iter()
        .any(|start| message.starts_with(start));
    is_memory.then_some("shared_buffers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_setting_is_found_in_the_log() {
        let name = |log: &str| Refusal::from_log(log).map(|refusal| refusal.name);
        for (log, expected) in [
            (
                "2026-11-29 UTC [1] LOG:  invalid value for parameter \"work_mem\": \"abc\"\n\
                 2026-11-29 UTC [1] FATAL:  configuration file \"/x\" contains errors\n",
                Some("work_mem"),
            ),
            (
                "FATAL:  unrecognized configuration parameter \"Share\" in file \"/x\" line 3\n",
                Some("share"),
            ),
            (
                "FATAL:  1 kB is outside the valid range for parameter \"work_mem\" (64 kB .. 2)\n",
                Some("work_mem"),
            ),
            (
                "FATAL:  \"min_wal_size\" must be at least twice \"wal_segment_size\"\n",
                Some("min_wal_size"),
            ),
            (
                "FATAL:  could not map anonymous shared memory: Cannot allocate memory\n\
                 HINT:  This error usually means that …\n",
                Some("shared_buffers"),
            ),
            ("LOG:  starting PostgreSQL 18.6\n", None),
            (
                "FATAL:  lock file \"postmaster.pid\" already exists\n",
                None,
            ),
            ("", None),
        ] {
            assert_eq!(name(log).as_deref(), expected, "{log}");
        }
    }
}
