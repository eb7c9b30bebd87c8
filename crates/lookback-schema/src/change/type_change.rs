//! Conversions of a column from one type to another, and their risks.

use crate::change::conversion::{Conversion, Route, base, conversion, is_known, is_string};
use crate::change::modifiers::{number, numeric};
use crate::change::risk::REWRITE;
use crate::change::{Indexed, Lock, Risk};
use crate::syntax::DataType;
use crate::syntax::{Expression, quoted};

/// A change of the type of a column.
pub(crate) struct TypeChange<'a> {
    from: &'a DataType,
    to: &'a DataType,
}

/// Integer types, smallest first: name, smallest and largest value.
const WHOLE: [(&str, i64, i64); 3] = [
    ("smallint", i16::MIN as i64, i16::MAX as i64),
    ("integer", i32::MIN as i64, i32::MAX as i64),
    ("bigint", i64::MIN, i64::MAX),
];

impl<'a> TypeChange<'a> {
    pub(crate) fn new(from: &'a DataType, to: &'a DataType) -> Self {
        Self { from, to }
    }

    fn conversion(&self) -> Conversion {
        conversion(self.from, self.to)
    }

    /// The `USING` expression, if an assignment is not enough.
    ///
    /// If there is no cast, the value is converted through its text.
    pub(crate) fn using(&self, column: &str) -> Option<Expression> {
        let column = quoted(column);
        let to = self.target();
        let sql = match self.conversion().route {
            Route::Assign { .. } => return None,
            Route::Cast => format!("{column}::{to}"),
            Route::Via(between) => format!("{column}::{}::{to}", between.join("::")),
            Route::Text => {
                let array = if self.from.array && self.to.array {
                    "[]"
                } else {
                    ""
                };
                format!("{column}::text{array}::{to}")
            }
            Route::JsonText => format!("({column} #>> '{{}}')::{to}"),
            Route::JsonArray => {
                // PostgreSQL reads a JSON array into the field of a row; this type has such a field.
                let json = if base(self.from) == "json" {
                    format!("{column}::jsonb")
                } else {
                    column.into_owned()
                };
                let cast = if self.to.name.name == "text" && self.to.name.schema.is_none() {
                    String::new()
                } else {
                    format!("::{to}")
                };
                format!(
                    "(jsonb_populate_record(NULL::pg_class, jsonb_build_object('reloptions', \
                     {json}))).reloptions{cast}"
                )
            }
            Route::ToJson => format!("to_{}({column})", base(self.to)),
            Route::Wrap => {
                let same = self.from.name == self.to.name;
                let cast = if same {
                    String::new()
                } else {
                    format!("::{to}")
                };
                format!("CASE WHEN {column} IS NOT NULL THEN ARRAY[{column}]{cast} END")
            }
        };
        // It consists of a name and of types, so it is a valid expression.
        Expression::new(sql).ok()
    }

    /// The type of a written cast. The length of a text is left to the assignment, which refuses a
    /// text that is too long; a cast would cut it.
    fn target(&self) -> String {
        let array = if self.to.array { "[]" } else { "" };
        match base(self.to) {
            "character varying" => format!("character varying{array}"),
            "character" => format!("bpchar{array}"),
            _ => self.to.to_string(),
        }
    }

    /// Whether values are converted through their text, because there is no cast.
    pub(crate) fn reads_text(&self) -> bool {
        let conversion = self.conversion();
        matches!(conversion.route, Route::Text | Route::JsonText)
            && conversion.outcome.fails
            && is_known(self.from)
            && is_known(self.to)
    }

    /// The condition that values meet if they fit the narrower type.
    pub(crate) fn guard(&self, column: &str) -> Option<Expression> {
        if self.from.array || self.to.array {
            return None;
        }
        let column = quoted(column);
        let condition = if let Some(length) = self.narrower_length() {
            // Blanks at the end of `character` are padding, which is cut off without an error.
            format!("char_length({column}) <= {length}")
        } else {
            let rank = |ty: &DataType| WHOLE.iter().position(|(name, ..)| ty.is_builtin(name));
            let (from, to) = (rank(self.from)?, rank(self.to)?);
            if to >= from {
                return None;
            }
            let (_, min, max) = WHOLE[to];
            format!("{column} BETWEEN {min} AND {max}")
        };
        Expression::new(condition).ok()
    }

    /// The new length limit of a text, if the old one was longer.
    fn narrower_length(&self) -> Option<u32> {
        let is_text = |ty: &DataType| is_string(ty) && base(ty) != "name";
        let to = number(self.to).filter(|_| is_text(self.from) && is_text(self.to))?;
        match number(self.from) {
            Some(from) if from <= to => None,
            _ => Some(to),
        }
    }

