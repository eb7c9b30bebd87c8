//! Generates a random schema, part by part.

use std::collections::BTreeSet;

use lookback_schema::{
    Action, Column, Constraint, DataType, Deferral, Exclusion, Expression, Fill, ForeignKey, Index,
    IndexKey, Key, MAX_NAME_BYTES, Name, Partition, PartitionBy, Schema, Table, literal, quoted,
};

use super::choices::Choices;
use super::types::{KINDS, Kind, known};

const TABLES: &[&str] = &[
    "orders",
    "users",
    "select",
    "Order Items",
    "größe",
    "a\"b",
    "MixedCase",
    "a_table_whose_name_has_all_of_the_63_bytes_that_postgresql_keep",
    "1st",
    "it's",
    "a.b",
    "back\\slash",
];
const COLUMNS: &[&str] = &[
    "a",
    "b",
    "amount",
    "message",
    "user",
    "Created At",
    "order",
    "naïve",
    "say \"hi\"",
    "a_column_whose_name_has_all_of_the_63_bytes_that_postgresql_kee",
    "row",
    "it's",
    "UPPER",
    "value",
    "c",
    "d",
];
const LABELS: &[&str] = &[
    "open",
    "Paid",
    "it's",
    "two words",
    "größer",
    "say \"no\"",
    "back\\slash",
    "zu",
    "1",
    "null",
];
const COMMENTS: &[&str] = &["plain", "it's \"so\"", "two\nlines", "back\\slash; -- no"];

/// The schema generated so far.
#[derive(Debug)]
pub(super) struct Draw<'a> {
    pub(super) choices: Choices<'a>,
    pub(super) schema: Schema,
    /// Names that relations and types have or had.
    used: BTreeSet<String>,
    /// Names that columns have or had, in any table.
    ///
    /// In the first schema, two tables may have columns of the same name.
    used_columns: BTreeSet<String>,
    pub(super) editing: bool,
    pub(super) is_18: bool,
}

/// Properties of the type of a column.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) kind: Option<&'static Kind>,
    /// The first label, for an enum.
    pub(super) label: Option<String>,
    pub(super) key: bool,
    pub(super) ordered: bool,
}

impl<'a> Draw<'a> {
    pub(super) fn new(numbers: &'a [u16], is_18: bool) -> Self {
        Self {
            choices: Choices::new(numbers),
            schema: Schema::default(),
            used: BTreeSet::new(),
            used_columns: BTreeSet::new(),
            editing: false,
            is_18,
        }
    }

