//! The schema that models describe.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use lookback_schema::{
    Column, DataType, Expression, Fill, Name, Partition, PartitionBy, Schema, Table,
};

use super::literal;
use crate::error::{Error, ErrorKind};
use crate::model::{
    ColumnDefinition, FillDefinition, PartitionDefinition, SchemaModel, TableDefinition, TypeSource,
};
use crate::tables::{
    AlertChange, AlertRule, AlertStatus, ApiKey, Import, IngestLane, IngestedBatch, Log,
    LoginAttempt, Metric, OneTimePassword, RequestSnapshot, RollupCell, RollupCorrection,
    RollupRange, SavedSearch, SealedSegment, SearchBlock, SearchPosting, SearchTemplate, Setting,
    User, UserSession,
};
use crate::value::{ColumnType, ColumnValue, Value};

/// The models of an application, from which its migrations are generated.
///
/// No database is needed.
///
/// ```
/// use lookback::migrate::Models;
/// use lookback::model;
///
/// #[model(
///     table = "countries",
///     schema_only,
///     constraint("countries_pkey", "PRIMARY KEY (code)")
/// )]
/// pub struct Country {
///     #[column(type = "char(2)")]
///     pub code: String,
///     pub name: String,
/// }
///
/// let schema = Models::new().model::<Country>().to_schema()?;
/// assert_eq!(schema.tables.len(), 1);
/// # Ok::<(), lookback::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Models {
    definitions: Vec<&'static TableDefinition>,
    enums: Vec<(&'static str, ColumnType, &'static [&'static str])>,
    extensions: BTreeSet<String>,
    schemas: BTreeSet<String>,
    /// Whether they are Lookback's own models.
    pub(super) own: bool,
}

impl Models {
    /// Creates an empty set of models.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns Lookback's own models.
    pub fn lookback() -> Self {
        let own = Self {
            own: true,
            ..Self::default()
        };
        own.model::<User>()
            .model::<Log>()
            .model::<Metric>()
            .model::<RequestSnapshot>()
            .model::<Import>()
            .model::<Setting>()
            .model::<IngestLane>()
            .model::<IngestedBatch>()
            .model::<ApiKey>()
            .model::<UserSession>()
            .model::<LoginAttempt>()
            .model::<OneTimePassword>()
            .model::<AlertRule>()
            .model::<AlertChange>()
            .model::<AlertStatus>()
            .model::<SavedSearch>()
            .model::<SealedSegment>()
            .model::<SearchBlock>()
            .model::<SearchTemplate>()
            .model::<SearchPosting>()
            .model::<RollupRange>()
            .model::<RollupCell>()
            .model::<RollupCorrection>()
    }

    /// Adds a model. The order does not matter.
    #[must_use]
    pub fn model<M: SchemaModel>(mut self) -> Self {
        self.definitions.push(M::DEFINITION);
        self
    }

    /// Adds the enum type of a [`ColumnEnum`](crate::ColumnEnum) that no field
    /// uses.
    ///
    /// The enum types of fields are included without it.
    #[must_use]
    pub fn enum_type<E: ColumnValue>(mut self) -> Self {
        let name = std::any::type_name::<E>();
        let name = name.rsplit("::").next().unwrap_or(name);
        self.enums.push((name, E::TYPE, E::VARIANTS));
        self
    }

    /// Adds an extension that the database must have.
    ///
    /// The extensions of the types and operator classes that Lookback knows
    /// (`vector`, `citext`, `hstore`, `ltree`, `pg_trgm`) are included without
    /// it.
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>) -> Self {
        self.extensions.insert(name.into());
        self
    }

    /// Adds a schema without models. The schemas of models are included without
    /// it.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schemas.insert(name.into());
        self
    }

    /// Returns the tables of models that can be read and written.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'static crate::model::Table> {
        self.definitions
            .iter()
            .filter_map(|definition| definition.read)
    }

    /// Returns the columns whose text `embedding` and the search use, each with its table.
    ///
    /// If their values change without the library, the vectors have to be recomputed by
    /// [`reembed`](super::reembed()).
    pub fn search_columns(&self) -> BTreeSet<(Name, String)> {
        let columns = self.tables().flat_map(|table| {
            let name = Name::within(table.schema(), table.name);
            let fields = table
                .search()
                .iter()
                .map(|field| table.columns[*field].name);
            fields.map(move |column| (name.clone(), column.to_owned()))
        });
        columns.collect()
    }

    /// Returns the schema that the models describe.
    ///
    /// # Errors
    ///
    /// [`Error::is_schema`] with every problem, each with the Rust type and its
    /// table. These are problems that PostgreSQL would reject and that are
    /// found without it, such as two models of one table, a foreign key to
    /// columns that are not unique, or two enums of one name.
    pub fn to_schema(&self) -> Result<Schema, Error> {
        let mut reader = Reader::default();
        for (rust, ty, labels) in &self.enums {
            reader.about = (*rust).to_owned();
            match ty {
                ColumnType::Enum(name) => reader.enum_type(name, labels),
                _ => reader.wrong(format!(
                    "it is stored as {}; an enum type has a name: #[column_enum(type = \"…\")]",
                    ty.sql()
                )),
            }
        }
        for definition in &self.definitions {
            reader.model(definition);
        }
        let Reader {
            tables,
            enums,
            models,
            mut problems,
            ..
        } = reader;
        let schema = Schema {
            extensions: self.extensions.clone(),
            schemas: self.schemas.clone(),
            enums: enums
                .into_iter()
                .map(|(name, (_, labels))| (name, labels))
                .collect(),
            tables,
        };
        match schema.completed() {
            Ok(schema) if problems.is_empty() => return Ok(schema),
            Ok(_) => {}
            Err(wrong) => problems.extend(wrong.iter().map(|error| describe(error, &models))),
        }
        Err(ErrorKind::Schema { problems }.into())
    }
}

