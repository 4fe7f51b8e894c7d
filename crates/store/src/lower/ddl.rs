//! Tables and columns as text.

use std::borrow::Cow;

use loggia_model::schema::{Column, Default, ForeignKey};

use super::{Dialect, Sql};
use crate::change::KEY_INDEX;

/// `CREATE TABLE …`; indexes come after it.
pub(crate) fn create_table(
    dialect: &'static dyn Dialect,
    table: &str,
    columns: &[Column],
    keys: &[ForeignKey],
) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE ").identifier(table).push(" (\n  ");
    sql.join(",\n  ", columns, |sql, column| {
        let points = keys.iter().any(|key| key.column == column.name);
        sql.push(&define(dialect, column, points));
    });
    for key in keys {
        sql.push(",\n  ").push(&foreign_key(dialect, key));
    }
    sql.push("\n)").push(dialect.table_end());
    sql.text
}

/// The definition of a column: name, type, constraints. Unique and plain indexes are separate.
pub(crate) fn column(dialect: &'static dyn Dialect, column: &Column) -> String {
    define(dialect, column, false)
}

/// The same; `points`: as part of a foreign key.
pub(crate) fn define(dialect: &'static dyn Dialect, column: &Column, points: bool) -> String {
    let mut sql = Sql::new(dialect);
    let ty = if points {
        dialect.key_type(column)
    } else {
        dialect.column_type(column)
    };
    sql.identifier(&column.name).push(" ").push(&ty);
    if column.primary_key {
        sql.push(" NOT NULL").push(dialect.primary_key(column));
    } else if !column.nullable {
        sql.push(" NOT NULL");
    }
    sql.push(&default(dialect, column))
        .push(&dialect.column_rule(column));
    sql.text
}

/// The statement of the index that a column asks for; `None` where it asks for none, or is the primary key, which has
/// one already.
pub(crate) fn index(dialect: &'static dyn Dialect, table: &str, column: &Column) -> Option<String> {
    let name = index_name(dialect, table, column)?;
    let word = if column.unique { "UNIQUE INDEX" } else { "INDEX" };
    let mut sql = Sql::new(dialect);
    sql.push(&format!("CREATE {word} "))
        .identifier(&name)
        .push(" ON ")
        .identifier(table)
        .push(&format!(" ({})", dialect.index_key(column)));
    Some(sql.text)
}

/// The name of that index.
pub(crate) fn index_name(dialect: &dyn Dialect, table: &str, column: &Column) -> Option<String> {
    let ending = match (column.primary_key, column.unique, column.indexed) {
        (false, true, _) => ".unique",
        (false, false, true) => ".index",
        _ => return None,
    };
    Some(dialect.index_name(table, &column.name, ending))
}

/// The statement of the index by which no two rows share the values of several columns.
pub(crate) fn unique_together(dialect: &'static dyn Dialect, table: &str, columns: &[String]) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE UNIQUE INDEX ")
        .identifier(&together_name(dialect, table, columns))
        .push(" ON ")
        .identifier(table)
        .push(" (");
    sql.join(", ", columns, |sql, column| {
        sql.identifier(column);
    });
    sql.push(")");
    sql.text
}

/// The name of that index.
pub(crate) fn together_name(dialect: &dyn Dialect, table: &str, columns: &[String]) -> String {
    dialect.index_name(table, &columns.join("+"), ".unique")
}

/// The statement of the index for following a foreign key backwards.
pub(crate) fn key_index(dialect: &'static dyn Dialect, table: &str, key: &ForeignKey) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE INDEX")
        .push(dialect.if_not_exists())
        .push(" ")
        .identifier(&dialect.index_name(table, &key.column, KEY_INDEX))
        .push(" ON ")
        .identifier(table)
        .push(" (")
        .identifier(&key.column)
        .push(")");
    sql.text
}

/// ` DEFAULT …`, or nothing.
pub(crate) fn default(dialect: &'static dyn Dialect, column: &Column) -> String {
    match &column.default {
        Default::None | Default::Value(loggia_model::Scalar::Null) => String::new(),
        Default::Value(value) => {
            let stored = dialect.stored(column.kind, Cow::Borrowed(value));
            format!(" DEFAULT {}", dialect.literal(&stored))
        }
        Default::Now => format!(" DEFAULT {}", dialect.now(column.kind)),
        Default::Expression(text) => format!(" DEFAULT ({text})"),
    }
}

/// The table constraint of a foreign key.
pub(crate) fn foreign_key(dialect: &'static dyn Dialect, key: &ForeignKey) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("FOREIGN KEY (")
        .identifier(&key.column)
        .push(") REFERENCES ")
        .identifier(&key.foreign_table)
        .push(" (")
        .identifier(&key.foreign_column)
        .push(") ON UPDATE ")
        .push(key.on_update.sql())
        .push(" ON DELETE ")
        .push(key.on_delete.sql());
    sql.text
}

/// The name of an index, within what a database keeps of names.
pub(crate) fn short_name(table: &str, column: &str, ending: &str, longest: usize) -> String {
    let whole = format!("{table}.{column}{ending}");
    if whole.len() <= longest {
        return whole;
    }
    let mark = format!("~{:08x}{ending}", digest(&whole));
    let mut cut = longest - mark.len();
    while !whole.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{mark}", &whole[..cut])
}

/// FNV-1a: tells names apart that begin alike.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |digest, byte| {
        (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
