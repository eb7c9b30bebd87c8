//! Renders a filter to SQL.

use crate::db::Sql;
use crate::error::Error;
use crate::filter::key::document_and_keys;
use crate::filter::lookup::Operation;
use crate::filter::tree::{JsonTest, Node};
use crate::filter::word_condition::{Condition, all_of_text, bind_lower, pattern};
use crate::filter::{Comparison, MatchedWord, Matching, Pattern, Relation, Test};
use crate::letters::{HAS_OTHER_CASES, other_cases, same_letters};
use crate::model::search_text;
use crate::model::{ColumnDef, Table};
use crate::value::{ColumnType, Json, Parameter, Value};

impl Node {
    /// Appends the filter as a condition: true where the filter is true, and false
    /// or NULL where it is false.
    pub(crate) fn render(&self, table: &'static Table, sql: &mut Sql) -> Result<(), Error> {
        let mut errors = Vec::new();
        self.collect_invalid(&mut errors);
        if !errors.is_empty() {
            return Err(Error::invalid(table.name, errors));
        }
        let mut renderer = Renderer {
            table,
            sql,
            depth: 0,
        };
        renderer.node(self, false)
    }
}

struct Renderer<'a> {
    table: &'static Table,
    sql: &'a mut Sql,
    depth: usize,
}

/// The depth down to which PostgreSQL looks for indexes. Its planning time nearly
/// doubles with each level (18.0, 2026-11, of `id >= 1` AND this OR `id < n`: 10
/// levels are planned in 2 ms, 12 in 14 ms, 16 in 117 ms). Deeper groups are
/// wrapped in `IS TRUE`, into which it does not look.
const INDEXABLE_DEPTH: usize = 8;