    /// The risks for a column with the display name `object`.
    ///
    /// `indexed` is what stays on it: in a key, equal values make the change fail.
    pub(crate) fn risks(
        &self,
        column: &str,
        object: &str,
        using: Option<&Expression>,
        indexed: Indexed,
    ) -> Vec<Risk> {
        let in_key = indexed == Indexed::Key;
        let exclusive = |during| Risk::Locks {
            lock: Lock::AccessExclusive,
            during,
        };
        let same_key = || Risk::MayFail(format!("rows whose {object} becomes equal"));
        let mut risks = Vec::new();
        if using.is_none() && self.keeps_every_value_as_it_is() {
            // Values are compared in another way, so PostgreSQL builds the index again.
            if indexed != Indexed::No && self.merges() {
                risks.push(exclusive("while the index is built"));
                if in_key {
                    risks.push(same_key());
                }
            }
            return risks;
        }
        risks.push(exclusive(REWRITE));
        if using.is_some_and(|how| !how.mentions(column)) {
            risks.push(Risk::LosesData(format!("the values of {object}")));
            if in_key {
                risks.push(same_key());
            }
            return risks;
        }
        let outcome = self.conversion().outcome;
        if let Some((last, others)) = outcome.loses.split_last() {
            let others = others.join(", ");
            let lost = if others.is_empty() {
                (*last).to_owned()
            } else {
                format!("{others} and {last}")
            };
            risks.push(Risk::LosesData(format!("{lost} of {object}")));
        }
        let own = using.is_none() || using == self.using(column).as_ref();
        if outcome.fails {
            let mut why = format!("values of {object} that cannot be converted to {}", self.to);
            if own && self.reads_text() {
                why.push_str(&format!(
                    "; there is no cast from {}, so their text is read",
                    self.from
                ));
            }
            risks.push(Risk::MayFail(why));
        }
        if in_key && (!own || self.merges()) {
            risks.push(same_key());
        }
        risks
    }

    /// Whether different values may become equal ones.
    fn merges(&self) -> bool {
        let (from, to) = (self.from, self.to);
        let becomes = |name: &str| base(to) == name && base(from) != name;
        !self.conversion().outcome.loses.is_empty()
            || becomes("citext")
            || becomes("character")
            || is_string(from) && !is_string(to)
    }

    /// Whether only the catalog changes and no row is rewritten.
    fn keeps_every_value_as_it_is(&self) -> bool {
        let (from, to) = (self.from, self.to);
        if from == to {
            return true;
        }
        if from.array || to.array {
            return false;
        }
        let texts = ["character varying", "text", "citext"];
        if texts.contains(&base(from)) && texts.contains(&base(to)) {
            return self.narrower_length().is_none();
        }
        if base(from) != base(to) {
            let binary = matches!(self.conversion().route, Route::Assign { binary: true });
            return binary && to.modifiers.is_none();
        }
        match base(from) {
            "numeric" => self.numeric_grows(),
            "bit varying" => self.modifier_grows(),
            "vector" | "halfvec" | "sparsevec" => to.modifiers.is_none(),
            "interval" => self.conversion().outcome.loses.is_empty(),
            name if name.starts_with("time") => self.conversion().outcome.loses.is_empty(),
            _ => false,
        }
    }

    fn modifier_grows(&self) -> bool {
        match (number(self.from), number(self.to)) {
            (_, None) => true,
            (Some(from), Some(to)) => to >= from,
            (None, Some(_)) => false,
        }
    }

