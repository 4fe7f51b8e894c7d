//! Versioned changes of the system tables. Each runs in one transaction together with the row that says it ran, so a
//! start after a crash goes on where the last one stopped.
//!
//! To add a migration: one line at the end of [`MIGRATIONS`]. One that has been released never changes.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::Permit;
use loggia_model::field_types;
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, InsertPlan, Plan, SchemaPlan, SchemaStep};
use loggia_model::schema::{Column, Default};
use loggia_model::{Collection, Field, Filter, Scalar, StorageKind, system};

use crate::{Error, Finding, Outcome, Store, Weight};

/// The table of the migrations that ran.
pub(crate) const TABLE: &str = "loggia_migrations";
const REASON: &str = "migrations of the system tables";
/// The number of the row that stands in the table while a copy into the database is not finished: higher than those of
/// all migrations, so that no program, older ones included, takes it for a database to work with.
pub(crate) const COPYING: u64 = 1_000_000;

/// One change of the system tables. Its number is its position in the list, from 1.
pub(crate) struct Migration {
    /// What it does, in a few words.
    pub(crate) name: &'static str,
    /// The changes of tables.
    pub(crate) steps: fn() -> Vec<SchemaStep>,
    /// The rows that come with them.
    pub(crate) rows: fn() -> Vec<InsertPlan>,
}

/// Every migration, oldest first.
pub(crate) static MIGRATIONS: &[Migration] = &[
    Migration {
        name: "the system tables",
        steps: || system::migration(1),
        rows: system::seeds,
    },
    Migration {
        name: "access tokens, changes and finer permissions",
        steps: || system::migration(2),
        rows: system::recipes::rows,
    },
    Migration {
        name: "what is remembered of signing in, and how long changes are kept",
        steps: || system::migration(3),
        rows: Vec::new,
    },
    Migration {
        name: "second factors that wait to be confirmed",
        steps: || system::migration(4),
        rows: Vec::new,
    },
];

/// Runs the migrations that have not run yet.
///
/// # Errors
/// [`Error::Newer`] when the database knows more of them than this program.
pub(crate) async fn run(store: &Store, migrations: &[Migration]) -> Result<(), Error> {
    let ledger = ledger();
    loop {
        // One more transaction than migrations: the look and the change must not be torn apart.
        let mut tx = store.begin().await?;
        let ran = number(tx.run(Permit::system(REASON, last(&ledger))).await?);
        let known = migrations.len() as u64;
        if ran == COPYING {
            return Err(Error::Unfinished);
        }
        if ran > known {
            return Err(Error::Newer { found: ran, known });
        }
        let Some(migration) = usize::try_from(ran).ok().and_then(|ran| migrations.get(ran)) else {
            return Ok(());
        };
        let steps = (migration.steps)();
        tx.change_schema(Permit::system(REASON, SchemaPlan { steps }))
            .await?;
        for rows in (migration.rows)() {
            tx.run(Permit::system(REASON, Plan::Insert(rows))).await?;
        }
        tx.run(Permit::system(REASON, entry(&ledger, ran + 1, migration.name)))
            .await?;
        tx.commit().await?;
        tracing::info!(
            number = ran + 1,
            name = migration.name,
            "the system tables were migrated"
        );
    }
}

/// Reads the number of the last migration that ran.
pub(crate) fn last(ledger: &Arc<Collection>) -> Plan {
    Plan::Aggregate(AggregatePlan {
        collection: ledger.clone(),
        filter: Filter::All,
        group_by: Vec::new(),
        figures: vec![Figure {
            when: None,
            function: Aggregate::Max,
            field: ledger.field("number").cloned(),
        }],
        sort: Vec::new(),
        limit: None,
        offset: 0,
    })
}

/// The number that [`last`] has read; 0: none ran.
pub(crate) fn number(outcome: Outcome) -> u64 {
    let rows = outcome.into_rows();
    let number = rows.first().and_then(|row| row["max"]["number"].as_u64());
    number.unwrap_or(0)
}

/// What is wrong with a database of which so many migrations ran; `None`: it has no table of them.
pub(crate) fn finding(ran: Option<u64>) -> Option<Finding> {
    let known = MIGRATIONS.len() as u64;
    let what = match ran {
        None => "this is not a database of Loggia; a start would make its tables in it".to_owned(),
        Some(ran) if ran < known => format!(
            "{} migration(s) have not run yet; the next start runs them",
            known - ran
        ),
        Some(COPYING) => "a copy into it was begun and is not finished: repeat `loggia copy`".to_owned(),
        Some(ran) if ran > known => {
            format!(
                "it was migrated by a newer program, which knows {ran} migrations; this one knows {known}"
            )
        }
        Some(_) => return None,
    };
    let weight = match ran {
        Some(ran) if ran > known => Weight::Bad,
        _ => Weight::MendedByStart,
    };
    Some(Finding {
        table: None,
        what,
        weight,
    })
}

