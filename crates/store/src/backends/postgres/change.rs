//! How PostgreSQL alters tables. It does so inside transactions, so a plan that fails leaves nothing behind.

use loggia_model::schema::{Column, ForeignKey, Table};
use loggia_model::{Scalar, StorageKind};
use tokio_postgres::error::SqlState;

use super::connection::{Connection, Failure};
use super::dialect::POSTGRES;
use super::{converting, failure, introspect, types};
use crate::Error;
use crate::backends::remote::Trouble;
use crate::change::{Change, Index, Tables, drop_indexes, is_retyped, make_index, quoted, refused};
use crate::lower::{Dialect, ddl};

/// A connection inside a transaction, changing tables.
pub(super) struct Alteration<'c> {
    connection: &'c Connection,
    /// What the last failure asks for.
    pub(super) trouble: Trouble,
}

impl<'c> Alteration<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            trouble: Trouble::None,
        }
    }

    fn told<T>(&mut self, answer: Result<T, Failure>) -> Result<T, Error> {
        answer.map_err(|error| {
            self.trouble = failure::trouble(&error, false);
            failure::of(error)
        })
    }

    /// Drops the rules of a column that say what its type does not.
    async fn drop_rules(&mut self, table: &str, column: &Column) -> Result<(), Error> {
        let rules = introspect::constraints_of(self.connection, table, &column.name, "c").await;
        for (name, definition) in self.told(rules)? {
            // Read as if nothing was known of the column yet, a rule of ours says something.
            let mut bare = Column {
                kind: match column.kind {
                    StorageKind::Geometry => StorageKind::Json,
                    kind => kind,
                },
                ..Column::default()
            };
            if types::read_rule(&definition, &mut bare) {
                let text = format!(
                    "ALTER TABLE {} DROP CONSTRAINT {}",
                    quoted(&POSTGRES, table),
                    quoted(&POSTGRES, &name)
                );
                self.run(table, &text).await?;
            }
        }
        Ok(())
    }

    /// Changes the type of a column and converts its values.
    async fn retype(&mut self, table: &str, old: &Column, new: &Column) -> Result<(), Error> {
        self.drop_rules(table, old).await?;
        let (name, column) = (quoted(&POSTGRES, table), quoted(&POSTGRES, &new.name));
        let ty = types::declare(new);
        let converted = converting::prepare(self.connection, table, old, new).await;
        let using = match converted {
            Ok(using) => using,
            Err(converting::Unable::Values(error)) => return Err(error),
            Err(converting::Unable::Database(error)) => return self.told(Err(error)),
        };
        let bare = ty.strip_suffix(" COLLATE \"C\"").unwrap_or(&ty);
        let text = format!("ALTER TABLE {name} ALTER COLUMN {column} TYPE {ty} USING {using}::{bare}");
        self.run(table, &text).await?;
        if let Some(rule) = types::rule(&column, new) {
            let text = format!("ALTER TABLE {name} ADD CHECK ({rule})");
            self.run(table, &text).await?;
        }
        Ok(())
    }

    /// Runs statements that change a table.
    async fn run(&mut self, table: &str, text: &str) -> Result<(), Error> {
        let Err(error) = self.connection.command(text).await else {
            return Ok(());
        };
        self.trouble = failure::trouble(&error, false);
        let Some(said) = error.as_db_error() else {
            return Err(failure::of(error));
        };
        let code = said.code();
        let reason = if [SqlState::DATATYPE_MISMATCH, SqlState::UNDEFINED_FUNCTION].contains(code) {
            format!("The types of the columns do not fit in a change of the table \"{table}\".")
        } else if *code != SqlState::INSUFFICIENT_PRIVILEGE && ["42", "0A", "2B"].contains(&&code.code()[..2])
        {
            format!(
                "The database refuses to change the table \"{table}\": a view, a trigger or a check in it depends on what would change."
            )
        } else {
            return Err(match failure::of(error) {
                Error::Unique {
                    table: _, value, row, ..
                } => Error::Unique {
                    table: table.to_owned(),
                    columns: Vec::new(),
                    value,
                    row,
                },
                error => error,
            });
        };
        tracing::info!(
            error = failure::words(&error),
            table,
            "a change of a table was refused"
        );
        Err(refused(table, None, reason))
    }
}

