//! Changes of tables, inside the transaction that also changes the rows about them: what must hold before each step,
//! and what is done in which order. The same for every database; how a table is altered is asked of [`Tables`].

use std::collections::HashMap;
use std::future::Future;

use loggia_model::plan::{SchemaPlan, SchemaStep};
use loggia_model::schema::{Column, Default, ForeignKey, Table};
use loggia_model::{Clock, Scalar};

use crate::lower::{Dialect, Sql, ddl};
use crate::{Error, answer};

/// How an index is named that is made for a foreign key.
pub(crate) const KEY_INDEX: &str = ".foreign_key";

/// An index that covers a column.
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) unique: bool,
    /// It covers nothing else, and every row.
    pub(crate) alone: bool,
    /// The statement that drops it; `None`: it is part of the table itself.
    pub(crate) drop: Option<String>,
}

/// What a statement does to a table; names are those of columns and indexes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'c> {
    CreateTable,
    DropTable,
    AddColumn(&'c str),
    AddIndex(&'c str),
    DropIndex(&'c str),
    /// What it counts its keys from.
    Count,
}

/// A connection that changes tables.
pub(crate) trait Tables: Send {
    /// How statements must be written.
    fn dialect(&self) -> &'static dyn Dialect;
    /// A table by its exact name.
    fn table(&mut self, name: &str) -> impl Future<Output = Result<Option<Table>, Error>> + Send;
    /// Whether a table or view has this name, in any case.
    fn is_taken(&mut self, name: &str) -> impl Future<Output = Result<bool, Error>> + Send;
    /// The foreign keys of all tables that point to `table`, with the table that each belongs to.
    fn pointing_to(
        &mut self,
        table: &str,
    ) -> impl Future<Output = Result<Vec<(String, ForeignKey)>, Error>> + Send;
    /// The indexes of a table that cover a column.
    fn indexes_of(
        &mut self,
        table: &str,
        column: &str,
    ) -> impl Future<Output = Result<Vec<Index>, Error>> + Send;
    /// The count that a statement answers with.
    fn count(&mut self, text: &str) -> impl Future<Output = Result<u64, Error>> + Send;
    /// Runs a statement that changes `table`.
    fn execute(
        &mut self,
        table: &str,
        change: Change<'_>,
        text: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Runs several of them; at once, where the database takes them so.
    fn execute_all(
        &mut self,
        table: &str,
        changes: &[(Change<'_>, String)],
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async move {
            for (change, text) in changes {
                self.execute(table, *change, text).await?;
            }
            Ok(())
        }
    }
    /// Makes a column ready for the index that it asks for, where its values must be kept in another way for that.
    fn make_ready(
        &mut self,
        _table: &str,
        _column: &Column,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }
    /// Gives every row a value.
    fn fill(
        &mut self,
        table: &str,
        column: &Column,
        value: &Scalar,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Gives a column another type (converting its values), nullability or default.
    fn redefine(
        &mut self,
        table: &str,
        old: &Column,
        new: &Column,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Drops a column with everything that covers it.
    fn drop_column(
        &mut self,
        table: &Table,
        name: &str,
        column: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Adds the constraint of a foreign key that every row keeps.
    fn add_foreign_key(
        &mut self,
        table: &str,
        key: &ForeignKey,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Drops the constraint of a column's foreign key.
    fn drop_foreign_key(
        &mut self,
        table: &str,
        column: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Counts the schema's version up.
    fn bump_version(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Runs the steps of a plan, in order, and counts the schema's version up. The caller undoes all of it when one fails.
pub(crate) async fn run<T: Tables>(on: &mut T, plan: &SchemaPlan, clock: &Clock) -> Result<(), Error> {
    for step in &plan.steps {
        self::step(on, step, clock).await?;
    }
    let mut targets = HashMap::new();
    for (table, key) in plan.steps.iter().flat_map(keys_of) {
        if !targets.contains_key(&key.foreign_table) {
            let target = on.table(&key.foreign_table).await?;
            targets.insert(key.foreign_table.clone(), target);
        }
        let target = targets.get(&key.foreign_table).and_then(Option::as_ref);
        check_target(target, table, key)?;
    }
    on.bump_version().await
}

/// The foreign keys that a step makes, with the table that they belong to.
fn keys_of(step: &SchemaStep) -> Vec<(&str, &ForeignKey)> {
    match step {
        SchemaStep::CreateTable {
            table, foreign_keys, ..
        } => foreign_keys.iter().map(|key| (table.as_str(), key)).collect(),
        SchemaStep::AddForeignKey { table, key } => vec![(table, key)],
        _ => Vec::new(),
    }
}

async fn step<T: Tables>(on: &mut T, step: &SchemaStep, clock: &Clock) -> Result<(), Error> {
    match step {
        SchemaStep::CreateTable {
            table,
            columns,
            foreign_keys,
        } => create_table(on, table, columns, foreign_keys).await,
        SchemaStep::DropTable { table } => drop_table(on, table).await,
        SchemaStep::AddColumn { table, column } => {
            Target::find(on, table).await?.add_column(column, clock).await
        }
        SchemaStep::AlterColumn { table, column } => {
            Target::find(on, table).await?.alter_column(column).await
        }
        SchemaStep::DropColumn { table, column } => Target::find(on, table).await?.drop_column(column).await,
        SchemaStep::AddForeignKey { table, key } => Target::find(on, table).await?.add_foreign_key(key).await,
        SchemaStep::DropForeignKey { table, column } => {
            Target::find(on, table).await?.drop_foreign_key(column).await
        }
        SchemaStep::AddUnique { table, columns } => Target::find(on, table).await?.add_unique(columns).await,
        SchemaStep::CountFrom { table, column, last } => {
            match on.dialect().count_from(table, column, *last) {
                Some(text) => on.execute(table, Change::Count, &text).await,
                None => Ok(()),
            }
        }
    }
}

async fn create_table<T: Tables>(
    on: &mut T,
    table: &str,
    columns: &[Column],
    foreign_keys: &[ForeignKey],
) -> Result<(), Error> {
    check_name(on, table, None)?;
    for column in columns {
        check_name(on, table, Some(&column.name))?;
    }
    if on.is_taken(table).await? {
        return Err(refused(
            table,
            None,
            format!("A table \"{table}\" exists already."),
        ));
    }
    let dialect = on.dialect();
    let own = columns.iter().filter_map(|column| {
        Some((
            ddl::index_name(dialect, table, column)?,
            ddl::index(dialect, table, column)?,
        ))
    });
    let of_keys = foreign_keys.iter().map(|key| {
        let name = dialect.index_name(table, &key.column, KEY_INDEX);
        (name, ddl::key_index(dialect, table, key))
    });
    let indexes: Vec<_> = own.chain(of_keys).collect();
    let mut changes = vec![(
        Change::CreateTable,
        ddl::create_table(dialect, table, columns, foreign_keys),
    )];
    let indexes = indexes
        .iter()
        .map(|(name, text)| (Change::AddIndex(name), text.clone()));
    changes.extend(indexes);
    on.execute_all(table, &changes).await
}

async fn drop_table<T: Tables>(on: &mut T, table: &str) -> Result<(), Error> {
    Target::find(on, table).await?;
    let pointing = on.pointing_to(table).await?;
    if let Some((by, key)) = pointing.iter().find(|(by, _)| by != table) {
        let reason = format!(
            "\"{by}\" still points to \"{table}\" by \"{}\": remove that relation first.",
            key.column
        );
        return Err(refused(table, None, reason));
    }
    // A table that points to itself could refuse to let go of its own rows.
    for (_, key) in pointing {
        on.drop_foreign_key(table, &key.column).await?;
    }
    let text = format!("DROP TABLE {}", quoted(on.dialect(), table));
    on.execute(table, Change::DropTable, &text).await
}

/// Names that a database would cut off are refused: two of them could become one.
fn check_name<T: Tables>(on: &T, table: &str, column: Option<&str>) -> Result<(), Error> {
    let name = column.unwrap_or(table);
    match on.dialect().longest_name() {
        Some(most) if name.len() > most => {
            let reason = format!(
                "The name \"{name}\" has {} bytes; this database keeps at most {most}. Choose a shorter one.",
                name.len()
            );
            Err(refused(table, column, reason))
        }
        _ => Ok(()),
    }
}

/// A foreign key must point to a column that tells rows apart, or every later write would fail.
fn check_target(found: Option<&Table>, table: &str, key: &ForeignKey) -> Result<(), Error> {
    let target = found
        .iter()
        .flat_map(|target| &target.columns)
        .find(|column| column.name == key.foreign_column);
    let reason = match target {
        Some(column) if column.unique => return Ok(()),
        Some(_) => "is not unique",
        None => "does not exist",
    };
    let reason = format!(
        "\"{}\" cannot point to \"{}\" of \"{}\": that {reason}.",
        key.column, key.foreign_column, key.foreign_table
    );
    Err(refused(table, Some(&key.column), reason))
}

/// A table that is being changed.
struct Target<'t, T> {
    on: &'t mut T,
    name: &'t str,
    table: Table,
}

impl<'t, T: Tables> Target<'t, T> {
    async fn find(on: &'t mut T, name: &'t str) -> Result<Self, Error> {
        if let Some(table) = on.table(name).await? {
            return Ok(Self { on, name, table });
        }
        let reason = match on.is_taken(name).await? {
            true => format!("\"{name}\" is a view of the database, which is not changed here."),
            false => format!("There is no table \"{name}\"."),
        };
        Err(refused(name, None, reason))
    }

    fn column(&self, name: &str) -> Result<&Column, Error> {
        let column = self.table.columns.iter().find(|column| column.name == name);
        column.ok_or_else(|| self.refused(name, format!("\"{}\" has no column \"{name}\".", self.name)))
    }

    fn refused(&self, column: &str, reason: String) -> Error {
        refused(self.name, Some(column), reason)
    }

    fn quoted(&self, name: &str) -> String {
        quoted(self.on.dialect(), name)
    }

    /// A count of rows.
    async fn count(&mut self, condition: &str) -> Result<u64, Error> {
        let text = format!(
            "SELECT COUNT(*) FROM {} WHERE {condition}",
            self.quoted(self.name)
        );
        self.on.count(&text).await
    }

    async fn add_column(mut self, column: &Column, clock: &Clock) -> Result<(), Error> {
        check_name(self.on, self.name, Some(&column.name))?;
        let exists = |other: &Column| other.name.eq_ignore_ascii_case(&column.name);
        if self.table.columns.iter().any(exists) {
            let reason = format!("\"{}\" has a column \"{}\" already.", self.name, column.name);
            return Err(self.refused(&column.name, reason));
        }
        if column.primary_key || column.auto_increment {
            let reason = format!(
                "\"{}\" has its primary key already; another cannot be added.",
                self.name
            );
            return Err(self.refused(&column.name, reason));
        }
        let rows = self.count("1 = 1").await?;
        let empty = matches!(column.default, Default::None | Default::Value(Scalar::Null));
        if rows > 0 && empty && !column.nullable {
            return Err(Error::ContainsNulls {
                table: self.name.to_owned(),
                column: column.name.clone(),
                rows,
            });
        }
        if rows > 0 && column.default == Default::Now {
            // The clock says the time, not the database: the column is filled and then declared.
            let bare = Column {
                nullable: true,
                default: Default::None,
                ..column.clone()
            };
            self.define(&bare).await?;
            let now = answer::now(clock, column.kind);
            self.on.fill(self.name, column, &now).await?;
            self.on.redefine(self.name, &bare, column).await?;
        } else {
            self.define(column).await?;
        }
        make_index(self.on, self.name, column).await
    }

    async fn define(&mut self, column: &Column) -> Result<(), Error> {
        let definition = ddl::column(self.on.dialect(), column);
        let text = format!("ALTER TABLE {} ADD COLUMN {definition}", self.quoted(self.name));
        self.on
            .execute(self.name, Change::AddColumn(&column.name), &text)
            .await
    }

    async fn alter_column(mut self, new: &Column) -> Result<(), Error> {
        let old = self.column(&new.name)?.clone();
        if old.primary_key || new.primary_key {
            if (old.primary_key, old.kind, old.auto_increment)
                == (new.primary_key, new.kind, new.auto_increment)
            {
                return Ok(());
            }
            let reason = format!(
                "The primary key \"{}\" of \"{}\" cannot be changed.",
                new.name, self.name
            );
            return Err(self.refused(&new.name, reason));
        }
        if old.generated {
            let reason = format!(
                "\"{}\" of \"{}\" is worked out by the database.",
                new.name, self.name
            );
            return Err(self.refused(&new.name, reason));
        }
        if old.nullable && !new.nullable {
            let condition = format!("{} IS NULL", self.quoted(&new.name));
            let rows = self.count(&condition).await?;
            if rows > 0 {
                return Err(Error::ContainsNulls {
                    table: self.name.to_owned(),
                    column: new.name.clone(),
                    rows,
                });
            }
        }
        if is_retyped(&old, new) || old.nullable != new.nullable || old.default != new.default {
            self.on.redefine(self.name, &old, new).await?;
        }
        self.reindex(&old, new).await
    }

    /// Makes and drops the indexes of a column.
    async fn reindex(mut self, old: &Column, new: &Column) -> Result<(), Error> {
        let plain = |column: &Column| column.indexed && !column.unique;
        if old.unique == new.unique && plain(old) == plain(new) {
            return Ok(());
        }
        drop_indexes(self.on, self.name, &new.name, |index| {
            index.alone && (index.unique || !index.name.ends_with(KEY_INDEX))
        })
        .await?;
        if new.unique {
            self.check_duplicates(new).await?;
        }
        make_index(self.on, self.name, new).await
    }

    async fn check_duplicates(&mut self, column: &Column) -> Result<(), Error> {
        let dialect = self.on.dialect();
        let mut sql = Sql::new(dialect);
        sql.push("SELECT COUNT(*) FROM (SELECT 1 FROM ")
            .identifier(self.name)
            .push(" WHERE ")
            .identifier(&column.name)
            .push(" IS NOT NULL GROUP BY ");
        dialect.value(&mut sql, column, &|sql| {
            sql.identifier(&column.name);
        });
        sql.push(" HAVING COUNT(*) > 1) AS repeated");
        match self.on.count(&sql.text).await? {
            0 => Ok(()),
            values => Err(Error::ContainsDuplicates {
                table: self.name.to_owned(),
                column: column.name.clone(),
                values,
            }),
        }
    }

    async fn drop_column(self, name: &str) -> Result<(), Error> {
        if self.column(name)?.primary_key {
            let reason = format!("\"{name}\" is the primary key of \"{}\".", self.name);
            return Err(self.refused(name, reason));
        }
        let pointing = self.on.pointing_to(self.name).await?;
        if let Some((by, key)) = pointing.iter().find(|(_, key)| key.foreign_column == name) {
            let reason = format!(
                "\"{by}\" points to it by \"{}\": remove that relation first.",
                key.column
            );
            return Err(self.refused(name, reason));
        }
        self.on.drop_column(&self.table, self.name, name).await
    }

    async fn add_foreign_key(self, key: &ForeignKey) -> Result<(), Error> {
        let column = self.column(&key.column)?.clone();
        if self
            .table
            .foreign_keys
            .iter()
            .any(|other| other.column == key.column)
        {
            let reason = format!(
                "\"{}\" of \"{}\" has a foreign key already.",
                key.column, self.name
            );
            return Err(self.refused(&key.column, reason));
        }
        let foreign = self.on.table(&key.foreign_table).await?;
        check_target(foreign.as_ref(), self.name, key)?;
        let target = foreign
            .iter()
            .flat_map(|table| &table.columns)
            .find(|foreign| foreign.name == key.foreign_column)
            .unwrap_or(&column);
        let dialect = self.on.dialect();
        let mut sql = Sql::new(dialect);
        sql.push("SELECT COUNT(*) FROM ")
            .identifier(self.name)
            .push(" AS pointing WHERE pointing.")
            .identifier(&key.column)
            .push(" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ")
            .identifier(&key.foreign_table)
            .push(" AS target WHERE ");
        dialect.same_key(
            &mut sql,
            (target, &|sql| {
                sql.push("target.").identifier(&key.foreign_column);
            }),
            (&column, &|sql| {
                sql.push("pointing.").identifier(&key.column);
            }),
        );
        sql.push(")");
        let rows = self.on.count(&sql.text).await?;
        if rows > 0 {
            return Err(Error::Dangling {
                table: self.name.to_owned(),
                column: key.column.clone(),
                foreign_table: key.foreign_table.clone(),
                rows,
            });
        }
        self.on.add_foreign_key(self.name, key).await?;
        make_key_index(self.on, self.name, key).await
    }

    async fn add_unique(self, columns: &[String]) -> Result<(), Error> {
        for column in columns {
            self.column(column)?;
        }
        let dialect = self.on.dialect();
        let name = ddl::together_name(dialect, self.name, columns);
        let text = ddl::unique_together(dialect, self.name, columns);
        self.on
            .execute(self.name, Change::AddIndex(&name), &text)
            .await
            .map_err(|error| match error {
                Error::Unique { value, row, .. } => Error::Unique {
                    table: self.name.to_owned(),
                    columns: columns.to_vec(),
                    value,
                    row,
                },
                error => error,
            })
    }

    async fn drop_foreign_key(self, column: &str) -> Result<(), Error> {
        self.column(column)?;
        if !self.table.foreign_keys.iter().any(|key| key.column == column) {
            let reason = format!("\"{column}\" of \"{}\" has no foreign key.", self.name);
            return Err(self.refused(column, reason));
        }
        self.on.drop_foreign_key(self.name, column).await?;
        drop_indexes(self.on, self.name, column, |index| {
            index.name.ends_with(KEY_INDEX)
        })
        .await
    }
}

/// Whether two definitions of a column differ in their type or its size.
pub(crate) fn is_retyped(old: &Column, new: &Column) -> bool {
    let size = |column: &Column| (column.kind, column.max_length, column.precision, column.scale);
    size(old) != size(new)
}

/// Drops the indexes that cover a column and that `which` chooses.
pub(crate) async fn drop_indexes<T: Tables>(
    on: &mut T,
    table: &str,
    column: &str,
    which: impl Fn(&Index) -> bool + Send,
) -> Result<(), Error> {
    for index in on.indexes_of(table, column).await? {
        if !which(&index) {
            continue;
        }
        let Some(drop) = &index.drop else {
            let reason = format!(
                "That \"{column}\" is unique is part of the table \"{table}\" itself, made by another program; it cannot be changed here."
            );
            return Err(refused(table, Some(column), reason));
        };
        on.execute(table, Change::DropIndex(&index.name), drop).await?;
    }
    Ok(())
}

/// Makes the index that a column asks for; its primary key has one already.
pub(crate) async fn make_index<T: Tables>(on: &mut T, table: &str, column: &Column) -> Result<(), Error> {
    let dialect = on.dialect();
    let name = ddl::index_name(dialect, table, column);
    let (Some(name), Some(text)) = (name, ddl::index(dialect, table, column)) else {
        return Ok(());
    };
    on.make_ready(table, column).await?;
    let made = on.execute(table, Change::AddIndex(&name), &text).await;
    made.map_err(|error| match error {
        Error::Unique { value, row, .. } => Error::Unique {
            table: table.to_owned(),
            columns: vec![column.name.clone()],
            value,
            row,
        },
        error => error,
    })
}

/// Following a relation backwards, and deleting what is pointed to, must not read the whole table.
async fn make_key_index<T: Tables>(on: &mut T, table: &str, key: &ForeignKey) -> Result<(), Error> {
    let name = on.dialect().index_name(table, &key.column, KEY_INDEX);
    let text = ddl::key_index(on.dialect(), table, key);
    on.execute(table, Change::AddIndex(&name), &text).await
}

/// A quoted identifier.
pub(crate) fn quoted(dialect: &dyn Dialect, name: &str) -> String {
    let mut text = String::new();
    dialect.identifier(&mut text, name);
    text
}

/// A step that cannot be done.
pub(crate) fn refused(table: &str, column: Option<&str>, reason: String) -> Error {
    Error::Schema {
        table: table.to_owned(),
        column: column.map(str::to_owned),
        reason,
    }
}