/// The tables that a backend makes when it opens a database that lacks one of them.
pub(crate) fn own_tables() -> [Arc<Collection>; 2] {
    [ledger(), crate::lease::table()]
}

/// The table of the migrations that ran.
pub(crate) fn ledger() -> Arc<Collection> {
    own_table(
        TABLE,
        [
            column("number", StorageKind::Integer),
            column("name", StorageKind::Text),
            Column {
                default: Default::Now,
                ..column("ran_on", StorageKind::Timestamp)
            },
        ],
    )
}

/// A column of a table of the store's own.
pub(crate) fn column(name: &str, kind: StorageKind) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable: false,
        ..Column::default()
    }
}

/// A table of the store's own. The first column is its key.
pub(crate) fn own_table(table: &str, mut columns: [Column; 3]) -> Arc<Collection> {
    columns[0].primary_key = true;
    columns[0].unique = true;
    let primary = columns[0].name.clone();
    let fields: IndexMap<_, _> = columns
        .into_iter()
        .map(|column| {
            let field = Field {
                collection: table.to_owned(),
                name: column.name.clone(),
                ty: field_types::of_column(column.kind, &[]),
                column: Some(column),
                meta: None,
                system: true,
            };
            (field.name.clone(), Arc::new(field))
        })
        .collect();
    Arc::new(Collection {
        name: table.to_owned(),
        table: None,
        meta: None,
        system: true,
        primary: fields.get(&primary).cloned(),
        fields,
    })
}

/// Writes a row.
pub(crate) fn entry(ledger: &Arc<Collection>, number: u64, name: &str) -> Plan {
    let value = |field: &str, value: Scalar| Some((ledger.field(field)?.clone(), value));
    let row = [
        value("number", Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX))),
        value("name", Scalar::from(name)),
    ];
    Plan::Insert(InsertPlan {
        collection: ledger.clone(),
        rows: vec![row.into_iter().flatten().collect()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    fn table(name: &str) -> SchemaStep {
        SchemaStep::CreateTable {
            table: name.to_owned(),
            columns: vec![Column {
                name: "id".to_owned(),
                kind: StorageKind::Integer,
                nullable: false,
                primary_key: true,
                auto_increment: true,
                ..Column::default()
            }],
            foreign_keys: Vec::new(),
        }
    }

    const fn migration(name: &'static str, steps: fn() -> Vec<SchemaStep>) -> Migration {
        Migration {
            name,
            steps,
            rows: Vec::new,
        }
    }

    async fn numbers(store: &Store) -> u64 {
        number(store.run(Permit::system("tests", last(&ledger()))).await.unwrap())
    }

    #[tokio::test]
    async fn what_did_not_finish_is_undone_and_done_at_the_next_start() {
        let store = Store::open(Options {
            durable: false,
            ..Options::new("sqlite::memory:")
        })
        .await
        .unwrap();
        let first = MIGRATIONS.len() as u64;
        let list = |third: fn() -> Vec<SchemaStep>| {
            let system = || migration("the system tables", Vec::new);
            let mut list: Vec<_> = MIGRATIONS.iter().map(|_| system()).collect();
            list.push(migration("one more table", || vec![table("one")]));
            list.push(migration("two tables", third));
            list
        };
        // The second table of the last migration cannot be made: its first must not stay.
        let broken = list(|| vec![table("two"), table("one")]);
        run(&store, &broken).await.unwrap_err();
        assert_eq!(numbers(&store).await, first + 1);
        let tables = store.tables().await.unwrap();
        assert!(tables.contains_key("one") && !tables.contains_key("two"));
        let mended = list(|| vec![table("two"), table("three")]);
        run(&store, &mended).await.unwrap();
        run(&store, &mended).await.unwrap();
        assert_eq!(numbers(&store).await, first + 2);
        assert!(store.tables().await.unwrap().contains_key("three"));
        let error = run(&store, &mended[..1]).await.unwrap_err();
        assert!(matches!(error, Error::Newer { .. }), "{error}");
    }
}
