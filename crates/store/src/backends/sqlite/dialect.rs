//! SQL as SQLite speaks it.

use std::borrow::Cow;
use std::fmt::Write as _;

use loggia_model::filter::{Function, Place};
use loggia_model::plan::Aggregate;
use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind};

use super::types;
use crate::lower::{Dialect, ShapeTest, Sql, Writer, reads};

/// The dialect.
pub(super) static SQLITE: Sqlite = Sqlite;

/// SQLite's SQL, with the functions of `functions`.
pub(super) struct Sqlite;

impl Dialect for Sqlite {
    fn identifier(&self, text: &mut String, name: &str) {
        text.push('"');
        for character in name.chars() {
            if character == '"' {
                text.push('"');
            }
            text.push(character);
        }
        text.push('"');
    }

    fn placeholder(&self, text: &mut String, _: usize) {
        text.push('?');
    }

    fn text<'p>(&self, sql: &mut Sql<'p>, _: StorageKind, column: Writer<'_, 'p>) {
        sql.push("CAST(");
        column(sql);
        sql.push(" AS TEXT)");
    }

    /// SQLite takes the text `7` for the number 7 where a column holds numbers, but `07` as well, which is no key.
    fn same_key<'p>(
        &self,
        sql: &mut Sql<'p>,
        (one, write_one): (&Column, Writer<'_, 'p>),
        (many, write_many): (&Column, Writer<'_, 'p>),
    ) {
        write_one(sql);
        sql.push(" = ");
        write_many(sql);
        if one.kind.is_numeric() && many.kind.is_textual() {
            sql.push(" AND ");
            self.text(sql, one.kind, write_one);
            sql.push(" = ");
            write_many(sql);
        }
    }

    /// One value: a JSON array, so that the text does not depend on how many there are.
    fn is_one_of<'p>(
        &self,
        sql: &mut Sql<'p>,
        _: Option<StorageKind>,
        operand: Writer<'_, 'p>,
        values: &[Scalar],
    ) {
        operand(sql);
        if let [value] = values {
            sql.push(" = ").bind(Cow::Owned(value.clone()));
            return;
        }
        if values.iter().any(|value| matches!(value, Scalar::Real(_))) {
            // Their decimal notation need not lead back to the very same number.
            sql.push(" IN (");
            sql.join(", ", values, |sql, value| {
                sql.bind(Cow::Owned(value.clone()));
            });
            sql.push(")");
            return;
        }
        let bytes = values.iter().all(|value| matches!(value, Scalar::Bytes(_)));
        let value = if bytes { "unhex(value)" } else { "value" };
        sql.push(" IN (SELECT ")
            .push(value)
            .push(" FROM json_each(")
            .bind(Cow::Owned(Scalar::Text(json_array(values))))
            .push("))");
    }

    fn matches<'p>(
        &self,
        sql: &mut Sql<'p>,
        kind: Option<StorageKind>,
        operand: Writer<'_, 'p>,
        at: Place,
        piece: &'p str,
        ignore_case: bool,
    ) {
        let bind = |sql: &mut Sql<'p>| {
            sql.bind(Cow::Owned(Scalar::from(piece)));
        };
        match (at, ignore_case) {
            (Place::Anywhere, false) => {
                sql.push("instr(");
                operand(sql);
                sql.push(", ");
                bind(sql);
                sql.push(") > 0");
            }
            // What stands in a document may be a number, which is no text to SQLite.
            (Place::Whole, false) if kind.is_none() => {
                sql.push("CAST(");
                operand(sql);
                sql.push(" AS TEXT) = ");
                bind(sql);
            }
            (Place::Whole, false) => {
                operand(sql);
                sql.push(" = ");
                bind(sql);
            }
            _ => {
                sql.push(match (at, ignore_case) {
                    (Place::Anywhere, _) => "loggia_contains_folded(",
                    (Place::Start, false) => "loggia_starts(",
                    (Place::Start, true) => "loggia_starts_folded(",
                    (Place::End, false) => "loggia_ends(",
                    (Place::End, true) => "loggia_ends_folded(",
                    (Place::Whole, _) => "loggia_same_folded(",
                });
                operand(sql);
                sql.push(", ");
                bind(sql);
                sql.push(")");
            }
        }
    }

    fn meets<'p>(&self, sql: &mut Sql<'p>, operand: Writer<'_, 'p>, test: ShapeTest<'p>) {
        sql.push(if test.boxes {
            "loggia_boxes_meet("
        } else {
            "loggia_shapes_meet("
        });
        operand(sql);
        sql.push(", ")
            .bind(Cow::Owned(Scalar::from(test.shape)))
            .push(")");
    }

    fn part<'p>(&self, sql: &mut Sql<'p>, function: Function, _: StorageKind, column: Writer<'_, 'p>) {
        let name = match function {
            Function::Count => {
                sql.push("loggia_entries(");
                column(sql);
                sql.push(")");
                return;
            }
            Function::Year => "year",
            Function::Month => "month",
            Function::Week => "week",
            Function::Day => "day",
            Function::Weekday => "weekday",
            Function::Hour => "hour",
            Function::Minute => "minute",
            Function::Second => "second",
        };
        sql.push("loggia_part('").push(name).push("', ");
        column(sql);
        sql.push(")");
    }

    fn json_value<'p>(&self, sql: &mut Sql<'p>, column: Writer<'_, 'p>, path: &[String]) {
        sql.push("loggia_json(");
        column(sql);
        let path: Vec<_> = path.iter().map(|step| Scalar::from(step.as_str())).collect();
        sql.push(", ").bind(Cow::Owned(Scalar::Text(json_array(&path))));
        sql.push(")");
    }

    fn figure<'p>(&self, sql: &mut Sql<'p>, function: Aggregate, kind: StorageKind, column: Writer<'_, 'p>) {
        let (name, distinct) = match function {
            Aggregate::Count | Aggregate::CountAll => ("COUNT", false),
            Aggregate::CountDistinct => ("COUNT", true),
            Aggregate::Sum | Aggregate::SumDistinct => ("loggia_sum", function == Aggregate::SumDistinct),
            Aggregate::Avg | Aggregate::AvgDistinct => ("loggia_avg", function == Aggregate::AvgDistinct),
            Aggregate::Min => ("MIN", false),
            Aggregate::Max => ("MAX", false),
        };
        sql.push(name).push(if distinct { "(DISTINCT " } else { "(" });
        column(sql);
        sql.push(self.comparison(Some(kind), false)).push(")");
    }

    /// SQLite takes a collation from anywhere in an expression, the outermost first.
    fn end_of_case(&self) -> &'static str {
        " END COLLATE BINARY"
    }

    fn comparison(&self, kind: Option<StorageKind>, _: bool) -> &'static str {
        match kind {
            Some(StorageKind::Decimal) => " COLLATE loggia_decimal",
            _ => "",
        }
    }

    /// Sums and means come as text.
    fn comparison_of_figure(&self, kind: StorageKind) -> &'static str {
        let numeric = kind.is_numeric().then_some(StorageKind::Decimal);
        self.comparison(numeric, true)
    }

    fn window(&self, sql: &mut Sql<'_>, limit: Option<u64>, offset: u64) {
        match (limit, offset) {
            (None, 0) => return,
            (None, _) => sql.push(" LIMIT -1"),
            (Some(limit), _) => sql.push(" LIMIT ").bind(reads::number(limit)),
        };
        if offset > 0 {
            sql.push(" OFFSET ").bind(reads::number(offset));
        }
    }

    fn count_from(&self, table: &str, _: &str, last: i64) -> Option<String> {
        let name = self.literal(&Scalar::from(table));
        Some(format!(
            "UPDATE sqlite_sequence SET seq = {last} WHERE name = {name} AND seq < {last}; \
             INSERT INTO sqlite_sequence (name, seq) SELECT {name}, {last} \
             WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {name})"
        ))
    }

    fn column_type(&self, column: &Column) -> String {
        types::declare(column)
    }

    fn primary_key(&self, column: &Column) -> &'static str {
        match (column.auto_increment, column.kind) {
            (true, StorageKind::BigInteger) => types::LARGE_COUNTED_KEY,
            (true, _) => " PRIMARY KEY AUTOINCREMENT",
            (false, _) => " PRIMARY KEY",
        }
    }

    fn now(&self, kind: StorageKind) -> &'static str {
        types::now(kind)
    }

    fn literal(&self, scalar: &Scalar) -> String {
        match scalar {
            Scalar::Null => "NULL".to_owned(),
            Scalar::Bool(truth) => i64::from(*truth).to_string(),
            Scalar::Int(number) => number.to_string(),
            Scalar::Real(number) => format!("{number:?}"),
            Scalar::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Scalar::Bytes(bytes) => {
                let mut text = String::from("x'");
                for byte in bytes {
                    // Writing to a String does not fail.
                    let _ = write!(text, "{byte:02x}");
                }
                text.push('\'');
                text
            }
        }
    }
}

/// Values as a JSON array; bytes as hexadecimal text.
fn json_array(values: &[Scalar]) -> String {
    let mut text = String::with_capacity(values.len() * 8 + 2);
    text.push('[');
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        // Writing to a String does not fail.
        let _ = match value {
            Scalar::Null => write!(text, "null"),
            Scalar::Bool(truth) => write!(text, "{}", i64::from(*truth)),
            Scalar::Int(number) => write!(text, "{number}"),
            Scalar::Real(number) if number.is_finite() => write!(text, "{number:?}"),
            Scalar::Real(_) => write!(text, "null"),
            Scalar::Text(piece) => write!(text, "{}", serde_json::Value::String(piece.clone())),
            Scalar::Bytes(bytes) => {
                text.push('"');
                for byte in bytes {
                    let _ = write!(text, "{byte:02x}");
                }
                write!(text, "\"")
            }
        };
    }
    text.push(']');
    text
}