    /// Continues with other choices and the same names in use.
    pub(super) fn again<'b>(&self, numbers: &'b [u16]) -> Draw<'b> {
        Draw {
            choices: Choices::new(numbers),
            schema: self.schema.clone(),
            used: self.used.clone(),
            used_columns: self.used_columns.clone(),
            editing: false,
            is_18: self.is_18,
        }
    }

    pub(super) fn whole_schema(&mut self) {
        if self.choices.one_in(3) {
            let name = *self.choices.pick(&["app", "Odd schema"]);
            self.schema.schemas.insert(name.to_owned());
        }
        for _ in 0..self.choices.below(3) {
            self.add_enum();
        }
        for _ in 0..self.choices.between(1, 4) {
            self.add_table();
        }
        for _ in 0..self.choices.below(4) {
            self.add_foreign_key(|_, _| true);
        }
    }

    /// Returns a unique name for a table, an index or another relation.
    pub(super) fn free(&mut self, wanted: &str) -> String {
        let name = free(wanted, |name| self.used.contains(name));
        self.used.insert(name.clone());
        name
    }

    fn relation(&mut self, pool: &[&str]) -> Name {
        let wanted = *self.choices.pick(pool);
        let name = self.free(wanted);
        let schemas: Vec<String> = self.schema.schemas.iter().cloned().collect();
        let schema = if self.choices.one_in(4) {
            self.choices.any(&schemas).cloned()
        } else {
            None
        };
        Name::within(schema, name)
    }

    pub(super) fn table_name(&mut self) -> Name {
        self.relation(TABLES)
    }

    pub(super) fn enum_name(&mut self) -> Name {
        self.relation(&["mood", "State", "order state"])
    }

    pub(super) fn column_name(&mut self, table: &Table) -> String {
        let wanted = *self.choices.pick(COLUMNS);
        let name = free(wanted, |name| {
            table.column(name).is_some() || (self.editing && self.used_columns.contains(name))
        });
        self.used_columns.insert(name.clone());
        name
    }

    pub(super) fn comment(&mut self) -> Option<String> {
        self.choices
            .one_in(4)
            .then(|| (*self.choices.pick(COMMENTS)).to_owned())
    }

    pub(super) fn add_enum(&mut self) {
        let name = self.enum_name();
        let labels = (0..self.choices.between(1, 4)).fold(Vec::new(), |mut labels, _| {
            labels.push(self.label(&labels));
            labels
        });
        self.schema.enums.insert(name, labels);
    }

    pub(super) fn label(&mut self, taken: &[String]) -> String {
        let wanted = *self.choices.pick(LABELS);
        let used = &mut self.used;
        // Labels of dropped values are not reused: they would look like the old ones.
        let name = free(wanted, |name| {
            taken.iter().any(|label| label == name) || used.contains(&format!("label {name}"))
        });
        if self.editing {
            self.used.insert(format!("label {name}"));
        }
        name
    }

    pub(super) fn facts(&self, ty: &DataType) -> Facts {
        let kind = known(&ty.to_string());
        let labels = if ty.array {
            None
        } else {
            self.schema.enums.get(&ty.name)
        };
        Facts {
            kind,
            label: labels.and_then(|labels| labels.first().cloned()),
            key: kind.is_some_and(|kind| kind.key),
            ordered: kind.is_none_or(|kind| kind.ordered),
        }
    }

    fn data_type(&mut self) -> DataType {
        let enums: Vec<Name> = self.schema.enums.keys().cloned().collect();
        if !enums.is_empty() && self.choices.one_in(5) {
            let name = self.choices.pick(&enums).clone();
            let array = self.choices.one_in(4);
            return DataType {
                array,
                ..DataType::named(name)
            };
        }
        // In half of the cases only the first kinds are considered.
        let among = if self.choices.one_in(2) {
            KINDS
        } else {
            &KINDS[..12]
        };
        parsed(self.choices.pick(among).sql)
    }

    pub(super) fn default_of(&mut self, column: &Column) -> Fill {
        let facts = self.facts(&column.data_type);
        let text = match (&facts.kind, &facts.label) {
            (Some(kind), _) => match self.choices.any(kind.defaults) {
                Some(text) if !(column.not_null && *text == "null") => (*text).to_owned(),
                _ => return Fill::None,
            },
            (None, Some(label)) if self.choices.one_in(3) => {
                format!("{}::{}", literal(label), column.data_type)
            }
            (None, Some(label)) => literal(label),
            (None, None) => "'{}'".to_owned(),
        };
        // The length of a name, a small character or a date is fixed.
        Fill::Default(expression(&text))
    }

    /// Generates a column that is not computed from others.
    pub(super) fn plain_column(&mut self, table: &Table) -> Column {
        let data_type = self.data_type();
        let mut column = Column::new(self.column_name(table), data_type);
        column.not_null = self.choices.one_in(3);
        if self.choices.one_in(3) {
            column.fill = self.default_of(&column);
        }
        let family = self.facts(&column.data_type).kind.map(|kind| kind.family);
        if family == Some("words") && self.choices.one_in(8) {
            column.collation = Some(Name::new(*self.choices.pick(&["C", "POSIX"])));
        }
        column.comment = self.comment();
        column
    }

    /// Generates a column computed from another one.
    pub(super) fn generated_column(&mut self, table: &Table) -> Option<Column> {
        let bases: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| column.fill.generated().is_none())
            .collect();
        let base = *self.choices.any(&bases)?;
        let forms: &[(&str, &str)] = match self.facts(&base.data_type).kind?.family {
            "whole" => &[
                ("{}::bigint * 2", "bigint"),
                ("{} + 1", "numeric"),
                ("CASE WHEN {} > 0 THEN 'some' ELSE 'none' END", "text"),
            ],
            "words" => &[
                ("upper({})", "text"),
                ("length({})", "integer"),
                ("{} || '!'", "text"),
                ("coalesce({}, 'x')", "character varying"),
                ("to_tsvector('simple', {})", "tsvector"),
            ],
            "number" => &[("{} * 2", "numeric"), ("{} > 0", "boolean")],
            "json" => &[("{} ->> 'row'", "text"), ("({} -> 'row')::text", "text")],
            _ => return None,
        };
        let (form, ty) = *self.choices.pick(forms);
        let expression = expression(&form.replace("{}", &quoted(&base.name)));
        let mut column = Column::new(self.column_name(table), parsed(ty));
        column.fill = if self.is_18 && self.choices.one_in(3) {
            Fill::Virtual(expression)
        } else {
            Fill::Stored(expression)
        };
        Some(column)
    }

    pub(super) fn add_table(&mut self) -> Name {
        let name = self.table_name();
        let mut table = Table {
            comment: self.comment(),
            ..Table::default()
        };
        for _ in 0..self.choices.between(1, 6) {
            let column = if self.choices.one_in(8) {
                self.generated_column(&table)
            } else {
                None
            };
            let column = column.unwrap_or_else(|| self.plain_column(&table));
            table.columns.push(column);
        }
        if self.choices.one_in(6) {
            self.divide(&name, &mut table);
        }
        if !self.choices.one_in(6) {
            self.add_primary_key(&name, &mut table);
        }
        for _ in 0..self.choices.below(4) {
            self.add_constraint(&name, &mut table);
        }
        for _ in 0..self.choices.below(4) {
            self.add_index(&name, &mut table);
        }
        self.schema.tables.insert(name.clone(), table);
        name
    }

    /// Turns it into a partitioned table, if it has a suitable column.
    pub(super) fn divide(&mut self, name: &Name, table: &mut Table) {
        let fit: Vec<(&str, &str)> = table
            .columns
            .iter()
            .filter(|column| column.fill.generated().is_none())
            .filter_map(|column| {
                let sql = self.facts(&column.data_type).kind?.sql;
                ["integer", "bigint", "text", "date", "uuid"]
                    .contains(&sql)
                    .then_some((column.name.as_str(), sql))
            })
            .collect();
        let Some(&(column, sql)) = self.choices.any(&fit) else {
            return;
        };
        let key = quoted(column).into_owned();
        let strategy = match sql {
            "integer" | "bigint" => *self.choices.pick(&["RANGE", "LIST", "HASH"]),
            "date" => "RANGE",
            "text" => *self.choices.pick(&["LIST", "HASH"]),
            _ => "HASH",
        };
        let by: PartitionBy = format!("{strategy} ({key})")
            .parse()
            .expect("a partition key");
        table.partition_by = Some(by);
        let mut add = |draw: &mut Self, suffix: &str, bound: &str| {
            let free = draw.free(&format!("{}_{suffix}", name.name));
            table
                .partitions
                .insert(name.beside(free), Partition::new(bound));
        };
        match (strategy, sql) {
            ("HASH", _) => {
                add(self, "0", "FOR VALUES WITH (MODULUS 2, REMAINDER 0)");
                add(self, "1", "for values with (modulus 2, remainder 1)");
            }
            ("RANGE", "date") => {
                add(self, "old", "FOR VALUES FROM (MINVALUE) TO ('2020-01-03')");
                add(self, "rest", "DEFAULT");
            }
            ("RANGE", _) => {
                add(self, "old", "FOR VALUES FROM (MINVALUE) TO (2)");
                add(self, "mid", "FOR VALUES FROM (2) TO (50)");
                add(self, "rest", "DEFAULT");
            }
            (_, "text") => {
                add(self, "one", "FOR VALUES IN ('row 1', 'it''s')");
                add(self, "rest", "default");
            }
            _ => {
                add(self, "one", "FOR VALUES IN (1, -5, NULL)");
                add(self, "rest", "DEFAULT");
            }
        }
        // A partition with partitions of its own.
        if strategy != "HASH" && self.choices.one_in(3) {
            let free = self.free(&format!("{}_deep", name.name));
            let rest = table
                .partitions
                .values_mut()
                .find(|partition| partition.is_default());
            if let Some(rest) = rest {
                rest.partition_by = Some(format!("HASH ({key})").parse().expect("a partition key"));
                let whole = Partition::new("FOR VALUES WITH (modulus 1, remainder 0)");
                rest.partitions.insert(name.beside(free), whole);
            }
        }
    }

    /// Returns the columns that every key must include.
    fn partition_columns(table: &Table) -> Vec<String> {
        let keys = table.partition_by.iter().flat_map(|by| &by.keys);
        keys.filter_map(|key| {
            let named = |column: &&Column| quoted(&column.name) == key.expression.as_str();
            table
                .columns
                .iter()
                .find(named)
                .map(|column| column.name.clone())
        })
        .collect()
    }

    fn key_columns(&mut self, table: &Table, count: usize) -> Option<Vec<String>> {
        let mut columns = Self::partition_columns(table);
        for _ in 0..count {
            let fit: Vec<String> = table
                .columns
                .iter()
                .filter(|column| self.facts(&column.data_type).key)
                .filter(|column| column.fill.generated().is_none())
                .map(|column| column.name.clone())
                .filter(|name| !columns.contains(name))
                .filter(|name| self.is_old_or_not_editing(table, name) && !self.is_dull(name))
                .collect();
            match self.choices.any(&fit) {
                Some(name) => columns.push(name.clone()),
                None => break,
            }
        }
        (!columns.is_empty()).then_some(columns)
    }

    /// Whether a key may use the column: in a new one, existing rows have no distinct values.
    fn is_old_or_not_editing(&self, table: &Table, name: &str) -> bool {
        let nullable = table.column(name).is_some_and(|column| !column.not_null);
        !self.editing || !self.used_columns.contains(&format!("new {name}")) || nullable
    }

    /// Records that existing rows have no values of their own in the column.
    pub(super) fn mark_new(&mut self, column: &str) {
        self.used_columns.insert(format!("new {column}"));
    }

    /// Records that the column's values are not distinct or not of its type, so it cannot be a key.
    pub(super) fn mark_dull(&mut self, column: &str) {
        self.used_columns.insert(format!("dull {column}"));
    }

    pub(super) fn is_dull(&self, column: &str) -> bool {
        self.editing && self.used_columns.contains(&format!("dull {column}"))
    }

    pub(super) fn is_new(&self, column: &str) -> bool {
        self.used_columns.contains(&format!("new {column}"))
    }

    pub(super) fn add_primary_key(&mut self, name: &Name, table: &mut Table) {
        let counted = if self.editing {
            4
        } else {
            self.choices.below(5)
        };
        if counted < 3 {
            let mut id = Column::new(
                free("id", |id| table.column(id).is_some()),
                parsed("bigint"),
            );
            id.not_null = true;
            id.fill =
                [Fill::IdentityAlways, Fill::IdentityByDefault, Fill::Serial][counted].clone();
            if self.choices.one_in(3) {
                id.data_type = self
                    .choices
                    .pick(&["integer", "smallint"].map(parsed))
                    .clone();
            }
            let mut columns = vec![id.name.clone()];
            columns.extend(Self::partition_columns(table));
            table.columns.insert(0, id);
            self.insert_primary_key(name, table, columns);
            return;
        }
        let count = self.choices.between(1, 2);
        let Some(columns) = self.key_columns(table, count) else {
            return;
        };
        let nullable_and_new = |column: &String| self.editing && self.is_new(column);
        if !columns.iter().any(nullable_and_new) {
            self.insert_primary_key(name, table, columns);
        }
    }

    fn insert_primary_key(&mut self, name: &Name, table: &mut Table, columns: Vec<String>) {
        for column in &mut table.columns {
            if columns.contains(&column.name) {
                column.not_null = true;
                if let Fill::Default(default) = &column.fill
                    && default.as_str() == "null"
                {
                    column.fill = Fill::None;
                }
            }
        }
        let key = Key {
            include: self.include(table, &columns),
            columns,
            ..Key::default()
        };
        let name = self.free(&format!("{}_pkey", name.name));
        table.constraints.insert(name, Constraint::PrimaryKey(key));
    }

    fn include(&mut self, table: &Table, not: &[String]) -> Vec<String> {
        let fit: Vec<String> = table
            .columns
            .iter()
            .filter(|column| !matches!(column.fill, Fill::Virtual(_)))
            .map(|column| column.name.clone())
            .filter(|name| !not.contains(name))
            .collect();
        if !self.choices.one_in(8) {
            return Vec::new();
        }
        self.choices.any(&fit).cloned().into_iter().collect()
    }

    fn deferral(&mut self) -> Deferral {
        *self.choices.pick(&[
            Deferral::NotDeferrable,
            Deferral::NotDeferrable,
            Deferral::Deferrable,
            Deferral::InitiallyDeferred,
        ])
    }

    pub(super) fn add_constraint(&mut self, name: &Name, table: &mut Table) {
        match self.choices.below(6) {
            0..=2 => self.add_check(name, table),
            3 | 4 => self.add_unique(name, table),
            _ => self.add_exclusion(name, table),
        }
    }

    pub(super) fn add_check(&mut self, name: &Name, table: &mut Table) {
        let Some(text) = self.condition(table, false) else {
            return;
        };
        let no_inherit = table.partition_by.is_none() && self.choices.one_in(10);
        let not_valid = self.choices.one_in(10);
        let not_enforced = self.is_18 && !not_valid && self.choices.one_in(10);
        let check = Constraint::Check {
            expression: expression(&text),
            no_inherit,
            not_valid,
            not_enforced,
        };
        let name = self.free(&format!("{}_check", name.name));
        table.constraints.insert(name, check);
    }

    /// Generates a condition that every row meets.
    pub(super) fn condition(&mut self, table: &Table, immutable: bool) -> Option<String> {
        let column = self.choices.any(&table.columns)?;
        let facts = self.facts(&column.data_type);
        let name = quoted(&column.name);
        if matches!(column.fill, Fill::Virtual(_)) && immutable {
            return None;
        }
        if let Some(label) = &facts.label {
            let (label, ty) = (literal(label), &column.data_type);
            let forms = [
                format!("{name} = {label} OR {name} <> {label}"),
                format!("{name} >= {label}::{ty} or {name} < {label}"),
                format!("{name} IN ({label}) OR {name} NOT IN ({label}, {label})"),
            ];
            return Some(self.choices.pick(&forms).clone());
        }
        let kind = facts.kind?;
        if self.choices.one_in(5) {
            return Some(format!("{name} IS NOT NULL"))
                .filter(|_| immutable)
                .or_else(|| Some(format!("({name} IS NULL) = ({name} IS NULL)")));
        }
        if immutable && !["whole", "words"].contains(&kind.family) {
            return None;
        }
        let form = self.choices.any(kind.checks)?;
        let text = form.replace("{}", &name);
        if self.choices.one_in(4) {
            let other = self.choices.pick(&table.columns);
            if matches!(other.fill, Fill::Virtual(_)) && immutable {
                return Some(text);
            }
            return Some(format!(
                "{text} AND ({} IS NOT NULL OR true)",
                quoted(&other.name)
            ));
        }
        Some(text)
    }

    pub(super) fn add_unique(&mut self, name: &Name, table: &mut Table) {
        let count = self.choices.between(1, 2);
        let Some(columns) = self.key_columns(table, count) else {
            return;
        };
        let new = self.editing && columns.iter().any(|column| self.is_new(column));
        let key = Key {
            nulls_not_distinct: !new && self.choices.one_in(4),
            include: self.include(table, &columns),
            columns,
            deferral: self.deferral(),
            ..Key::default()
        };
        let name = self.free(&format!("{}_key", name.name));
        table.constraints.insert(name, Constraint::Unique(key));
    }

    fn add_exclusion(&mut self, name: &Name, table: &mut Table) {
        if table.partition_by.is_some() {
            return;
        }
        let Some(key) = self.key_columns(table, 1) else {
            return;
        };
        let kind = table
            .column(&key[0])
            .and_then(|column| self.facts(&column.data_type).kind);
        let family = kind.map_or("", |kind| kind.family);
        let ranges: Vec<String> = table
            .columns
            .iter()
            .filter(|column| {
                known(&column.data_type.to_string()).is_some_and(|k| k.family == "range")
            })
            .map(|column| column.name.clone())
            .collect();
        let element = |name: &str, operator: &str| {
            (
                IndexKey::new(expression(&quoted(name))),
                operator.to_owned(),
            )
        };
        let mut elements = vec![element(&key[0], "=")];
        let gist = ["whole", "days"].contains(&family) && self.choices.one_in(2);
        if gist && let Some(range) = self.choices.any(&ranges) {
            elements.push(element(range, "&&"));
        }
        if gist {
            self.schema.extensions.insert("btree_gist".to_owned());
        }
        if let (true, [_, (range, _)]) = (self.is_18, elements.as_slice())
            // An empty range, such as the one of some defaults, is refused.
            && let Some(range) = range.expression.as_column()
            && (table.column(&range)).is_some_and(|column| column.fill == Fill::None)
            && self.choices.one_in(2)
        {
            let constraint = Constraint::Unique(Key {
                columns: vec![key[0].clone(), range],
                without_overlaps: true,
                deferral: self.deferral(),
                ..Key::default()
            });
            let name = self.free(&format!("{}_key", name.name));
            table.constraints.insert(name, constraint);
            return;
        }
        let exclusion = Exclusion {
            method: if gist { "gist" } else { "btree" }.to_owned(),
            elements,
            include: Vec::new(),
            with: Vec::new(),
            predicate: self
                .choices
                .one_in(3)
                .then(|| self.condition(table, true))
                .flatten()
                .map(|text| expression(&text)),
            deferral: self.deferral(),
        };
        let name = self.free(&format!("{}_excl", name.name));
        table
            .constraints
            .insert(name, Constraint::Exclude(exclusion));
    }

    pub(super) fn add_index(&mut self, name: &Name, table: &mut Table) {
        let Some(index) = self.index(table) else {
            return;
        };
        let column = index.keys[0]
            .expression
            .as_str()
            .replace(['"', '(', ')'], "");
        let name = self.free(&format!("{}_{column}_idx", name.name));
        table.indexes.insert(name, index);
    }

    fn index(&mut self, table: &Table) -> Option<Index> {
        let fit: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| !matches!(column.fill, Fill::Virtual(_)))
            .collect();
        let column = *self.choices.any(&fit)?;
        let name = quoted(&column.name).into_owned();
        let facts = self.facts(&column.data_type);
        let (sql, family) = facts.kind.map_or(("", ""), |kind| (kind.sql, kind.family));
        let special: &[&str] = match (family, sql) {
            ("json", _) => &[
                "gin ({})",
                "gin ({} jsonb_path_ops)",
                "btree (({} ->> 'row'))",
            ],
            (_, "integer[]" | "text[]") => &["gin ({})", "GIN ({}) WITH (fastupdate = off)"],
            (_, "tsvector") => &[
                "gin ({})",
                "gist ({})",
                "gist ({} tsvector_ops(siglen=100))",
            ],
            ("range", _) => &["gist ({})", "spgist ({})"],
            ("point", _) => &["gist ({})", "spgist ({})", "spgist ({} kd_point_ops)"],
            ("box" | "circle" | "polygon", _) => &["gist ({})"],
            ("inet", _) => &["gist ({} inet_ops)", "spgist ({})", "btree ({})"],
            ("vector", _) => &[
                "hnsw ({} vector_l2_ops)",
                "hnsw ({} vector_cosine_ops) WITH (m = 4, ef_construction = 16)",
                "hnsw ({} vector_ip_ops)",
                "ivfflat ({} vector_l2_ops) WITH (lists = 2)",
                "ivfflat ({} vector_cosine_ops) WITH (lists = '1')",
            ],
            ("halfvec", _) => &["hnsw ({} halfvec_l2_ops)", "hnsw ({} halfvec_cosine_ops)"],
            ("sparsevec", _) => &["hnsw ({} sparsevec_l2_ops)"],
            ("words", _) => &[
                "btree (lower({}))",
                "btree ({} text_pattern_ops)",
                "gin ({} gin_trgm_ops)",
                "gist ({} gist_trgm_ops(siglen=32))",
                "gist ({} gist_trgm_ops)",
                "hash ({})",
                "btree ({} COLLATE \"C\")",
                "btree (upper(trim({})) desc)",
                "spgist ({})",
                "btree ((({} || '!')))",
            ],
            ("whole", _) => &[
                "brin ({}) WITH (pages_per_range = 16, autosummarize = on)",
                "btree (({} + 1))",
                "hash ({})",
                "btree (abs({}), ({} % 3) desc)",
                "btree ({}) with (fillfactor=70)",
                "brin ({})",
            ],
            ("days", _) => &["brin ({})", "btree ({} desc)"],
            _ => &[],
        };
        if !special.is_empty() && self.choices.one_in(2) {
            let form = self.choices.pick(special).replace("{}", &name);
            let mut index: Index = format!("USING {form}").parse().expect("an index");
            self.restrict(table, &mut index);
            return Some(index);
        }
        if !facts.ordered {
            return None;
        }
        let mut keys = vec![self.index_key(&name)];
        if self.choices.one_in(3) {
            let second = *self.choices.pick(&fit);
            if second.name != column.name && self.facts(&second.data_type).ordered {
                keys.push(self.index_key(&quoted(&second.name)));
            }
        }
        let partition = Self::partition_columns(table);
        let new = self.editing && self.is_new(&column.name);
        let unique = facts.key
            && column.fill.generated().is_none()
            && self.choices.one_in(4)
            && !(new && column.not_null)
            && !self.is_dull(&column.name)
            && partition.iter().all(|needed| {
                keys.iter()
                    .any(|key| key.expression.as_str() == quoted(needed))
            });
        let mut index = Index {
            unique,
            method: "btree".to_owned(),
            include: self.include(table, std::slice::from_ref(&column.name)),
            nulls_not_distinct: unique && !new && self.choices.one_in(4),
            keys,
            with: Vec::new(),
            predicate: None,
        };
        self.restrict(table, &mut index);
        Some(index)
    }

    fn restrict(&mut self, table: &Table, index: &mut Index) {
        if self.choices.one_in(5) {
            index.predicate = self.condition(table, true).map(|text| expression(&text));
        }
    }

    fn index_key(&mut self, name: &str) -> IndexKey {
        let mut key = IndexKey::new(expression(name));
        key.descending = self.choices.one_in(3);
        key.nulls_first = key.descending != self.choices.one_in(4);
        key
    }

    /// Returns the keys of a table that a foreign key may refer to.
    pub(super) fn targets(table: &Table) -> Vec<Vec<String>> {
        let mut targets = Vec::new();
        for constraint in table.constraints.values() {
            if let Constraint::PrimaryKey(key) | Constraint::Unique(key) = constraint
                && key.deferral == Deferral::NotDeferrable
                && !key.without_overlaps
            {
                targets.push(key.columns.clone());
            }
        }
        for index in table.indexes.values() {
            let named = |key: &IndexKey| {
                let is = |column: &&Column| quoted(&column.name) == key.expression.as_str();
                table
                    .columns
                    .iter()
                    .find(is)
                    .map(|column| column.name.clone())
            };
            let columns: Option<Vec<String>> = index.keys.iter().map(named).collect();
            if let Some(columns) = columns
                && index.unique
                && index.predicate.is_none()
            {
                targets.push(columns);
            }
        }
        targets
    }

    /// Adds a foreign key between two tables for which `may` returns true.
    ///
    /// `may` must ensure that rows of one table can refer to the other.
    pub(super) fn add_foreign_key(&mut self, may: impl Fn(&Name, &Name) -> bool) {
        let names: Vec<Name> = self.schema.tables.keys().cloned().collect();
        let (Some(from), Some(to)) = (
            self.choices.any(&names).cloned(),
            self.choices.any(&names).cloned(),
        ) else {
            return;
        };
        if !may(&from, &to) {
            return;
        }
        let target = self.schema.tables[&to].clone();
        let Some(references) = self.choices.any(&Self::targets(&target)).cloned() else {
            return;
        };
        let new = |draw: &Self, column: &String| {
            draw.editing && (draw.is_new(column) || draw.is_dull(column))
        };
        if references.iter().any(|column| new(self, column)) {
            return;
        }
        let mut table = self.schema.tables[&from].clone();
        let mut columns: Vec<String> = Vec::new();
        for wanted in &references {
            // Each row has the value of its type in it.
            let plain = |column: &&Column| {
                column.fill.generated().is_none() && self.facts(&column.data_type).key
            };
            let Some(wanted) = target.column(wanted).filter(plain) else {
                return;
            };
            let family = |draw: &Self, ty: &DataType| draw.facts(ty).kind.map(|kind| kind.family);
            let wanted_family = family(self, &wanted.data_type);
            let same = wanted_family.is_some_and(|family| ["whole", "words"].contains(&family));
            let fit: Vec<String> = table
                .columns
                .iter()
                .filter(|column| matches!(column.fill, Fill::None | Fill::Default(_)))
                .filter(|column| {
                    column.data_type == wanted.data_type && column.collation == wanted.collation
                        || (same
                            && wanted_family == family(self, &column.data_type)
                            && column.collation == wanted.collation)
                })
                .map(|column| column.name.clone())
                .filter(|name| !columns.contains(name) && !new(self, name))
                .collect();
            let found = if self.choices.one_in(2) {
                None
            } else {
                self.choices.any(&fit).cloned()
            };
            let name = found.unwrap_or_else(|| {
                let mut column = Column::new(self.column_name(&table), wanted.data_type.clone());
                column.collation.clone_from(&wanted.collation);
                if self.editing {
                    self.mark_new(&column.name);
                }
                let name = column.name.clone();
                table.columns.push(column);
                name
            });
            columns.push(name);
        }
        if from == to && columns == references {
            return;
        }
        let actions = [
            Action::NoAction,
            Action::Cascade,
            Action::SetNull,
            Action::Restrict,
            Action::SetDefault,
        ];
        let on_delete = *self.choices.pick(&actions);
        let subset = matches!(on_delete, Action::SetNull | Action::SetDefault)
            && columns.len() > 1
            && self.choices.one_in(2);
        let mixed = columns.iter().any(|column| new(self, column));
        let plain = table.partition_by.is_none() && target.partition_by.is_none();
        let not_valid = plain && self.choices.one_in(10);
        let foreign = ForeignKey {
            set_columns: if subset {
                vec![columns[0].clone()]
            } else {
                Vec::new()
            },
            references: references.clone(),
            table: to,
            match_full: !mixed && self.choices.one_in(5),
            on_update: *self.choices.pick(&actions),
            on_delete,
            deferral: self.deferral(),
            not_valid,
            not_enforced: self.is_18 && plain && !not_valid && self.choices.one_in(10),
            period: false,
            columns,
        };
        let name = self.free(&format!("{}_fkey", from.name));
        table
            .constraints
            .insert(name, Constraint::ForeignKey(foreign));
        self.schema.tables.insert(from, table);
    }
}

/// Returns `wanted`, or `wanted` with a number, truncated to PostgreSQL's limit.
fn free(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    let cut = |bytes: usize| {
        let mut end = wanted.len().min(bytes);
        while !wanted.is_char_boundary(end) {
            end -= 1;
        }
        &wanted[..end]
    };
    let mut name = cut(MAX_NAME_BYTES).to_owned();
    let mut number = 1;
    while taken(&name) {
        number += 1;
        let suffix = number.to_string();
        // The array type of a table's rows has the table's name with an underscore in front,
        // truncated to the same length. A table cannot have a name for which that is in use.
        name = format!("{}{suffix}", cut(MAX_NAME_BYTES - 1 - suffix.len()));
    }
    name
}

pub(super) fn expression(text: &str) -> Expression {
    Expression::new(text).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn parsed(ty: &str) -> DataType {
    ty.parse().unwrap_or_else(|error| panic!("{error}"))
}