    /// Whether there are more digits before the point and as many after it.
    fn numeric_grows(&self) -> bool {
        match (numeric(self.from), numeric(self.to)) {
            (_, None) => true,
            (Some((p, s)), Some((p2, s2))) => s == s2 && p2 >= p,
            (None, Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TypeChange;
    use crate::change::{Indexed, Risk};
    use crate::syntax::DataType;

    /// The conversion of a column `v`, and its risks in letters: `L` loses data, `F` may fail.
    fn shown(from: &str, to: &str, in_key: bool) -> String {
        let (from, to): (DataType, DataType) = (from.parse().unwrap(), to.parse().unwrap());
        let change = TypeChange::new(&from, &to);
        let using = change.using("v");
        let mut line = match &using {
            Some(using) => format!("{from} -> {to}: {using}"),
            None => format!("{from} -> {to}: assigned"),
        };
        let indexed = if in_key { Indexed::Key } else { Indexed::No };
        for risk in change.risks("v", "v", using.as_ref(), indexed) {
            match risk {
                Risk::LosesData(what) => line.push_str(&format!("; LOSES {what}")),
                Risk::MayFail(why) => line.push_str(&format!("; FAILS {why}")),
                Risk::Locks { .. } => {}
            }
        }
        line
    }

    fn all(pairs: &[(&str, &str)]) -> String {
        let lines = pairs.iter().map(|(from, to)| shown(from, to, false));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn cast_of_server_is_used_where_it_has_one() {
        insta::assert_snapshot!(all(&[
            ("boolean", "integer"),
            ("boolean", "bigint"),
            ("boolean", "numeric(3,1)"),
            ("boolean", "text"),
            ("smallint", "boolean"),
            ("bigint", "boolean"),
            ("\"char\"", "smallint"),
            ("money", "numeric(10,2)"),
            ("money", "integer"),
            ("smallint", "money"),
            ("oid", "regclass"),
            ("regtype", "numeric"),
            ("text", "regclass"),
            ("hstore", "jsonb"),
            ("extra.hstore", "json"),
            ("vector(3)", "real[]"),
            ("vector", "double precision[]"),
            ("extra.sparsevec(9)", "real[]"),
            ("integer[]", "vector(3)"),
            ("bit(8)", "integer"),
            ("bit varying(8)", "bigint"),
            ("bit varying(8)", "smallint"),
            ("bit varying(8)[]", "integer[]"),
            ("bit(1)", "boolean"),
            ("bit(3)", "numeric"),
            ("smallint", "bit varying(8)"),
            ("bigint", "bit varying"),
            ("integer", "bit(32)"),
            ("smallint", "bit(16)"),
            ("bigint", "bit varying(64)"),
            ("integer", "bytea"),
            ("int4range", "int4multirange"),
            ("boolean[]", "bigint[]"),
            ("text[]", "integer[]"),
            ("box", "path"),
            ("jsonb", "money"),
            ("isbn", "ean13"),
            ("xml", "text"),
            ("date", "time"),
            ("interval", "time"),
            ("time", "interval"),
            ("inet", "cidr"),
            ("polygon", "point"),
        ]));
    }

    #[test]
    fn value_without_a_cast_is_read_from_its_text() {
        insta::assert_snapshot!(all(&[
            ("jsonb", "uuid"),
            ("json", "date"),
            ("jsonb", "text[]"),
            ("json", "integer[]"),
            ("jsonb", "jsonb[]"),
            ("uuid", "jsonb"),
            ("text[]", "json"),
            ("vector(3)", "jsonb"),
            ("integer", "integer[]"),
            ("uuid", "text[]"),
            ("mood", "mood[]"),
            ("integer[]", "integer"),
            ("mood", "state"),
            ("mood[]", "state[]"),
            ("mood", "text"),
            ("mood", "character varying(3)"),
            ("text", "mood"),
            ("numeric", "boolean"),
            ("integer", "uuid"),
        ]));
    }

    #[test]
    fn conversion_that_cuts_values_loses_data() {
        insta::assert_snapshot!(all(&[
            ("interval", "interval(0)"),
            ("interval(3)", "interval"),
            ("interval", "interval day"),
            ("interval day to second", "interval day to hour"),
            ("interval year", "interval"),
            ("timestamp", "timestamp(3)"),
            ("timestamptz", "timestamp(0)"),
            ("timestamp(3)", "timestamptz"),
            ("timestamptz", "date"),
            ("text", "\"char\""),
            ("text[]", "\"char\"[]"),
            ("character varying", "name"),
            ("character varying(15)", "name"),
            ("integer", "name"),
            ("jsonb", "name"),
            ("text", "bit(4)"),
            ("text", "bit varying"),
            ("integer", "bit(8)"),
            ("bit(8)", "bit(4)"),
            ("bit varying(8)", "bit varying(4)"),
            ("numeric(10,2)", "numeric(8,1)"),
            ("numeric(4,2)", "numeric(3,1)"),
            ("numeric(4,2)", "numeric(6,2)"),
            ("numeric(10,0)", "integer"),
            ("numeric", "integer"),
            ("integer", "numeric(12,3)"),
            ("smallint", "numeric(8,3)"),
            ("double precision", "numeric"),
            ("real", "double precision"),
            ("bigint", "double precision"),
            ("numeric", "money"),
            ("text", "date"),
            ("text", "time(3)"),
            ("text", "jsonb"),
            ("vector(3)", "vector(4)"),
            ("vector(3)", "halfvec(3)"),
            ("xid8", "xid"),
        ]));
    }

    #[test]
    fn text_that_is_too_long_is_refused_and_not_cut() {
        insta::assert_snapshot!(all(&[
            ("text", "character varying(5)"),
            ("text", "character varying(5)[]"),
            ("text[]", "character(5)[]"),
            ("jsonb", "character varying(5)"),
            ("bigint", "character varying(20)"),
            ("uuid", "character(35)"),
            ("character varying(5)", "character varying(9)"),
        ]));
    }

    #[test]
    fn values_of_a_key_may_become_equal() {
        let lines = [
            ("text", "citext"),
            ("character varying(20)", "citext"),
            ("citext", "text"),
            ("text", "character(9)"),
            ("timestamptz", "date"),
            ("numeric(9,2)", "numeric(9,1)"),
            ("text", "integer"),
            ("integer", "bigint"),
            ("integer", "text"),
        ];
        let lines = lines.iter().map(|(from, to)| shown(from, to, true));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }
}