/// Formats an error, with the Rust type of the table that it concerns.
fn describe(error: &lookback_schema::Error, models: &BTreeMap<Name, &'static str>) -> String {
    let text = error.to_string();
    let found = models.iter().find_map(|(table, model)| {
        let rest = text.strip_prefix(&format!("table {table}: "))?;
        Some(format!("{model} (table {table}): {rest}"))
    });
    found.unwrap_or(text)
}

#[derive(Default)]
struct Reader {
    tables: BTreeMap<Name, Table>,
    /// The Rust type that first used each enum, and the labels.
    enums: BTreeMap<Name, (String, Vec<String>)>,
    models: BTreeMap<Name, &'static str>,
    problems: Vec<String>,
    /// The Rust type that is being converted, and its table.
    about: String,
}

impl Reader {
    fn model(&mut self, definition: &'static TableDefinition) {
        let name = Name::within(definition.schema, definition.table);
        self.about = format!("{} (table {name})", definition.model);
        if let Some(before) = self.models.insert(name.clone(), definition.model) {
            self.wrong(if before == definition.model {
                "the model is given twice".to_owned()
            } else {
                format!("the table already belongs to {before}")
            });
        }
        let mut table = Table {
            open_partitions: definition.open_partitions,
            comment: definition.comment.map(str::to_owned),
            ..Table::default()
        };
        for column in definition.columns {
            table.columns.extend(self.column(column));
        }
        for (of, text) in definition.constraints {
            if let Some(constraint) = self.read(of, text) {
                table.constraints.insert((*of).to_owned(), constraint);
            }
        }
        for (of, text) in definition.indexes {
            if let Some(index) = self.read(of, text) {
                table.indexes.insert((*of).to_owned(), index);
            }
        }
        table.partition_by = definition
            .partition_by
            .and_then(|text| self.read("partition_by", text));
        table.partitions = self.partitions(&name, definition.partitions);
        self.tables.insert(name, table);
    }

