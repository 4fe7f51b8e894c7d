//! How MySQL and MariaDB alter tables: each statement commits by itself, so for each the journal knows how it is taken
//! back. What would be lost is put aside under a name that nobody is shown, until the change is kept.

use std::sync::atomic::{AtomicU64, Ordering};

use loggia_model::Scalar;
use loggia_model::schema::{Column, ForeignKey, Table};

use super::connection::{Connection, Failure};
use super::described::{Described, bare_type, part};
use super::{converting, failure, introspect, journal};
use crate::Error;
use crate::backends::remote::Trouble;
use crate::change::{Change, Index, Tables, is_retyped, make_index, quoted, refused};
use crate::lower::{Dialect, Sql, ddl};

/// How a foreign key is named that is added to a table.
pub(super) const CONSTRAINT: &str = ".points";

/// Definitions are written as the server does, with backslashes.
const AS_DESCRIBED: &str =
    "SET @loggia_mode = @@sql_mode, sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'";
const AS_BEFORE: &str = "SET sql_mode = @loggia_mode";

/// A connection that changes tables, step by step.
pub(super) struct Alteration<'c> {
    pub(super) builder: &'c mut Connection,
    /// What the last failure asks for.
    pub(super) trouble: Trouble,
}

/// A statement of a change.
struct Step {
    text: String,
    /// Whether it repeats what the server has described.
    repeats: bool,
    /// What takes it back.
    undo: Vec<String>,
    /// What is left to do once it is kept.
    clean: Vec<String>,
}

impl Step {
    fn new(text: String, undo: String) -> Self {
        Self {
            text,
            repeats: false,
            undo: vec![undo],
            clean: Vec::new(),
        }
    }

    /// What takes it back has been described by the server.
    fn described(text: String, undo: String) -> Self {
        Self {
            text,
            repeats: false,
            undo: vec![AS_DESCRIBED.to_owned(), undo, AS_BEFORE.to_owned()],
            clean: Vec::new(),
        }
    }

    fn clean(self, text: String) -> Self {
        Self {
            clean: vec![text],
            ..self
        }
    }
}

