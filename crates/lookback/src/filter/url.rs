//! The query of a URL (WHATWG URL, "application/x-www-form-urlencoded").

use lookback_json::form;

use crate::value::Problem;

/// Decodes a pair: `%41` is `A`, `+` a space.
pub(super) fn decoded(pair: &str) -> Result<String, Problem> {
    form::try_decoded(pair).map_err(Problem::new)
}
