//! Definitions that PostgreSQL accepts, but that seldom mean what their author thinks.

use crate::schema::{Fill, Schema, Table};
use crate::syntax::{DataType, Expression, TokenKind, quoted, tokens};

/// Words that a date or a time may consist of, and whose value is that of one moment.
const MOMENTS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

impl Schema {
    /// Sentences on definitions that are valid, but probably a mistake.
    ///
    /// These are a keyword such as `user` where a column has this name, and a default such as
    /// `'now'`, which is the time at which the default was set.
    pub fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        for (name, table) in &self.tables {
            for (part, expression) in table.named_expressions() {
                let mut seen = Vec::new();
                for keyword in expression.keywords() {
                    if table.column(keyword).is_some() && !seen.contains(&keyword) {
                        seen.push(keyword);
                        hints.push(format!(
                            "table {name}, {part}: {} is the keyword, not the column {keyword}; \
                             write {} for the column",
                            keyword.to_uppercase(),
                            quoted(keyword)
                        ));
                    }
                }
            }
            for column in &table.columns {
                let Fill::Default(default) = &column.fill else {
                    continue;
                };
                if let Some(moment) = moment(default, &column.data_type) {
                    hints.push(format!(
                        "table {name}, column {}: the default {default} is computed once, when it \
                         is set; write {} for the time of each insert",
                        column.name,
                        moment.at_insert()
                    ));
                }
            }
        }
        hints
    }
}

impl Table {
    /// The expressions that may contain columns, with the part that they are of.
    fn named_expressions(&self) -> Vec<(String, &Expression)> {
        let mut all = Vec::new();
        for column in &self.columns {
            let generated = column.fill.generated();
            all.extend(generated.map(|expression| (format!("column {}", column.name), expression)));
        }
        for (name, constraint) in &self.constraints {
            let part = || format!("{} {name}", constraint.kind());
            all.extend(constraint.expressions().into_iter().map(|e| (part(), e)));
        }
        for (name, index) in &self.indexes {
            all.extend(index.expressions().map(|e| (format!("index {name}"), e)));
        }
        let by = self.partition_by.iter().flat_map(|by| &by.keys);
        all.extend(by.map(|key| ("partition key".to_owned(), &key.expression)));
        all
    }
}

/// A time in a string, of a type.
struct Moment {
    word: &'static str,
    ty: DataType,
}

impl Moment {
    /// The expression with the value of the time of an insert.
    fn at_insert(&self) -> String {
        let day = match self.word {
            "now" => {
                return if self.ty.is_builtin("date") {
                    "CURRENT_DATE".to_owned()
                } else {
                    "now()".to_owned()
                };
            }
            "tomorrow" => "CURRENT_DATE + 1",
            "yesterday" => "CURRENT_DATE - 1",
            _ => "CURRENT_DATE",
        };
        day.to_owned()
    }
}

/// The moment that a default is, if it is a string for a date or a time: `'now'`, `date 'today'`,
/// `'now()'::timestamptz`.
fn moment(default: &Expression, column: &DataType) -> Option<Moment> {
    let text = Expression::printed(default.as_str()).ok()?;
    let found = tokens(text.as_str()).ok()?;
    let place = found
        .iter()
        .position(|token| token.kind == TokenKind::String)?;
    let ty = match (place, found.get(1)) {
        (0, None) => column.clone(),
        (0, Some(cast)) if cast.is("::") => {
            let (ty, taken) = DataType::read(&found[2..]).ok()?;
            (taken + 2 == found.len()).then_some(ty)?
        }
        (0, Some(_)) => return None,
        _ => {
            let (ty, taken) = DataType::read(&found).ok()?;
            (taken == place && place + 1 == found.len()).then_some(ty)?
        }
    };
    let is_time = |ty: &DataType| {
        let name = ty.name.name.as_str();
        ty.name.schema.is_none() && !ty.array && (name == "date" || name.starts_with("time"))
    };
    if !is_time(&ty) || !is_time(column) {
        return None;
    }
    let content = found[place].text.to_lowercase();
    let words: Vec<&str> = content
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && *word != "e")
        .collect();
    let word = MOMENTS
        .iter()
        .find(|moment| words.first() == Some(moment))?;
    Some(Moment { word, ty })
}

#[cfg(test)]
mod tests {
    use crate::schema::{Column, Fill, Schema, Table};
    use crate::syntax::Name;

    #[test]
    fn keyword_for_a_column_and_time_of_a_default_are_hinted_at() {
        let mut table = Table::default();
        for (name, ty, default) in [
            ("user", "text", "'now'"),
            ("current_date", "date", "current_date"),
            ("a", "timestamptz", "'now'"),
            ("b", "timestamp", "('NOW()'::timestamp)"),
            ("c", "date", "date 'tomorrow'"),
            ("d", "date", "'now'::text::date"),
            ("e", "timestamptz", "'2020-01-01'"),
            ("f", "time", "now()"),
            ("g", "date", "'today'"),
            ("h", "timestamptz", "'yesterday 12:00'::timestamptz"),
        ] {
            let mut column = Column::new(name, ty.parse().unwrap());
            column.fill = Fill::Default(default.parse().unwrap());
            table.columns.push(column);
        }
        for (name, check) in [
            ("bare", "CHECK (user <> '' AND user <> a)"),
            ("own", "CHECK (\"user\" <> '' AND \"user\" <> session_user)"),
        ] {
            table
                .constraints
                .insert(name.to_owned(), check.parse().unwrap());
        }
        let index = "(lower(a)) WHERE e > current_date".parse().unwrap();
        table.indexes.insert("i".to_owned(), index);
        let schema = Schema {
            tables: [(Name::new("t"), table)].into(),
            ..Schema::default()
        };
        insta::assert_snapshot!(schema.hints().join("\n"));
    }
}