impl Renderer<'_> {
    /// Appends a node. With `never_null`, the condition is never NULL, so that `NOT`
    /// is its opposite. Elsewhere NULL counts as false, and an index can serve the
    /// plain condition.
    fn node(&mut self, node: &Node, never_null: bool) -> Result<(), Error> {
        let hide = self.depth == INDEXABLE_DEPTH && !matches!(node, Node::Test { .. });
        self.sql.push(if hide { "(" } else { "" });
        self.depth += 1;
        self.open_node(node, never_null)?;
        self.depth -= 1;
        self.sql.push(if hide { ") IS TRUE" } else { "" });
        Ok(())
    }

    fn open_node(&mut self, node: &Node, never_null: bool) -> Result<(), Error> {
        match node {
            Node::All(nodes) => self.joined(nodes, " AND ", "TRUE", never_null),
            Node::Any(nodes) => self.joined(nodes, " OR ", "FALSE", never_null),
            Node::Not(node) => {
                self.sql.push("NOT (");
                self.node(node, true)?;
                self.sql.push(")");
                Ok(())
            }
            Node::Test { column, test } => {
                let column = &self.table.columns[*column];
                let may_be_null = match test {
                    Test::IsNull | Test::Json(_, JsonTest::Exists | JsonTest::IsNull) => false,
                    Test::Json(..) => true,
                    Test::CompareColumn(_, other) => {
                        column.nullable || self.table.columns[*other].nullable
                    }
                    _ => column.nullable,
                };
                let (open, close) = if never_null && may_be_null {
                    ("(", ") IS TRUE")
                } else {
                    ("", "")
                };
                self.sql.push(open);
                self.test(column, test, never_null)?;
                self.sql.push(close);
                Ok(())
            }
            Node::Searched(text) => {
                let searched = search_text(self.table);
                self.check_parameter_count()?;
                let pattern = pattern(text, self.sql)?;
                self.sql.push(&format!("({searched} LIKE {pattern}"));
                if let Some(regex) = same_letters(text) {
                    // It has both cases of each letter.
                    self.sql.push(&format!(" OR {searched} ~ "));
                    self.check_parameter_count()?;
                    self.sql.bind(regex)?;
                }
                self.sql.push(")");
                Ok(())
            }
            Node::SearchedOption(word) => {
                let text = search_text(self.table);
                self.check_parameter_count()?;
                let pattern = pattern(word, self.sql)?;
                self.check_parameter_count()?;
                let regex = format!("(^|[^[:alnum:]-]){word}($|[^[:alnum:]])");
                let regex = bind_lower(&regex, self.sql)?;
                self.sql
                    .push(&format!("({text} LIKE {pattern} AND {text} ~ {regex})"));
                Ok(())
            }
            Node::Matching(matching) => self.matching(matching),
            Node::Invalid(_) => unreachable!("`render` returned its error"),
        }
    }

    /// Appends that the text has all words, and then the phrases and exclusions.
    fn matching(&mut self, matching: &Matching) -> Result<(), Error> {
        let text = search_text(self.table);
        // Longer words are rarer.
        let mut longest: Vec<&MatchedWord> = matching.words.iter().collect();
        longest.sort_by_key(|word| std::cmp::Reverse(word.text.chars().count()));
        let mut words = Vec::with_capacity(longest.len());
        for word in longest {
            self.check_parameter_count()?;
            words.push(Condition::of_word(&word.text, word.is_id, self.sql)?);
        }
        self.sql.push(&all_of_text(&text, &words));
        for node in matching.conditions() {
            self.sql.push(" AND (");
            self.open_node(&node, true)?;
            self.sql.push(")");
        }
        Ok(())
    }

    fn joined(
        &mut self,
        nodes: &[Node],
        operator: &str,
        empty: &str,
        never_null: bool,
    ) -> Result<(), Error> {
        if nodes.is_empty() {
            self.sql.push(empty);
            return Ok(());
        }
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                self.sql.push(operator);
            }
            self.sql.push("(");
            self.node(node, never_null)?;
            self.sql.push(")");
        }
        Ok(())
    }

    fn test(&mut self, column: &ColumnDef, test: &Test, never_null: bool) -> Result<(), Error> {
        let name = column.quoted();
        match test {
            Test::Compare(comparison, Value::Text(text))
                if column.is_listed_text() && *comparison != Comparison::Eq =>
            {
                let passing = variants_that_pass(column, *comparison, text);
                self.list(column, &passing)
            }
            Test::Compare(comparison, value) => {
                self.sql.push(&format!(
                    "{name} {} ",
                    Operation::Compare(*comparison).operator()
                ));
                self.value(column, value)
            }
            Test::CompareColumn(comparison, other) => {
                let other = &self.table.columns[*other];
                let operator = Operation::Compare(*comparison).operator();
                // Listed values are in the order of their list, also in another column.
                let condition = if *comparison == Comparison::Eq {
                    format!("{name} {operator} {}", other.quoted())
                } else {
                    format!("{} {operator} {}", column.order_key(), other.order_key())
                };
                self.sql.push(&condition);
                Ok(())
            }
            Test::In(values) => self.list(column, values),
            Test::IsNull => {
                let operator = Operation::IsNull.operator();
                self.sql.push(&format!("{name} {operator}"));
                Ok(())
            }
            Test::Like(pattern) => self.like(&name, pattern),
            Test::Array(relation, value) => {
                let operator = Operation::Overlap(*relation).operator();
                self.sql.push(&format!("{name} {operator} "));
                self.value(column, value)
            }
            Test::Json(path, test) => self.json(column, path, test, never_null),
        }
    }

    fn like(&mut self, text: &str, pattern: &Pattern) -> Result<(), Error> {
        let operator = Operation::from(pattern).operator();
        let other = if pattern.ignore_case {
            other_cases(&pattern.text)
        } else {
            None
        };
        self.sql.push(if other.is_some() { "(" } else { "" });
        self.sql.push(&format!("{text} {operator} "));
        self.check_parameter_count()?;
        self.sql.bind(pattern.text.clone())?;
        if let Some(other) = other {
            let condition = if other.is_everywhere {
                String::new()
            } else {
                format!("{HAS_OTHER_CASES} AND ")
            };
            self.sql.push(&format!(" OR {condition}{text} ~ "));
            self.check_parameter_count()?;
            self.sql.bind(other.regex)?;
            self.sql.push(")");
        }
        Ok(())
    }

    /// Appends "is one of the values". They are bound as one array, or are literals
    /// if the model lists the values of the column.
    fn list(&mut self, column: &ColumnDef, values: &[Value<'static>]) -> Result<(), Error> {
        let name = column.quoted();
        if values.len() > 1
            && let Some(literals) = listed_literals(column, values)
        {
            self.sql.push(&format!("{name} IN ({literals})"));
            return Ok(());
        }
        match (values, column.ty.list_element()) {
            ([], _) => self.sql.push("FALSE"),
            ([value], _) => {
                self.sql.push(&format!("{name} = "));
                self.value(column, value)?;
            }
            (values, Some(element)) => {
                let array = Value::Array(element, values.to_vec());
                let array = self.argument(ColumnType::Array(element), array)?;
                let cast = match (column.cast, column.ty) {
                    (Some(ty), _) | (None, ColumnType::Enum(ty)) => format!("::{ty}[]"),
                    _ => String::new(),
                };
                self.sql.push(&format!("{name} = ANY({array}{cast})"));
            }
            (values, None) => {
                for (index, value) in values.iter().enumerate() {
                    self.sql.push(if index == 0 { "" } else { " OR " });
                    self.sql.push(&format!("{name} = "));
                    self.value(column, value)?;
                }
            }
        }
        Ok(())
    }

    /// Appends a condition on the value at a path: `#>` is NULL where there is none.
    /// Types are compared first and nothing is cast, so that no value of a record
    /// causes an error.
    fn json(
        &mut self,
        column: &ColumnDef,
        path: &[String],
        test: &JsonTest,
        never_null: bool,
    ) -> Result<(), Error> {
        self.check_parameter_count()?;
        let name = &column.quoted();
        let (document, keys) = document_and_keys(column, path, self.sql)?;
        let (value, text) = (
            format!("({document} #> {keys})"),
            format!("({document} #>> {keys})"),
        );
        let is = |ty: &str| format!("jsonb_typeof({value}) = '{ty}' AND ");
        // Under a NOT no index helps, so the condition for it is omitted. Nor does one for keys
        // of any case.
        let path = (!never_null && !column.ignore_key_case).then_some(path);
        match test {
            JsonTest::In(values) if values.is_empty() => self.sql.push("FALSE"),
            JsonTest::In(values) => {
                self.contained_in(name, path, values)?;
                let values = self.jsons(values)?;
                self.sql.push(&format!("{value} = ANY({values})"));
            }
            JsonTest::Compare(comparison, Json::String(with)) => {
                let with = self.argument(ColumnType::Text, Value::Text(with.into()))?;
                let operator = Operation::Compare(*comparison).operator();
                let is_string = is("string");
                self.sql.push(&format!(
                    "{is_string}{text} COLLATE \"C\" {operator} {with}"
                ));
            }
            JsonTest::Compare(comparison, with) => {
                let with = Value::Jsonb(std::borrow::Cow::Borrowed(with));
                let with = self.argument(ColumnType::Jsonb, with)?;
                let operator = Operation::Compare(*comparison).operator();
                let is_number = is("number");
                self.sql
                    .push(&format!("{is_number}{value} {operator} {with}"));
            }
            JsonTest::Exists => self.sql.push(&format!("{value} IS NOT NULL")),
            JsonTest::IsNull => self.sql.push(&format!("{text} IS NULL")),
            JsonTest::Like(pattern) => {
                self.sql.push(&is("string"));
                self.like(&text, pattern)?;
            }
            JsonTest::Array(relation, groups) => {
                let is_array = is("array");
                self.json_array(name, &is_array, &value, path, *relation, groups)?;
            }
        }
        Ok(())
    }

    fn json_array(
        &mut self,
        name: &str,
        is_array: &str,
        value: &str,
        path: Option<&[String]>,
        relation: Relation,
        groups: &[Vec<Json>],
    ) -> Result<(), Error> {
        // The elements of a value that is not an array would be an error.
        let elements = format!(
            "SELECT 1 FROM jsonb_array_elements(CASE jsonb_typeof({value}) WHEN 'array' THEN \
             {value} END) AS element(__value) WHERE"
        );
        match relation {
            Relation::Contains => {
                let (certain, others): (Vec<&Vec<Json>>, Vec<&Vec<Json>>) =
                    groups.iter().partition(|group| match group.as_slice() {
                        [only] => !only.is_array() && !only.is_object(),
                        _ => false,
                    });
                let certain: Vec<Json> = certain.into_iter().flatten().cloned().collect();
                if !certain.is_empty() {
                    self.contained_in(name, path, &[Json::Array(certain.clone())])?;
                }
                self.sql.push(is_array);
                // For scalars, `@>` is equality.
                let certain = self.argument(
                    ColumnType::Jsonb,
                    Value::Jsonb(std::borrow::Cow::Owned(Json::Array(certain))),
                )?;
                self.sql.push(&format!("{value} @> {certain}"));
                for group in others {
                    let any = self.jsons(group)?;
                    self.sql
                        .push(&format!(" AND EXISTS ({elements} __value = ANY({any}))"));
                }
            }
            Relation::Contained => {
                let all: Vec<Json> = groups.iter().flatten().cloned().collect();
                let all = self.jsons(&all)?;
                self.sql.push(is_array);
                self.sql
                    .push(&format!("NOT EXISTS ({elements} NOT __value = ANY({all}))"));
            }
            Relation::Overlaps => {
                let any: Vec<Json> = groups.iter().flatten().cloned().collect();
                let any = self.jsons(&any)?;
                self.sql.push(is_array);
                self.sql
                    .push(&format!("EXISTS ({elements} __value = ANY({any}))"));
            }
        }
        Ok(())
    }

    /// Appends a condition that a GIN index over the whole document supports: that
    /// it contains one of these values at the path. A number in the path may be an
    /// array index, which containment does not support.
    fn contained_in(
        &mut self,
        name: &str,
        path: Option<&[String]>,
        values: &[Json],
    ) -> Result<(), Error> {
        /// For more documents, PostgreSQL would not use the index.
        const MAX_DOCUMENTS: usize = 100;
        let is_index = |key: &String| key.trim().parse::<i64>().is_ok();
        let Some(path) = path else { return Ok(()) };
        if path.iter().any(is_index) || values.len() > MAX_DOCUMENTS {
            return Ok(());
        }
        let document = |value: &Json| {
            path.iter().rev().fold(value.clone(), |inner, key| {
                Json::Object([(key.clone(), inner)].into_iter().collect())
            })
        };
        let documents: Vec<Json> = values.iter().map(document).collect();
        match documents.as_slice() {
            [one] => {
                let one = Value::Jsonb(std::borrow::Cow::Borrowed(one));
                let one = self.argument(ColumnType::Jsonb, one)?;
                self.sql.push(&format!("{name} @> {one} AND "));
            }
            many => {
                let many = self.jsons(many)?;
                self.sql.push(&format!("{name} @> ANY({many}) AND "));
            }
        }
        Ok(())
    }

    /// Binds JSON values as one array.
    fn jsons(&mut self, values: &[Json]) -> Result<String, Error> {
        let values = values
            .iter()
            .map(|value| Value::Jsonb(std::borrow::Cow::Borrowed(value)));
        let values = Value::Array(&ColumnType::Jsonb, values.collect());
        self.argument(ColumnType::Array(&ColumnType::Jsonb), values)
    }

    fn argument(&mut self, ty: ColumnType, value: Value<'_>) -> Result<String, Error> {
        self.check_parameter_count()?;
        self.sql.argument(Parameter { ty, value })
    }

    fn value(&mut self, column: &ColumnDef, value: &Value<'static>) -> Result<(), Error> {
        // A literal makes few different statements. Their cached plans fit this value; a plan
        // for any value could not tell rare values from common ones.
        if let Value::Text(text) = value
            && let Some(literal) = column.listed_literal(text)
        {
            self.sql.push(&literal);
            return Ok(());
        }
        self.check_parameter_count()?;
        self.sql.bind_value(column, value.clone())
    }

    /// Returns an error if no more values can be bound. The protocol counts them in
    /// 16 bits, and the query needs some itself.
    fn check_parameter_count(&self) -> Result<(), Error> {
        const MAX_VALUES: usize = 65_000;
        if self.sql.bound() < MAX_VALUES {
            Ok(())
        } else {
            Err(Error::invalid_field(
                self.table.name,
                "filter",
                format!(
                    "holds more than {MAX_VALUES} values; many values of one field go into one \
                     list, by `in`"
                ),
            ))
        }
    }
}