    fn column(&mut self, definition: &'static ColumnDefinition) -> Option<Column> {
        let name = definition.name;
        let data_type = match &definition.ty.0 {
            TypeSource::Sql(text) => self.read(name, text)?,
            TypeSource::Value { ty, labels, array } => {
                if let ColumnType::Enum(of) = ty {
                    self.enum_type(of, labels);
                }
                let element: DataType = self.read(name, &ty.sql())?;
                DataType {
                    array: *array || element.array,
                    ..element
                }
            }
        };
        let fill = self.fill(definition)?;
        Some(Column {
            not_null: !definition.nullable,
            fill,
            collation: definition.collation.and_then(|text| self.name(None, text)),
            comment: definition.comment.map(str::to_owned),
            ..Column::new(name, data_type)
        })
    }

    fn fill(&mut self, definition: &'static ColumnDefinition) -> Option<Fill> {
        let name = definition.name;
        Some(match &definition.fill {
            FillDefinition::None => Fill::None,
            FillDefinition::Value(value) => Fill::Default(self.default_of(name, *value)?),
            FillDefinition::Sql(text) => Fill::Default(self.read(name, text)?),
            FillDefinition::IdentityAlways => Fill::IdentityAlways,
            FillDefinition::IdentityByDefault => Fill::IdentityByDefault,
            FillDefinition::Serial => Fill::Serial,
            FillDefinition::Stored(text) => Fill::Stored(self.read(name, text)?),
            FillDefinition::Virtual(text) => Fill::Virtual(self.read(name, text)?),
        })
    }

    /// Returns a default that is the same for all records, as a literal.
    fn default_of(&mut self, name: &str, value: fn() -> Value<'static>) -> Option<Expression> {
        let found = value();
        if found != value() || matches!(found, Value::Timestamptz(_)) {
            self.wrong(format!(
                "column {name}: its default differs for each record; give the database one, too: \
                 #[column(default = …, sql_default = \"now()\")]"
            ));
            return None;
        }
        self.read(name, &literal::sql(&found))
    }

    fn partitions(
        &mut self,
        table: &Name,
        definitions: &'static [PartitionDefinition],
    ) -> BTreeMap<Name, Partition> {
        let mut partitions = BTreeMap::new();
        for definition in definitions {
            let Some(name) = self.name(Some(table), definition.name) else {
                continue;
            };
            let partition = Partition {
                bound: definition.bound.to_owned(),
                partition_by: definition
                    .partition_by
                    .and_then(|text| self.read::<PartitionBy>(definition.name, text)),
                partitions: self.partitions(table, definition.partitions),
            };
            if partitions.insert(name.clone(), partition).is_some() {
                self.wrong(format!("there are two partitions {name}"));
            }
        }
        partitions
    }

    /// Parses a plain name, in the schema of that table, or a quoted name in
    /// SQL.
    fn name(&mut self, beside: Option<&Name>, text: &str) -> Option<Name> {
        if text.contains('"') {
            return self.read(text, text);
        }
        Some(beside.map_or_else(|| Name::new(text), |table| table.beside(text)))
    }

    fn enum_type(&mut self, name: &str, labels: &[&str]) {
        let Some(parsed) = self.read::<Name>(name, name) else {
            return;
        };
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        match self.enums.get(&parsed) {
            Some((before, other)) if *other != labels => {
                let problem = format!(
                    "the enum type {parsed} has the values {} here, and {} in {before}",
                    labels.join(", "),
                    other.join(", ")
                );
                self.wrong(problem);
            }
            Some(_) => {}
            None => {
                self.enums.insert(parsed, (self.about.clone(), labels));
            }
        }
    }

    /// Parses a definition of `of`.
    ///
    /// The macro has already parsed it, so it is invalid only in code that no
    /// macro generated.
    fn read<T: FromStr<Err = lookback_schema::Error>>(
        &mut self,
        of: &str,
        text: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(format!("{of}: {error}"));
                None
            }
        }
    }

    fn wrong(&mut self, problem: String) {
        self.problems.push(format!("{}: {problem}", self.about));
    }
}