impl Tables for Alteration<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        &POSTGRES
    }

    async fn table(&mut self, name: &str) -> Result<Option<Table>, Error> {
        let tables = introspect::tables(self.connection, Some(name)).await;
        Ok(self.told(tables)?.swap_remove(name))
    }

    async fn is_taken(&mut self, name: &str) -> Result<bool, Error> {
        let taken = introspect::is_taken(self.connection, name).await;
        self.told(taken)
    }

    async fn pointing_to(&mut self, table: &str) -> Result<Vec<(String, ForeignKey)>, Error> {
        let pointing = introspect::pointing_to(self.connection, table).await;
        self.told(pointing)
    }

    async fn indexes_of(&mut self, table: &str, column: &str) -> Result<Vec<Index>, Error> {
        let indexes = introspect::indexes_of(self.connection, table, column).await;
        self.told(indexes)
    }

    async fn count(&mut self, text: &str) -> Result<u64, Error> {
        let rows = self.connection.ask_once(text, &[]).await;
        Ok(self.told(rows)?.count())
    }

    async fn execute(&mut self, table: &str, _: Change<'_>, text: &str) -> Result<(), Error> {
        self.run(table, text).await
    }

    async fn execute_all(&mut self, table: &str, changes: &[(Change<'_>, String)]) -> Result<(), Error> {
        let texts: Vec<_> = changes.iter().map(|(_, text)| text.as_str()).collect();
        self.run(table, &texts.join("; ")).await
    }

    async fn fill(&mut self, table: &str, column: &Column, value: &Scalar) -> Result<(), Error> {
        let text = format!(
            "UPDATE {} SET {} = $1",
            quoted(&POSTGRES, table),
            quoted(&POSTGRES, &column.name)
        );
        let filled = self.connection.ask_once(&text, std::slice::from_ref(value)).await;
        self.told(filled).map(|_| ())
    }

    async fn redefine(&mut self, table: &str, old: &Column, new: &Column) -> Result<(), Error> {
        let alter = format!(
            "ALTER TABLE {} ALTER COLUMN {}",
            quoted(&POSTGRES, table),
            quoted(&POSTGRES, &new.name)
        );
        // An index that keeps its values in another way is made anew; others may point to one that is unique.
        let is_json = |column: &Column| matches!(column.kind, StorageKind::Json | StorageKind::Geometry);
        let anew = match (old.unique, old.indexed) {
            (false, false) => false,
            (false, true) => POSTGRES.index_key(old) != POSTGRES.index_key(new),
            (true, _) => is_json(old) != is_json(new),
        };
        if anew {
            drop_indexes(self, table, &old.name, |index| {
                index.alone && (index.unique || !index.name.ends_with(crate::change::KEY_INDEX))
            })
            .await?;
        }
        if is_retyped(old, new) {
            self.run(table, &format!("{alter} DROP DEFAULT")).await?;
            self.retype(table, old, new).await?;
        }
        if old.nullable != new.nullable {
            let word = if new.nullable { "DROP" } else { "SET" };
            self.run(table, &format!("{alter} {word} NOT NULL")).await?;
        }
        if is_retyped(old, new) || old.default != new.default {
            let default = ddl::default(&POSTGRES, new);
            let text = match default.trim() {
                "" => format!("{alter} DROP DEFAULT"),
                default => format!("{alter} SET {default}"),
            };
            self.run(table, &text).await?;
        }
        if anew {
            let kept = Column {
                unique: old.unique,
                indexed: old.indexed,
                ..new.clone()
            };
            make_index(self, table, &kept).await?;
        }
        Ok(())
    }

    /// Indexes, rules and foreign keys of the column go with it.
    async fn drop_column(&mut self, _: &Table, name: &str, column: &str) -> Result<(), Error> {
        let text = format!(
            "ALTER TABLE {} DROP COLUMN {}",
            quoted(&POSTGRES, name),
            quoted(&POSTGRES, column)
        );
        self.run(name, &text).await
    }

    async fn add_foreign_key(&mut self, table: &str, key: &ForeignKey) -> Result<(), Error> {
        let text = format!(
            "ALTER TABLE {} ADD {}",
            quoted(&POSTGRES, table),
            ddl::foreign_key(&POSTGRES, key)
        );
        self.run(table, &text).await
    }

    async fn drop_foreign_key(&mut self, table: &str, column: &str) -> Result<(), Error> {
        let keys = introspect::constraints_of(self.connection, table, column, "f").await;
        for (name, _) in self.told(keys)? {
            let text = format!(
                "ALTER TABLE {} DROP CONSTRAINT {}",
                quoted(&POSTGRES, table),
                quoted(&POSTGRES, &name)
            );
            self.run(table, &text).await?;
        }
        Ok(())
    }

    async fn bump_version(&mut self) -> Result<(), Error> {
        const BUMP: &str = "UPDATE loggia_schema_version SET version = version + 1 WHERE id = 1";
        let bumped = self.connection.command(BUMP).await;
        self.told(bumped)
    }
}