/// The values as literals, each once and in the order of the model, so that the
/// same values are the same statement. `None` unless the model lists all of them.
fn listed_literals(column: &ColumnDef, values: &[Value<'_>]) -> Option<String> {
    let mut is_given = vec![false; column.variants.len()];
    for value in values {
        let Value::Text(text) = value else {
            return None;
        };
        *is_given.get_mut(column.variants.iter().position(|name| name == text)?)? = true;
    }
    let given = column.variants.iter().zip(is_given);
    let literals: Option<Vec<String>> = given
        .filter(|(_, is_given)| *is_given)
        .map(|(name, _)| column.listed_literal(name))
        .collect();
    Some(literals?.join(", "))
}

/// The variants that compare with `text` by their position in the list.
fn variants_that_pass(
    column: &ColumnDef,
    comparison: Comparison,
    text: &str,
) -> Vec<Value<'static>> {
    let place = column.variants.iter().position(|variant| *variant == text);
    let passes = |at: usize| {
        place.is_some_and(|place| match comparison {
            Comparison::Eq => at == place,
            Comparison::Gt => at > place,
            Comparison::Gte => at >= place,
            Comparison::Lt => at < place,
            Comparison::Lte => at <= place,
        })
    };
    let listed = column.variants.iter().enumerate();
    listed
        .filter(|(at, _)| passes(*at))
        .map(|(_, variant)| Value::Text((*variant).into()))
        .collect()
}