/// A name that nobody is shown, of a table or a column. What is left of earlier changes is cleared away before another
/// begins, so that each is the only one.
fn hidden(what: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    journal::hidden(&format!("{what}_{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

impl<'c> Alteration<'c> {
    pub(super) fn new(builder: &'c mut Connection) -> Self {
        Self {
            builder,
            trouble: Trouble::None,
        }
    }

    pub(super) fn told<T>(&mut self, answer: Result<T, Failure>) -> Result<T, Error> {
        answer.map_err(|error| {
            self.trouble = failure::trouble(&error);
            failure::of(error)
        })
    }

    fn quoted(&self, name: &str) -> String {
        quoted(self.builder.dialect(), name)
    }

    fn alter(&self, table: &str) -> String {
        format!("ALTER TABLE {}", self.quoted(table))
    }

    async fn described(&mut self, table: &str) -> Result<Described, Error> {
        let text = format!("SHOW CREATE TABLE {}", self.quoted(table));
        let rows = self.builder.ask_once(&text, &[]).await;
        let rows = self.told(rows)?;
        let text = rows.cells.get(1).and_then(Scalar::as_text);
        Ok(Described::read(text.unwrap_or_default()))
    }

    /// Notes a step, and takes it.
    async fn take(&mut self, table: &str, step: Step) -> Result<(), Error> {
        let noted = journal::note(self.builder, &step.undo, &step.clean).await;
        self.told(noted)?;
        let Err(error) = self.run(&step).await else {
            return Ok(());
        };
        if failure::code(&error).is_some() {
            // It has done nothing that could be taken back: what it met may have been there before.
            const FORGET: &str = "DELETE FROM loggia_ddl ORDER BY id DESC LIMIT 1";
            let forgotten = self.builder.command(FORGET).await;
            self.told(forgotten)?;
        }
        Err(self.refusal(table, error))
    }

    async fn run(&mut self, step: &Step) -> Result<(), Failure> {
        if !step.repeats {
            return self.builder.command(&step.text).await;
        }
        self.builder.command(AS_DESCRIBED).await?;
        let done = self.builder.command(&step.text).await;
        done.and(self.builder.command(AS_BEFORE).await)
    }

    /// Why a table could not be changed.
    fn refusal(&mut self, table: &str, error: Failure) -> Error {
        self.trouble = failure::trouble(&error);
        let reason = match failure::code(&error) {
            Some(1005 | 1215 | 1822 | 3780) => {
                format!("The types of the columns do not fit in a change of the table \"{table}\".")
            }
            Some(1118) => format!(
                "The columns of the table \"{table}\" are too long together: this database keeps 65,535 bytes in a row, \
                 four for each character of a text that is short, unique or a key. Give these a smaller length."
            ),
            Some(1071 | 1170) => format!(
                "A column of the table \"{table}\" is too long to be unique or to point to items: this database allows 768 characters."
            ),
            Some(1265 | 1406) => format!(
                "The table \"{table}\" has texts that are too long to be unique or to point to items: this database allows 768 characters."
            ),
            // A column, key or rule that others depend on.
            Some(
                1054
                | 1072
                | 1075
                | 1235
                | 1553
                | 1828..=1834
                | 1846
                | 1901
                | 1906
                | 3106
                | 3108
                | 3837
                | 3855
                | 3959
                | 4025,
            ) => format!(
                "The database refuses to change the table \"{table}\": a view, a trigger or a check in it depends on what would change."
            ),
            _ => {
                return match failure::of(error) {
                    Error::Unique { value, row, .. } => Error::Unique {
                        table: table.to_owned(),
                        columns: Vec::new(),
                        value,
                        row,
                    },
                    Error::ForeignKey { .. } => Error::ForeignKey {
                        table: table.to_owned(),
                    },
                    error => error,
                };
            }
        };
        self.trouble = Trouble::None;
        tracing::info!(
            error = failure::words(&error),
            table,
            "a change of a table was refused"
        );
        refused(table, None, reason)
    }

    /// Gives a column another definition under the same name.
    /// `repeats`: as the server has described it.
    async fn modify(
        &mut self,
        table: &str,
        column: &str,
        definition: &str,
        repeats: bool,
    ) -> Result<(), Error> {
        let described = self.described(table).await?;
        let (alter, name) = (self.alter(table), self.quoted(column));
        let before = described.column(column).unwrap_or_default();
        let text = format!("{alter} MODIFY {name} {definition}");
        let undo = format!("{alter} MODIFY {name} {before}");
        let step = Step {
            repeats,
            ..Step::described(text, undo)
        };
        self.take(table, step).await
    }

    /// Has a column in the row itself, where indexes and foreign keys find it.
    async fn move_into_row(&mut self, table: &str, column: &Column) -> Result<(), Error> {
        let dialect = self.builder.dialect();
        let described = self.described(table).await?;
        let before = described.column(&column.name).unwrap_or_default();
        let ty = bare_type(before);
        let wanted = dialect.key_type(column);
        let is_long = |ty: &str| ty.contains("text") || ty.contains("blob");
        if !is_long(ty) || is_long(&wanted) {
            return Ok(());
        }
        let definition = format!("{wanted}{}", &before[ty.len()..]);
        self.modify(table, &column.name, &definition, true).await
    }

    /// Gives a whole number the width of the one that it is to point to: the server asks for the same.
    async fn as_wide(&mut self, table: &str, column: &Column, key: &ForeignKey) -> Result<(), Error> {
        let whole = |ty: &str| ["int", "bigint"].iter().any(|word| ty.starts_with(word));
        let target = self.described(&key.foreign_table).await?;
        let described = self.described(table).await?;
        let (Some(wanted), Some(before)) =
            (target.column(&key.foreign_column), described.column(&column.name))
        else {
            return Ok(());
        };
        let (wanted, ty) = (bare_type(wanted), bare_type(before));
        if wanted == ty || !whole(wanted) || !whole(ty) {
            return Ok(());
        }
        let definition = format!("{wanted}{}", &before[ty.len()..]);
        self.modify(table, &column.name, &definition, true).await
    }

    /// Drops the foreign keys of a column. Answers with their lines.
    async fn drop_keys_of(&mut self, table: &str, column: &str) -> Result<Vec<String>, Error> {
        let names = introspect::constraints_of(self.builder, table, column).await;
        let names = self.told(names)?;
        let mut lines = Vec::new();
        for name in names {
            lines.extend(self.drop_key(table, &name).await?);
        }
        Ok(lines)
    }

    async fn drop_key(&mut self, table: &str, name: &str) -> Result<Option<String>, Error> {
        let described = self.described(table).await?;
        let Some(line) = Described::line(&described.constraints, name).map(str::to_owned) else {
            return Ok(None);
        };
        let alter = self.alter(table);
        let text = format!("{alter} DROP FOREIGN KEY {}", self.quoted(name));
        let undo = format!("{alter} ADD {line}");
        self.take(table, Step::described(text, undo)).await?;
        Ok(Some(line))
    }

    async fn drop_index(&mut self, table: &str, name: &str) -> Result<Option<String>, Error> {
        let described = self.described(table).await?;
        let Some(line) = Described::line(&described.indexes, name).map(str::to_owned) else {
            return Ok(None);
        };
        let alter = self.alter(table);
        let text = format!("{alter} DROP INDEX {}", self.quoted(name));
        let undo = format!("{alter} ADD {line}");
        self.take(table, Step::described(text, undo)).await?;
        Ok(Some(line))
    }

    /// Drops what names a column: foreign keys, indexes, and on MySQL rules, which are of the table there. Answers with
    /// the lines of those that may be made again: of foreign keys, and of indexes with other columns.
    async fn lay_bare(&mut self, table: &str, column: &str) -> Result<Vec<String>, Error> {
        let keys = self.drop_keys_of(table, column).await?;
        let indexes = introspect::indexes_of(self.builder, table, column).await;
        let mut again = Vec::new();
        for index in self.told(indexes)? {
            let line = self.drop_index(table, &index.name).await?;
            again.extend(line.filter(|_| !index.alone));
        }
        if !self.builder.server().is_mariadb {
            let described = self.described(table).await?;
            let named = self.quoted(column);
            let rules = described.constraints.iter();
            for (name, line) in rules.filter(|(_, line)| line.contains(" CHECK ") && line.contains(&named)) {
                let alter = self.alter(table);
                let text = format!("{alter} DROP CHECK {}", self.quoted(name));
                let undo = format!("{alter} ADD {line}");
                self.take(table, Step::described(text, undo)).await?;
            }
        }
        // Indexes first: a foreign key takes one that is there.
        again.extend(keys);
        Ok(again)
    }

    async fn add_again(&mut self, table: &str, lines: &[String]) -> Result<(), Error> {
        for line in lines {
            let alter = self.alter(table);
            let name = line.split('`').nth(1).unwrap_or_default();
            let what = if line.starts_with("CONSTRAINT") {
                "FOREIGN KEY"
            } else {
                "INDEX"
            };
            let undo = format!("{alter} DROP {what} `{name}`");
            self.take(table, Step::new(format!("{alter} ADD {line}"), undo))
                .await?;
        }
        Ok(())
    }

    /// Puts a column beside the old one, with the values of that as they are in it, and changes their places.
    async fn retype(&mut self, table: &str, old: &Column, new: &Column) -> Result<(), Error> {
        let dialect = self.builder.dialect();
        let again = self.lay_bare(table, &old.name).await?;
        let points = again.iter().any(|line| line.starts_with("CONSTRAINT"));
        let described = self.described(table).await?;
        let alter = self.alter(table);
        let beside = Column {
            name: hidden("new"),
            nullable: true,
            default: loggia_model::schema::Default::None,
            ..new.clone()
        };
        let definition = ddl::define(dialect, &beside, points);
        let text = format!("{alter} ADD COLUMN {definition}");
        let undo = format!("{alter} DROP COLUMN {}", self.quoted(&beside.name));
        self.take(table, Step::new(text, undo)).await?;
        converting::run(self, table, old, new, &beside.name).await?;
        let before = described.column(&old.name).unwrap_or_default();
        let (name, aside, beside) = (
            self.quoted(&old.name),
            self.quoted(&hidden("old")),
            self.quoted(&beside.name),
        );
        let changed = ddl::define(dialect, new, points);
        let text = format!(
            "{alter} CHANGE {name} {aside} {} NULL, CHANGE {beside} {changed} AFTER {aside}",
            bare_type(before)
        );
        let undo = vec![
            AS_DESCRIBED.to_owned(),
            format!("{alter} DROP COLUMN {name}, CHANGE {aside} {name} {before}"),
            AS_BEFORE.to_owned(),
        ];
        let step = Step {
            text,
            repeats: false,
            undo,
            clean: vec![format!("{alter} DROP COLUMN {aside}")],
        };
        self.take(table, step).await?;
        let kept = Column {
            unique: old.unique,
            indexed: old.indexed,
            ..new.clone()
        };
        make_index(self, table, &kept).await?;
        self.add_again(table, &again).await
    }
}

impl Tables for Alteration<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        self.builder.dialect()
    }

    async fn table(&mut self, name: &str) -> Result<Option<Table>, Error> {
        let tables = introspect::tables(self.builder, Some(name)).await;
        Ok(self.told(tables)?.swap_remove(name))
    }

    async fn is_taken(&mut self, name: &str) -> Result<bool, Error> {
        let taken = introspect::is_taken(self.builder, name).await;
        self.told(taken)
    }

    async fn pointing_to(&mut self, table: &str) -> Result<Vec<(String, ForeignKey)>, Error> {
        let pointing = introspect::pointing_to(self.builder, table).await;
        self.told(pointing)
    }

    async fn indexes_of(&mut self, table: &str, column: &str) -> Result<Vec<Index>, Error> {
        let indexes = introspect::indexes_of(self.builder, table, column).await;
        self.told(indexes)
    }

    async fn count(&mut self, text: &str) -> Result<u64, Error> {
        let rows = self.builder.ask_once(text, &[]).await;
        Ok(self.told(rows)?.count())
    }

    async fn execute(&mut self, table: &str, change: Change<'_>, text: &str) -> Result<(), Error> {
        let (alter, name) = (self.alter(table), self.quoted(table));
        let undo = match change {
            Change::CreateTable => format!("DROP TABLE IF EXISTS {name}"),
            Change::AddColumn(column) => format!("{alter} DROP COLUMN {}", self.quoted(column)),
            Change::AddIndex(index) => {
                let described = self.described(table).await?;
                if Described::line(&described.indexes, index).is_some() {
                    return Ok(());
                }
                format!("{alter} DROP INDEX {}", self.quoted(index))
            }
            // A number that nobody has got is no loss.
            Change::Count => {
                let step = Step {
                    text: text.to_owned(),
                    repeats: false,
                    undo: Vec::new(),
                    clean: Vec::new(),
                };
                return self.take(table, step).await;
            }
            Change::DropIndex(index) => return self.drop_index(table, index).await.map(drop),
            Change::DropTable => {
                // What is put aside must not hold on to the rows of others.
                let described = self.described(table).await?;
                for (key, _) in described
                    .constraints
                    .iter()
                    .filter(|(_, line)| line.contains(" FOREIGN KEY "))
                {
                    self.drop_key(table, key).await?;
                }
                let aside = self.quoted(&hidden("table"));
                let step = Step::new(
                    format!("RENAME TABLE {name} TO {aside}"),
                    format!("RENAME TABLE {aside} TO {name}"),
                );
                let step = step.clean(format!("DROP TABLE IF EXISTS {aside}"));
                return self.take(table, step).await;
            }
        };
        self.take(table, Step::new(text.to_owned(), undo)).await
    }

    async fn make_ready(&mut self, table: &str, column: &Column) -> Result<(), Error> {
        if column.unique && !column.primary_key {
            self.move_into_row(table, column).await?;
        }
        Ok(())
    }

    async fn fill(&mut self, table: &str, column: &Column, value: &Scalar) -> Result<(), Error> {
        let dialect = self.builder.dialect();
        let text = format!(
            "UPDATE {} SET {} = ?",
            self.quoted(table),
            self.quoted(&column.name)
        );
        let value = dialect
            .stored(column.kind, std::borrow::Cow::Borrowed(value))
            .into_owned();
        let filled = self.builder.ask_once(&text, &[value]).await;
        self.told(filled).map(|_| ())
    }

    async fn redefine(&mut self, table: &str, old: &Column, new: &Column) -> Result<(), Error> {
        if is_retyped(old, new) {
            return self.retype(table, old, new).await;
        }
        let described = self.described(table).await?;
        let before = described.column(&new.name).unwrap_or_default();
        let dialect = self.builder.dialect();
        let mut definition = format!(
            "{}{}{}",
            bare_type(before),
            if new.nullable { " NULL" } else { " NOT NULL" },
            ddl::default(dialect, new)
        );
        if let Some(comment) = &new.comment {
            let comment = dialect.literal(&Scalar::from(comment.as_str()));
            definition.push_str(" COMMENT ");
            definition.push_str(comment.trim_start_matches('(').trim_end_matches(')'));
        }
        definition.push_str(part(before, " CHECK ("));
        self.modify(table, &new.name, &definition, false).await
    }

    async fn drop_column(&mut self, _: &Table, name: &str, column: &str) -> Result<(), Error> {
        self.lay_bare(name, column).await?;
        let described = self.described(name).await?;
        let before = described.column(column).unwrap_or_default();
        let place = described.place(column);
        let (alter, quoted, aside) = (
            self.alter(name),
            self.quoted(column),
            self.quoted(&hidden("column")),
        );
        // What the database works out can be worked out again.
        if before.contains(" GENERATED ALWAYS ") {
            let text = format!("{alter} DROP COLUMN {quoted}");
            let undo = format!("{alter} ADD COLUMN {quoted} {before}{place}");
            return self.take(name, Step::described(text, undo)).await;
        }
        let text = format!("{alter} CHANGE {quoted} {aside} {} NULL", bare_type(before));
        let undo = format!("{alter} CHANGE {aside} {quoted} {before}{place}");
        let step = Step::described(text, undo).clean(format!("{alter} DROP COLUMN {aside}"));
        self.take(name, step).await
    }

    async fn add_foreign_key(&mut self, table: &str, key: &ForeignKey) -> Result<(), Error> {
        let dialect = self.builder.dialect();
        let found = self.table(table).await?;
        let column = found
            .iter()
            .flat_map(|table| &table.columns)
            .find(|column| column.name == key.column);
        if let Some(column) = column {
            self.move_into_row(table, column).await?;
            self.as_wide(table, column, key).await?;
        }
        // Otherwise the server makes one of its own, with another name.
        let index = dialect.index_name(table, &key.column, crate::change::KEY_INDEX);
        let text = ddl::key_index(dialect, table, key);
        self.execute(table, Change::AddIndex(&index), &text).await?;
        let name = self.quoted(&dialect.index_name(table, &key.column, CONSTRAINT));
        let alter = self.alter(table);
        let mut sql = Sql::new(dialect);
        sql.push(&alter).push(" ADD CONSTRAINT ").push(&name).push(" ");
        sql.push(&ddl::foreign_key(dialect, key));
        let undo = format!("{alter} DROP FOREIGN KEY {name}");
        self.take(table, Step::new(sql.finish().text, undo)).await
    }

    async fn drop_foreign_key(&mut self, table: &str, column: &str) -> Result<(), Error> {
        self.drop_keys_of(table, column).await.map(drop)
    }

    /// The writing connection does, with the rows that are kept by the same commit.
    async fn bump_version(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
